/* Replay of a trace: applies the steps, one at a time, to the memory of all processes. */

class Replay extends Memory {
  /** @param {Model} model */
  constructor(model) {
    super();
    this.model = model;
    this.at = 0;
  }

  /** Replays step `this.at`. */
  step() {
    const model = this.model;
    const kind = model.stepKind(this.at);
    const row = model.steps.row[this.at];
    const handlers = /** @type {any} */ (this);
    if (kind === "fault") this.fault(row);
    else handlers[kind](...model.rows[kind][row]);
    this.at++;
  }

  /** @param {number} number */
  fault(number) {
    const f = this.model.faults;
    const address = Number(f.stval[number]);
    if (!(address < 2 ** 38)) return;
    const space = this.space(f.space[number]);
    const page = pageOf(address);
    const key = Math.floor(page / CHUNK);
    this.own(space, key);
    if (f.split[number]) this.setHuge(space, key, false);
    const kind = KIND_AFTER[this.model.strings[f.outcome[number]]];
    const after = f.after[number];
    if (!pteValid(after) || kind === undefined) return;
    const first = f.huge[number] ? key * CHUNK : page;
    const pages = f.huge[number] ? CHUNK : 1;
    const firstFrame = pteFrame(after) - page + first;
    for (let at = 0; at < pages; at++) this.touch(space, first + at, kind, this.frame(firstFrame + at));
    if (f.huge[number]) this.setHuge(space, key, true);
    for (const [distance, beside] of f.beside[f.around[number]])
      this.set(space, page + distance, kind, this.frame(beside));
  }

  /** @type {(space: Space, page: number, kind: number, frame: number) => void} */
  touch(space, page, kind, frame) {
    this.set(space, page, ABSENT, 0);
    // After a fault a private page has one user, which also corrects the counts of a filtered trace.
    if (isPrivate(kind)) this.frames[frame] = 0;
    this.set(space, page, kind, frame);
  }

  /**
   * A huge page was split, or pages became one in other frames, which no record names.
   * @type {(process: number, number: number, address: Exact, huge: number) => void}
   */
  page_size(_process, number, address, huge) {
    const space = this.space(number);
    const key = Math.floor(pageOf(address) / CHUNK);
    const unnamed = -1 - this.at * CHUNK;
    for (let at = 0; huge && at < CHUNK; at++)
      this.touch(space, key * CHUNK + at, PRIVATE, this.frame(unnamed - at));
    this.setHuge(space, key, Boolean(huge));
  }

  /** @type {(process: number, left: number, number: number, maps: number[]) => void} */
  exec(_process, left, number, maps) {
    if (left >= 0) this.leave(left);
    this.space(number).ranges = [];
    for (const range of maps) this.addRange(number, this.model.ranges[range]);
  }

  /**
   * @param {number} _parentProcess
   * @param {number} _childProcess
   * @param {number} parentNumber
   * @param {number} childNumber
   * @param {number} borrowed
   * @param {any[]} more
   */
  fork(_parentProcess, _childProcess, parentNumber, childNumber, borrowed, ...more) {
    const parent = this.space(parentNumber);
    if (borrowed) {
      parent.users++;
      return;
    }
    const [leftOut, wiped, notCopied] = more
      .slice(-3)
      .map((/** @type {number[]} */ list) => list.map((range) => this.model.ranges[range]));
    const ranges = leftOut.reduce((left, {start, end}) => without(left, start, end), parent.ranges);
    /** @type {Space} */
    const child = {chunks: new Map(), ranges, users: 1, token: {}};
    this.spaces.set(childNumber, child);
    const policy = this.model.about.policy;
    const excluded = [...leftOut, ...wiped, ...notCopied].map(({start, end}) => [pageOf(start), pageOf(end)]);
    for (const key of parent.chunks.keys()) {
      const base = key * CHUNK;
      const here = excluded.filter(([first, last]) => first < base + CHUNK && last > base);
      const inherits = (/** @type {number} */ at) =>
        !here.some(([first, last]) => base + at >= first && base + at < last);
      if (policy === "eager") this.copyChunk(parent, child, key, inherits);
      else if (here.length) this.shareSome(parent, child, key, inherits);
      else this.shareChunk(parent, child, key, policy === "shared-tables");
    }
    parent.token = {};
  }

  /**
   * @param {Space} parent
   * @param {Space} child
   * @param {number} key
   * @param {(at: number) => boolean} inherits
   */
  copyChunk(parent, child, key, inherits) {
    const from = chunkAt(parent, key);
    const frames = from.frames.map((frame, at) => (isPrivate(from.kinds[at] & KIND) ? 0 : frame));
    child.chunks.set(key, {
      kinds: from.kinds.map((kind, at) => (inherits(at) ? kind & KIND : ABSENT)),
      frames,
      table: 0,
      huge: from.huge,
      owner: child.token,
    });
  }

  /**
   * Shares pages. A child that does not inherit all pages of a leaf table gets its own table.
   * @param {Space} parent
   * @param {Space} child
   * @param {number} key
   * @param {(at: number) => boolean} inherits
   */
  shareSome(parent, child, key, inherits) {
    const chunk = this.chunk(parent, key);
    const own = this.chunk(child, key);
    for (let at = 0; at < CHUNK; at++) {
      if (!chunk.kinds[at] || !inherits(at)) continue;
      if (isPrivate(chunk.kinds[at] & KIND)) chunk.kinds[at] |= COW;
      own.kinds[at] = chunk.kinds[at];
      own.frames[at] = chunk.frames[at];
      this.countFrame(own.kinds[at], own.frames[at], 1);
    }
    own.huge = chunk.huge;
  }

  /** @type {(parent: Space, child: Space, key: number, withTable: boolean) => void} */
  shareChunk(parent, child, key, withTable) {
    const chunk = this.chunk(parent, key);
    withTable = withTable && !chunk.huge;
    for (let at = 0; at < CHUNK; at++) {
      if (!isPrivate(chunk.kinds[at] & KIND)) continue;
      chunk.kinds[at] |= COW;
      if (!withTable) this.countFrame(chunk.kinds[at], chunk.frames[at], 1);
    }
    if (withTable) {
      if (!chunk.table) this.holders.set((chunk.table = this.nextTable++), 1);
      this.holders.set(chunk.table, this.holdersOf(chunk.table) + 1);
    }
    child.chunks.set(key, chunk);
  }

  /** @type {(process: number, number: number) => void} */
  exit(_process, number) {
    if (number >= 0) this.leave(number);
  }

  /** @type {(process: number, number: number, range: number) => void} */
  map(_process, number, range) {
    this.addRange(number, this.model.ranges[range]);
  }

  /** @type {(process: number, number: number, start: Exact, end: Exact) => void} */
  unmap(_process, number, start, end) {
    const space = this.space(number);
    space.ranges = without(space.ranges, Number(start), Number(end));
    this.clearPages(space, Number(start), Number(end));
  }

  /** @type {(process: number, number: number, start: Exact, end: Exact) => void} */
  clear(_process, number, start, end) {
    this.clearPages(this.space(number), Number(start), Number(end));
  }

  /** @type {(process: number, number: number, start: Exact, end: Exact, to: Exact) => void} */
  move(_process, number, start, end, to) {
    const space = this.space(number);
    const moved = [...pagesOf(space)].filter(([page]) => page >= pageOf(start) && page < pageOf(end));
    const whole = moved.map(([page]) => page / CHUNK).filter((key) => this.isHuge(space, key));
    for (const [page, kind, frame] of moved) {
      const target = page - pageOf(start) + pageOf(to);
      for (const key of [page, target].map((each) => Math.floor(each / CHUNK))) this.own(space, key);
      this.set(space, target, kind, frame);
      this.set(space, page, ABSENT, 0);
    }
    for (const key of whole) {
      this.setHuge(space, key, false);
      this.setHuge(space, key + (pageOf(to) - pageOf(start)) / CHUNK, true);
    }
    space.ranges = without(space.ranges, Number(start), Number(end));
  }
}
