/* DOM elements. Text of the run is added as text, never as markup. */

/**
 * @template {string} Id
 * @param {Id} id
 * @returns {ElementOf<Id>}
 */
const byId = (id) => /** @type {any} */ (document.getElementById(id));

/**
 * Makes an element with properties, such as {class: "x", onclick: f}, and children.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} properties
 * @param {Child[]} children
 */
function make(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** @type {(tag: string, properties?: Properties, ...children: Child[]) => Element} */
function makeSvg(tag, properties = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {Properties} properties
 * @param {Child[]} children
 */
function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") /** @type {any} */ (element)[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  const parts = /** @type {(Node | string | null | undefined)[]} */ (children.flat(9));
  element.append(...parts.filter((child) => child !== null && child !== undefined));
  return element;
}

/**
 * Makes a table; `free` columns may wrap.
 * @param {string} caption
 * @param {Column[]} columns
 * @param {Child[][]} rows
 */
function makeTable(caption, columns, rows) {
  const style = (/** @type {Column} */ column) =>
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

/**
 * Sets the options of a select element.
 * @param {HTMLSelectElement} select
 * @param {[number, string][]} pairs
 * @param {number} chosen
 */
function options(select, pairs, chosen) {
  select.replaceChildren(...pairs.map(([value, text]) => make("option", {value: String(value)}, text)));
  select.value = String(chosen);
}

/**
 * Fits a canvas to its scrolling box at the resolution of the screen.
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLElement} box
 */
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
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return {context, width, height};
}

/**
 * Returns a function that schedules `draw` for the next frame, once for any number of calls.
 * @param {() => void} draw
 */
function onceAFrame(draw) {
  let scheduled = false;
  return () => {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      draw();
    });
  };
}
