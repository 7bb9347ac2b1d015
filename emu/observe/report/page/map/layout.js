/* Layout of the map: the position of each page of an address space.
 *
 * A range has a heading, and below it rows of cells. Long runs of untouched pages are folded. Positions
 * in a row are in units of one cell; a fold takes several. */

const HEADING = 20;
const GAP = 6;
const FOLD = 6;
const LEAST_FOLDED = 16;
const SIZES = [
  [1500, 16],
  [6000, 12],
  [40000, 8],
  [Infinity, 5],
];

class Layout {
  /**
   * @param {MappedRange[]} ranges
   * @param {ArrayLike<number>} touched pages that are never folded, in order
   * @param {number} width
   */
  constructor(ranges, touched, width) {
    this.size = (SIZES.find(([most]) => touched.length <= most) ?? SIZES[0])[1];
    this.perRow = Math.max(FOLD, Math.floor((width - 12) / this.size));
    /** @type {Block[]} */
    this.blocks = [];
    let top = 0;
    for (const range of ranges) {
      const block = this.block(range, touched, top);
      this.blocks.push(block);
      top = block.bottom + GAP;
    }
    this.height = top;
  }

  /**
   * @param {MappedRange} range
   * @param {ArrayLike<number>} touched
   * @param {number} top
   * @returns {Block}
   */
  block(range, touched, top) {
    const first = range.start / 4096;
    const end = range.end / 4096;
    /** @type {Segment[]} */
    const segments = [];
    let units = 0;
    /** @type {(kind: "cells" | "fold", start: number, pages: number) => void} */
    const add = (kind, start, pages) => {
      if (kind === "fold" && (units % this.perRow) + FOLD > this.perRow)
        units += this.perRow - (units % this.perRow);
      segments.push({kind, start, pages, at: units});
      units += kind === "fold" ? FOLD : pages;
    };
    for (const [start, stop, folded] of runs(first, end, touched))
      add(folded ? "fold" : "cells", start, stop - start);
    const rows = Math.ceil(units / this.perRow);
    return {range, top, cells: top + HEADING, bottom: top + HEADING + rows * this.size, segments};
  }

  /** @type {(block: Block, unit: number) => [x: number, y: number]} */
  position(block, unit) {
    return [6 + (unit % this.perRow) * this.size, block.cells + Math.floor(unit / this.perRow) * this.size];
  }

  /**
   * @param {number} page
   * @returns {CellPosition | null}
   */
  find(page) {
    for (const block of this.blocks) {
      if (page < block.range.start / 4096 || page >= block.range.end / 4096) continue;
      const segment = block.segments.find(({start, pages}) => page >= start && page < start + pages);
      if (segment)
        return {block, segment, unit: segment.at + (segment.kind === "fold" ? 0 : page - segment.start)};
    }
    return null;
  }

  /**
   * Returns the page at a point, or the first page of a fold; null where there is no page.
   * @param {number} x
   * @param {number} y
   */
  at(x, y) {
    const block = this.blocks.find((each) => y >= each.cells && y < each.bottom);
    const column = Math.floor((x - 6) / this.size);
    if (!block || column < 0 || column >= this.perRow) return null;
    const unit = Math.floor((y - block.cells) / this.size) * this.perRow + column;
    return this.pageOfUnit(block, unit);
  }

  /** @type {(block: Block, unit: number) => number | null} */
  pageOfUnit(block, unit) {
    for (const segment of block.segments) {
      const units = segment.kind === "fold" ? FOLD : segment.pages;
      if (unit >= segment.at && unit < segment.at + units)
        return segment.kind === "fold" ? segment.start : segment.start + unit - segment.at;
    }
    return null;
  }

  /**
   * Returns the page to which a key moves from `page`.
   * @param {number | null} page
   * @param {string} key
   */
  neighbour(page, key) {
    const here = page === null ? null : this.find(page);
    if (page === null || !here) return this.firstPage();
    if (key === "Home") return this.firstPage();
    if (key === "End") return this.lastPage();
    if (key === "ArrowLeft" || key === "ArrowRight")
      return this.beside(here, page, key === "ArrowRight" ? 1 : -1);
    const rows = ROW_KEYS[key] ?? 0;
    const [x, y] = this.position(here.block, here.unit);
    for (let row = rows; row !== 0; row -= Math.sign(rows)) {
      const found = this.at(x + 1, y + 1 + row * this.size);
      if (found !== null) return found;
    }
    return this.otherBlock(here.block, rows > 0 ? 1 : -1) ?? page;
  }

  /** @type {(here: CellPosition, page: number, step: number) => number} */
  beside({block, segment}, page, step) {
    const next =
      segment.kind === "fold" ? (step > 0 ? segment.start + segment.pages : segment.start - 1) : page + step;
    const found = this.find(next);
    if (found && found.block === block) return found.segment.kind === "fold" ? found.segment.start : next;
    return this.otherBlock(block, step) ?? page;
  }

  /** @type {(block: Block, step: number) => number | null} */
  otherBlock(block, step) {
    const other = this.blocks[this.blocks.indexOf(block) + step];
    if (!other) return null;
    return step > 0 ? other.range.start / 4096 : this.lastOf(other);
  }

  /** @param {Block} block */
  lastOf(block) {
    const segment = block.segments[block.segments.length - 1];
    return segment.kind === "fold" ? segment.start : segment.start + segment.pages - 1;
  }

  firstPage() {
    return this.blocks.length ? this.blocks[0].range.start / 4096 : null;
  }

  lastPage() {
    return this.blocks.length ? this.lastOf(this.blocks[this.blocks.length - 1]) : null;
  }
}

/** @type {Record<string, number>} */
const ROW_KEYS = {ArrowUp: -1, ArrowDown: 1, PageUp: -12, PageDown: 12};

/**
 * Divides a range into runs of pages: [start, end, folded].
 * @param {number} first
 * @param {number} end
 * @param {ArrayLike<number>} touched
 * @returns {Generator<[start: number, end: number, folded: boolean]>}
 */
function* runs(first, end, touched) {
  let at = first;
  let index = firstNotLess(touched.length, (each) => touched[each], first);
  let shownFrom = first;
  for (; index <= touched.length; index++) {
    const page = index < touched.length && touched[index] < end ? touched[index] : end;
    if (page - at >= LEAST_FOLDED) {
      if (at > shownFrom) yield [shownFrom, at, false];
      yield [at, page, true];
      shownFrom = page;
    }
    at = page + 1;
    if (page === end) break;
  }
  if (end > shownFrom) yield [shownFrom, end, false];
}

/** @type {Map<number, Set<number>>} */
const touchedCache = new Map();

/**
 * Returns the pages of a space that faulted at any moment, so that the layout is the same at all.
 * @param {number} number
 */
function touchedPages(number) {
  let pages = touchedCache.get(number);
  if (!pages) {
    const {faults} = app.model;
    const ancestors = new Set(ancestorsOf(number));
    pages = new Set(faults.stval.filter((_, fault) => ancestors.has(faults.space[fault])).map(pageOf));
    touchedCache.set(number, pages);
  }
  return pages;
}

/** @type {Map<number, number> | null} */
let parentSpaces = null;

/**
 * Returns a space and the spaces that it was forked from.
 * @param {number} number
 */
function ancestorsOf(number) {
  const forks = app.model.rows.fork.filter((row) => !row[4]);
  const parents = (parentSpaces ??= new Map(forks.map((row) => [row[3], row[2]])));
  /** @type {number[]} */
  const found = [];
  for (let at = /** @type {number | undefined} */ (number); at !== undefined; at = parents.get(at))
    found.push(at);
  return found;
}
