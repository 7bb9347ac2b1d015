/* Elements. Text of the run goes in as text alone, never as markup. */

const byId = (id) => document.getElementById(id);

/** An element with properties, such as {class: "x", onclick: f}, and children: text or elements. */
function make(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

function makeSvg(tag, properties = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined));
  return element;
}

/** A table. A column is {head, number, mono, free}; a cell is text or an element. */
function makeTable(caption, columns, rows) {
  const style = (column) =>
    [column.number && "number", column.mono && "mono", column.free && "free"].filter(Boolean).join(" ") ||
    null;
  const head = columns.map((column) =>
    make("th", {scope: "col", class: column.number ? "number" : null}, column.head),
  );
  const body = rows.map((row) =>
    make(
      "tr",
      {},
      row.map((cell, at) => make("td", {class: style(columns[at])}, cell)),
    ),
  );
  return make(
    "table",
    {},
    caption ? make("caption", {}, caption) : null,
    make("thead", {}, make("tr", {}, head)),
    make("tbody", {}, body),
  );
}

function options(select, pairs, chosen) {
  select.replaceChildren(...pairs.map(([value, text]) => make("option", {value: String(value)}, text)));
  select.value = String(chosen);
}

/** A canvas that fills its scrolling box at the screen's own resolution; returns its context. */
function fitCanvas(canvas, box) {
  const ratio = window.devicePixelRatio || 1;
  const width = box.clientWidth;
  const height = box.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return {context, width, height};
}

/** `draw` at the next frame, once however often it was asked for. */
function onceAFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}
