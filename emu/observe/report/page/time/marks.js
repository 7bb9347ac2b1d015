/* Faults of a process in the visible range, as marks, or as columns where they are dense. */

/**
 * Returns the first index whose key is not less than `value`; keys are in ascending order.
 * @param {number} length
 * @param {(index: number) => number} at
 * @param {number} value
 */
function firstNotLess(length, at, value) {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at(middle) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Returns the visible part [first, last) of `faults`.
 * @param {number[]} faults
 * @param {(fault: number) => number} position
 * @param {Zoom} zoom
 */
function inView(faults, position, zoom) {
  const at = (/** @type {number} */ index) => position(faults[index]);
  return [firstNotLess(faults.length, at, zoom.from), firstNotLess(faults.length, at, zoom.to + 1e-9)];
}

/**
 * Counts faults by column of the chart, `width` columns in all, and by outcome.
 * @param {number[]} faults
 * @param {(fault: number) => number} position
 * @param {Zoom} zoom
 * @param {number} width
 * @param {number[]} outcome
 * @param {Set<number>} hidden
 */
function columns(faults, position, zoom, width, outcome, hidden) {
  const [first, last] = inView(faults, position, zoom);
  /** @type {Map<number, Bin>} */
  const bins = new Map();
  for (let index = first; index < last; index++) {
    const name = outcome[faults[index]];
    if (hidden.has(name)) continue;
    const x = Math.floor(((position(faults[index]) - zoom.from) / zoom.span) * width);
    let bin = bins.get(x);
    if (!bin) bins.set(x, (bin = {x, total: 0, outcomes: new Map(), first: faults[index]}));
    bin.total++;
    bin.outcomes.set(name, (bin.outcomes.get(name) ?? 0) + 1);
  }
  return [...bins.values()];
}
