/* The memory of all processes at a moment, made by doing again what each step did.
 *
 * Pages lie in chunks of 512, a leaf table's worth. A chunk is copied when a space that does not own
 * it changes it, so that forks and snapshots cost little. Frames of private pages are counted, which
 * tells a page that fork still shares from one whose other users have gone; so are the holders of
 * leaf tables that are shared. */

const COW = 16;
const KIND = 15;
const CHUNK = 512;
const isPrivate = (kind) => kind >= PRIVATE && kind <= COPIED;

class Replay {
  constructor(model) {
    this.model = model;
    this.frameNumbers = new Map();
    this.at = 0;
    this.spaces = new Map();
    this.frames = new Int32Array(1024);
    this.holders = new Map();
    this.nextTable = 1;
  }

  /** Does step `this.at`. */
  step() {
    const model = this.model;
    const kind = model.stepKind(this.at);
    const row = model.steps.row[this.at];
    if (kind === "fault") this.fault(row);
    else this[kind](...model.rows[kind][row]);
    this.at++;
  }

  space(number) {
    let space = this.spaces.get(number);
    if (!space) this.spaces.set(number, (space = {chunks: new Map(), ranges: [], users: 1, token: {}}));
    return space;
  }

  /** The chunk of table number `key`, to be changed. */
  chunk(space, key) {
    let chunk = space.chunks.get(key);
    if (chunk && chunk.owner === space.token) return chunk;
    chunk = chunk
      ? {kinds: chunk.kinds.slice(), frames: chunk.frames.slice(), table: chunk.table, owner: space.token}
      : {kinds: new Uint8Array(CHUNK), frames: new Int32Array(CHUNK), table: 0, owner: space.token};
    space.chunks.set(key, chunk);
    return chunk;
  }

  /** A small number for a frame; 0 stands for one that nobody else can have. */
  frame(number) {
    let small = this.frameNumbers.get(number);
    if (!small) this.frameNumbers.set(number, (small = this.frameNumbers.size + 1));
    if (small >= this.frames.length) {
      const larger = new Int32Array(2 * small);
      larger.set(this.frames);
      this.frames = larger;
    }
    return small;
  }

  countFrame(kind, frame, change) {
    if (frame && isPrivate(kind & KIND)) this.frames[frame] += change;
  }

  set(space, page, kind, frame) {
    const chunk = this.chunk(space, Math.floor(page / CHUNK));
    const at = page % CHUNK;
    this.countFrame(chunk.kinds[at], chunk.frames[at], -1);
    this.countFrame(kind, frame, 1);
    chunk.kinds[at] = kind;
    chunk.frames[at] = frame;
  }

  /** Makes a leaf table the space's own, as the kernel does before it changes it. */
  own(space, key) {
    const table = space.chunks.get(key)?.table;
    if (!table) return;
    const chunk = this.chunk(space, key);
    chunk.table = 0;
    if (this.leaveTable(table)) chunk.kinds.forEach((kind, at) => this.countFrame(kind, chunk.frames[at], 1));
  }

  /** Whether others hold the table still. */
  leaveTable(table) {
    const left = this.holders.get(table) - 1;
    this.holders.set(table, left);
    return left > 0;
  }

  fault(number) {
    const f = this.model.faults;
    const address = Number(f.stval[number]);
    if (!(address < 2 ** 38)) return;
    const space = this.space(f.space[number]);
    const page = pageOf(address);
    this.own(space, Math.floor(page / CHUNK));
    const kind = KIND_AFTER[this.model.strings[f.outcome[number]]];
    const after = f.after[number];
    if (!pteValid(after) || kind === undefined) return;
    const frame = this.frame(pteFrame(after));
    this.set(space, page, ABSENT, 0);
    // The handler leaves a private page to this process alone; so a trace with gaps mends itself.
    if (isPrivate(kind)) this.frames[frame] = 0;
    this.set(space, page, kind, frame);
  }

  exec(process, left, number, maps) {
    if (left >= 0) this.leave(left);
    this.space(number).ranges = [];
    for (const range of maps) this.addRange(number, this.model.ranges[range]);
  }

  fork(parentProcess, childProcess, parentNumber, childNumber, borrowed, ...more) {
    const parent = this.space(parentNumber);
    if (borrowed) {
      parent.users++;
      return;
    }
    const [leftOut, wiped] = more.slice(-2).map((list) => list.map((range) => this.model.ranges[range]));
    const ranges = leftOut.reduce((left, {start, end}) => without(left, start, end), parent.ranges);
    const child = {chunks: new Map(), ranges, users: 1, token: {}};
    this.spaces.set(childNumber, child);
    const policy = this.model.about.policy;
    const kept = [...leftOut, ...wiped].map(({start, end}) => [pageOf(start), pageOf(end)]);
    for (const key of parent.chunks.keys()) {
      const base = key * CHUNK;
      const here = kept.filter(([first, last]) => first < base + CHUNK && last > base);
      const gives = (at) => !here.some(([first, last]) => base + at >= first && base + at < last);
      if (policy === "eager") this.copyChunk(parent, child, key, gives);
      else if (here.length) this.shareSome(parent, child, key, gives);
      else this.shareChunk(parent, child, key, policy === "shared-tables");
    }
    parent.token = {};
  }

  copyChunk(parent, child, key, gives) {
    const from = parent.chunks.get(key);
    const frames = from.frames.map((frame, at) => (isPrivate(from.kinds[at] & KIND) ? 0 : frame));
    child.chunks.set(key, {
      kinds: from.kinds.map((kind, at) => (gives(at) ? kind & KIND : ABSENT)),
      frames,
      table: 0,
      owner: child.token,
    });
  }

  /** Where the child does not get all pages it has a leaf table of its own, whatever the policy. */
  shareSome(parent, child, key, gives) {
    const chunk = this.chunk(parent, key);
    const given = this.chunk(child, key);
    for (let at = 0; at < CHUNK; at++) {
      if (!chunk.kinds[at] || !gives(at)) continue;
      if (isPrivate(chunk.kinds[at] & KIND)) chunk.kinds[at] |= COW;
      given.kinds[at] = chunk.kinds[at];
      given.frames[at] = chunk.frames[at];
      this.countFrame(given.kinds[at], given.frames[at], 1);
    }
  }

  shareChunk(parent, child, key, withTable) {
    const chunk = this.chunk(parent, key);
    for (let at = 0; at < CHUNK; at++) {
      if (!isPrivate(chunk.kinds[at] & KIND)) continue;
      chunk.kinds[at] |= COW;
      if (!withTable) this.countFrame(chunk.kinds[at], chunk.frames[at], 1);
    }
    if (withTable) {
      if (!chunk.table) this.holders.set((chunk.table = this.nextTable++), 1);
      this.holders.set(chunk.table, this.holders.get(chunk.table) + 1);
    }
    child.chunks.set(key, chunk);
  }

  exit(process, number) {
    if (number >= 0) this.leave(number);
  }

  leave(number) {
    const space = this.spaces.get(number);
    if (!space || --space.users > 0) return;
    for (const key of space.chunks.keys()) this.drop(space, key);
    this.spaces.delete(number);
  }

  /** Lets go of a leaf table and what is in it. */
  drop(space, key) {
    const chunk = space.chunks.get(key);
    space.chunks.delete(key);
    if (chunk.table && this.leaveTable(chunk.table)) return;
    chunk.kinds.forEach((kind, at) => this.countFrame(kind, chunk.frames[at], -1));
  }

  map(process, number, range) {
    this.addRange(number, this.model.ranges[range]);
  }

  unmap(process, number, start, end) {
    const space = this.space(number);
    space.ranges = without(space.ranges, Number(start), Number(end));
    this.clearPages(space, Number(start), Number(end));
  }

  clear(process, number, start, end) {
    this.clearPages(this.space(number), Number(start), Number(end));
  }

  clearPages(space, start, end) {
    const first = pageOf(start);
    const last = pageOf(end);
    for (const key of [...space.chunks.keys()]) {
      const base = key * CHUNK;
      if (base >= last || base + CHUNK <= first) continue;
      const from = Math.max(0, first - base);
      const to = Math.min(CHUNK, last - base);
      const {kinds, table} = space.chunks.get(key);
      if (!kinds.some((kind, at) => kind && (at < from || at >= to))) {
        this.drop(space, key);
        continue;
      }
      if (table) this.own(space, key);
      for (let at = from; at < to; at++) if (kinds[at]) this.set(space, base + at, ABSENT, 0);
    }
  }

  move(process, number, start, end, to) {
    const space = this.space(number);
    const moved = [...pagesOf(space)].filter(([page]) => page >= pageOf(start) && page < pageOf(end));
    for (const [page, kind, frame] of moved) {
      const target = page - pageOf(start) + pageOf(to);
      for (const key of [page, target].map((each) => Math.floor(each / CHUNK))) this.own(space, key);
      this.set(space, target, kind, frame);
      this.set(space, page, ABSENT, 0);
    }
    space.ranges = without(space.ranges, Number(start), Number(end));
  }

  addRange(number, range) {
    if (!(range.start < range.end)) return; // no kernel tells of such a one, but a damaged trace may
    const space = this.space(number);
    const ranges = without(space.ranges, range.start, range.end);
    const at = ranges.findIndex((other) => other.start > range.start);
    ranges.splice(at < 0 ? ranges.length : at, 0, range);
    space.ranges = joined(ranges);
  }

  /** What the map shows of a page. */
  state(space, page) {
    const chunk = space.chunks.get(Math.floor(page / CHUNK));
    const kind = chunk ? chunk.kinds[page % CHUNK] : ABSENT;
    if (!kind) return ABSENT;
    if (chunk.table && this.holders.get(chunk.table) > 1) return TABLE;
    if (!isPrivate(kind & KIND)) return kind & KIND;
    if (this.frames[chunk.frames[page % CHUNK]] > 1) return SHARED;
    return kind & COW ? ALONE : kind & KIND;
  }

  /** How many pages of a space are in each state. */
  census(space) {
    const counts = STATES.map(() => 0);
    for (const [page] of pagesOf(space)) counts[this.state(space, page)]++;
    return counts;
  }
}

/** [page, kind, frame] of each page that is in memory. */
function* pagesOf(space) {
  for (const [key, chunk] of space.chunks) {
    for (let at = 0; at < CHUNK; at++)
      if (chunk.kinds[at]) yield [key * CHUNK + at, chunk.kinds[at], chunk.frames[at]];
  }
}

/** Ranges less [start, end). */
function without(ranges, start, end) {
  return ranges.flatMap((range) => {
    if (range.end <= start || range.start >= end) return [range];
    const parts = [];
    if (range.start < start) parts.push({...range, end: start});
    if (range.end > end) parts.push({...range, start: end});
    return parts;
  });
}

function joined(ranges) {
  const result = [];
  for (const range of ranges) {
    const before = result[result.length - 1];
    const same =
      before && before.end === range.start && before.rights === range.rights && before.name === range.name;
    if (same) result[result.length - 1] = {...before, end: range.end};
    else result.push(range);
  }
  return result;
}
