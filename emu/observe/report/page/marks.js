/* Which faults of a process are in view, and what is drawn for them: marks, or columns when dense. */

/** The first index at or after `from` whose key is not less than `value`; `at` gives an index's key. */
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

/** Faults of a process in view: [first, last) of `faults`. */
function inView(faults, position, zoom) {
  const at = (index) => position(faults[index]);
  return [firstNotLess(faults.length, at, zoom.from), firstNotLess(faults.length, at, zoom.to + 1e-9)];
}

/** Columns of `width` pixels: for each that has faults, how many of each outcome. */
function columns(faults, position, zoom, width, outcome, hidden) {
  const [first, last] = inView(faults, position, zoom);
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
