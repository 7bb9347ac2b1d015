/* Source text and instructions around a place. */

/** The lines around a fault's line, or that of the nearest caller with one; says so when there is none. */
function sourceOf(fault) {
  const place = [fault.place, ...fault.stack].find(({line}) => line);
  if (!place) return make("p", {class: "hint"}, "No source line is known for this instruction.");
  const innermost = {file: place.file, line: place.line, function: place.function};
  const shown = [innermost, ...place.inlined].filter(({file, line}) => file && line);
  const note =
    place === fault.place ? null : make("p", {class: "hint"}, "The line of the nearest caller that has one:");
  return make(
    "div",
    {},
    note,
    shown.map((each, at) => excerpt(each, at > 0)),
  );
}

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

function codeOf(fault) {
  const {place, code, instruction} = fault;
  if (fault.call) return make("p", {class: "hint"}, `The kernel met this fault itself, in ${fault.call}.`);
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
        make("p", {class: "hint"}, "The program's file was not found: just the instruction is known."),
      );
}

/** Rows of [margin, text, whether it is the one]. */
function listing(rows, label) {
  const spans = rows.map(([margin, text, here]) =>
    make(
      "span",
      {class: here ? "here" : null, "aria-current": here ? "true" : null},
      `${here ? "▶" : " "} ${margin}  ${text}`,
    ),
  );
  const block = make("pre", {tabindex: 0, role: "group", "aria-label": label}, spans);
  // The line itself is in the middle of what is shown.
  requestAnimationFrame(() => {
    const here = block.querySelector(".here");
    if (here) block.scrollTop = here.offsetTop - block.offsetTop - block.clientHeight / 2;
  });
  return block;
}

function stackOf(places, label) {
  if (!places.length) return make("p", {class: "hint"}, "No callers are known.");
  return make(
    "ol",
    {class: "stack mono", "aria-label": label},
    places.map((place) => make("li", {}, placeText(place))),
  );
}
