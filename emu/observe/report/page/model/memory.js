/* The memory of all processes: address spaces with their pages, frames and shared leaf tables.
 *
 * Pages are stored in chunks of 512, the size of a leaf table. A chunk is copied when a space that
 * does not own it changes it, so that forks and snapshots cost little. Frames of private pages are
 * counted, to distinguish a page still shared by fork from one whose other users have exited; so are
 * the users of shared leaf tables. */

const COW = 16;
const KIND = 15;
const CHUNK = 512;
const isPrivate = (/** @type {number} */ kind) => kind >= PRIVATE && kind <= COPIED;

class Memory {
  constructor() {
    /** @type {Map<number, number>} */
    this.frameNumbers = new Map();
    /** @type {Map<number, Space>} */
    this.spaces = new Map();
    this.frames = new Int32Array(1024);
    /** @type {Map<number, number>} */
    this.holders = new Map();
    this.nextTable = 1;
  }

  /** @param {number} number */
  space(number) {
    let space = this.spaces.get(number);
    if (!space) this.spaces.set(number, (space = {chunks: new Map(), ranges: [], users: 1, token: {}}));
    return space;
  }

  /**
   * Returns the chunk of table number `key` for modification.
   * @param {Space} space
   * @param {number} key
   * @returns {Chunk}
   */
  chunk(space, key) {
    let chunk = space.chunks.get(key);
    if (chunk && chunk.owner === space.token) return chunk;
    chunk = chunk
      ? {...chunk, kinds: chunk.kinds.slice(), frames: chunk.frames.slice(), owner: space.token}
      : {
          kinds: new Uint8Array(CHUNK),
          frames: new Int32Array(CHUNK),
          table: 0,
          huge: false,
          owner: space.token,
        };
    space.chunks.set(key, chunk);
    return chunk;
  }

  /**
   * Returns a small number for a frame; 0 stands for a frame that cannot be shared.
   * @param {number} number
   */
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

  /** @type {(kind: number, frame: number, change: number) => void} */
  countFrame(kind, frame, change) {
    if (frame && isPrivate(kind & KIND)) this.frames[frame] += change;
  }

  /** @type {(space: Space, page: number, kind: number, frame: number) => void} */
  set(space, page, kind, frame) {
    const chunk = this.chunk(space, Math.floor(page / CHUNK));
    const at = page % CHUNK;
    this.countFrame(chunk.kinds[at], chunk.frames[at], -1);
    this.countFrame(kind, frame, 1);
    chunk.kinds[at] = kind;
    chunk.frames[at] = frame;
  }

  /**
   * Sets whether the pages of table number `key` are those of one huge page.
   * @type {(space: Space, key: number, huge: boolean) => void}
   */
  setHuge(space, key, huge) {
    if (this.isHuge(space, key) !== huge) this.chunk(space, key).huge = huge;
  }

  /** @type {(space: Space, key: number) => boolean} */
  isHuge(space, key) {
    return space.chunks.get(key)?.huge ?? false;
  }

  /**
   * Unshares a leaf table, as the kernel does before it changes one.
   * @param {Space} space
   * @param {number} key
   */
  own(space, key) {
    const table = space.chunks.get(key)?.table;
    if (!table) return;
    const chunk = this.chunk(space, key);
    chunk.table = 0;
    if (this.leaveTable(table)) chunk.kinds.forEach((kind, at) => this.countFrame(kind, chunk.frames[at], 1));
  }

  /** @param {number} table */
  holdersOf(table) {
    return this.holders.get(table) ?? 0;
  }

  /**
   * Removes a user of a table; returns true if others still use it.
   * @param {number} table
   */
  leaveTable(table) {
    const left = this.holdersOf(table) - 1;
    this.holders.set(table, left);
    return left > 0;
  }

  /** @param {number} number */
  leave(number) {
    const space = this.spaces.get(number);
    if (!space || --space.users > 0) return;
    for (const key of space.chunks.keys()) this.drop(space, key);
    this.spaces.delete(number);
  }

  /**
   * Releases a leaf table and its pages.
   * @param {Space} space
   * @param {number} key
   */
  drop(space, key) {
    const chunk = chunkAt(space, key);
    space.chunks.delete(key);
    if (chunk.table && this.leaveTable(chunk.table)) return;
    chunk.kinds.forEach((kind, at) => this.countFrame(kind, chunk.frames[at], -1));
  }

  /** @type {(space: Space, start: number, end: number) => void} */
  clearPages(space, start, end) {
    const first = pageOf(start);
    const last = pageOf(end);
    for (const key of [...space.chunks.keys()]) {
      const base = key * CHUNK;
      if (base >= last || base + CHUNK <= first) continue;
      const from = Math.max(0, first - base);
      const to = Math.min(CHUNK, last - base);
      const {kinds, table} = chunkAt(space, key);
      if (!kinds.some((kind, at) => kind && (at < from || at >= to))) {
        this.drop(space, key);
        continue;
      }
      if (table) this.own(space, key);
      for (let at = from; at < to; at++) if (kinds[at]) this.set(space, base + at, ABSENT, 0);
    }
  }

  /** @type {(number: number, range: MappedRange) => void} */
  addRange(number, range) {
    if (!(range.start < range.end)) return; // only in a damaged trace
    const space = this.space(number);
    const ranges = without(space.ranges, range.start, range.end);
    const at = ranges.findIndex((other) => other.start > range.start);
    ranges.splice(at < 0 ? ranges.length : at, 0, range);
    space.ranges = joined(ranges);
  }

  /**
   * Returns the state of a page as the map shows it.
   * @param {Space} space
   * @param {number} page
   */
  state(space, page) {
    const chunk = space.chunks.get(Math.floor(page / CHUNK));
    const kind = chunk ? chunk.kinds[page % CHUNK] : ABSENT;
    if (!chunk || !kind) return ABSENT;
    if (chunk.table && this.holdersOf(chunk.table) > 1) return TABLE;
    if (!isPrivate(kind & KIND)) return kind & KIND;
    if (this.frames[chunk.frames[page % CHUNK]] > 1) return SHARED;
    return kind & COW ? ALONE : kind & KIND;
  }

  /**
   * Returns the number of pages of a space in each state.
   * @param {Space} space
   */
  census(space) {
    const counts = STATES.map(() => 0);
    for (const [page] of pagesOf(space)) counts[this.state(space, page)]++;
    return counts;
  }
}

/**
 * Returns the chunk of a table that exists.
 * @param {Space} space
 * @param {number} key
 */
function chunkAt(space, key) {
  return /** @type {Chunk} */ (space.chunks.get(key));
}

/**
 * Yields [page, kind, frame] of each page in memory.
 * @param {Space} space
 */
function* pagesOf(space) {
  for (const [key, chunk] of space.chunks) {
    for (let at = 0; at < CHUNK; at++)
      if (chunk.kinds[at]) yield [key * CHUNK + at, chunk.kinds[at], chunk.frames[at]];
  }
}

/**
 * Removes [start, end) from ranges.
 * @param {MappedRange[]} ranges
 * @param {number} start
 * @param {number} end
 */
function without(ranges, start, end) {
  return ranges.flatMap((range) => {
    if (range.end <= start || range.start >= end) return [range];
    const parts = [];
    if (range.start < start) parts.push({...range, end: start});
    if (range.end > end) parts.push({...range, start: end});
    return parts;
  });
}

/**
 * Joins adjacent ranges with the same rights and name.
 * @param {MappedRange[]} ranges
 */
function joined(ranges) {
  /** @type {MappedRange[]} */
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
