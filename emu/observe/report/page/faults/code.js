/* Source lines and instructions around a place. */

/**
 * Shows the source around a fault's line, or around that of the nearest caller with a known line.
 * @param {Fault} fault
 */
function sourceOf(fault) {
  const place = [fault.place, ...fault.stack].find(({line}) => line);
  if (!place) return make("p", {class: "hint"}, "No source line is known for this instruction.");
  /** @type {Caller} */
  const innermost = {file: place.file, line: place.line, function: place.function};
  const shown = [innermost, ...place.inlined].filter(({file, line}) => file && line);
  const note =
    place === fault.place ? null : make("p", {class: "hint"}, "The nearest caller with a known line:");
  return make(
    "div",
    {},
    note,
    shown.map((each, at) => excerpt(each, at > 0)),
  );
}

/** @type {(place: Caller, caller: boolean) => HTMLElement} */
function excerpt({file, line, function: name}, caller) {
  const title = make(
    "p",
    {class: "mono"},
    `${caller ? "inlined into " : ""}${name ? `${name}, ` : ""}${file}:${line}`,
  );
  const lines = (app.model.sources.get(file) ?? []).filter(([number]) => Math.abs(number - line) <= 9);
  if (!lines.length) return make("div", {}, title, make("p", {class: "hint"}, "source not found"));
  return make(
    "div",
    {},
    title,
    listing(
      lines.map(([number, text]) => [String(number).padStart(5), text, number === line]),
      `Source of ${name}`,
    ),
  );
}

/** @param {Fault} fault */
function codeOf(fault) {
  const {place, code, instruction} = fault;
  if (fault.call) return make("p", {class: "hint"}, `A fault of the kernel, in ${fault.call}.`);
  /** @type {[Exact, string][]} */
  const rows = code.length ? code : [[place.pc, instruction]];
  const text = listing(
    rows.map(([address, words]) => [hex(address), words, address === place.pc]),
    "Instructions",
  );
  return code.length
    ? text
    : make(
        "div",
        {},
        text,
        make("p", {class: "hint"}, "The program's file was not found: only the instruction is known."),
      );
}

/**
 * Makes a listing of rows [margin, text, current].
 * @param {[string, string, boolean][]} rows
 * @param {string} label
 */
function listing(rows, label) {
  const spans = rows.map(([margin, text, here]) =>
    make(
      "span",
      {class: here ? "here" : null, "aria-current": here ? "true" : null},
      `${here ? "▶" : " "} ${margin}  ${text}`,
    ),
  );
  const block = make("pre", {tabindex: 0, role: "group", "aria-label": label}, spans);
  // Scroll the current line to the middle.
  requestAnimationFrame(() => {
    const here = /** @type {HTMLElement | null} */ (block.querySelector(".here"));
    if (here) block.scrollTop = here.offsetTop - block.offsetTop - block.clientHeight / 2;
  });
  return block;
}

/** @type {(places: Place[], label: string) => HTMLElement} */
function stackOf(places, label) {
  if (!places.length) return make("p", {class: "hint"}, "No callers are known.");
  return make(
    "ol",
    {class: "stack mono", "aria-label": label},
    places.map((place) => make("li", {}, placeText(place))),
  );
}
