/* Drawing of the visible part of a map. */

const HUGE_LABEL = "2 MiB";

/**
 * Draws a view of a space, with the page under the cursor and the page of the current step.
 * @param {CanvasRenderingContext2D} context
 * @param {MapView} look
 * @param {number} scroll
 * @param {number} width
 * @param {number} height
 */
function drawCells(context, look, scroll, width, height) {
  context.textBaseline = "middle";
  for (const block of look.layout.blocks) {
    if (block.bottom < scroll || block.top > scroll + height) continue;
    heading(context, block, block.top - scroll, width);
    for (const segment of block.segments) {
      if (segment.kind === "fold") fold(context, look, block, segment, scroll);
      else cellsOf(context, look, block, segment, scroll, height);
    }
  }
  if (look.marked !== null) outline(context, look, look.marked, scroll, app.colours.text, 2);
  if (look.cursor !== null) outline(context, look, look.cursor, scroll, app.colours.accent, 3);
}

/** @type {(context: CanvasRenderingContext2D, block: Block, y: number, width: number) => void} */
function heading(context, {range}, y, width) {
  const {colours} = app;
  context.font = '12px "DejaVu Sans Mono", ui-monospace, monospace';
  context.fillStyle = colours.text;
  const text = `${hex(range.start)} ${range.rights}`;
  context.fillText(text, 6, y + HEADING / 2 + 1);
  const used = 6 + context.measureText(text).width + 10;
  context.fillStyle = colours.faint;
  const name = range.name ? baseName(range.name) : "anonymous";
  const pages = (range.end - range.start) / 4096;
  const forms = [`${name} · ${plural(pages, "page")}`, `${name} · ${count(pages)}`, name];
  const room = width - used - 4;
  const form = forms.find((each) => context.measureText(each).width <= room) ?? name;
  context.save();
  context.beginPath();
  context.rect(used, y, room, HEADING);
  context.clip();
  context.fillText(form, used, y + HEADING / 2 + 1);
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {MapView} look
 * @param {Block} block
 * @param {Segment} segment
 * @param {number} scroll
 */
function fold(context, {layout}, block, segment, scroll) {
  const [x, y] = layout.position(block, segment.at);
  const {size} = layout;
  if (size < 8) return;
  context.fillStyle = app.colours.faint;
  context.font = `${Math.min(11, size)}px "DejaVu Sans", sans-serif`;
  context.textAlign = "center";
  context.fillText(
    `⋯${short(segment.pages)}⋯`,
    x + (FOLD * size) / 2,
    y - scroll + size / 2,
    FOLD * size - 2,
  );
  context.textAlign = "start";
}

/** @param {number} n */
const short = (n) => (n < 1e4 ? String(n) : n < 1e6 ? `${Math.round(n / 1e3)}k` : `${Math.round(n / 1e6)}M`);

/**
 * @param {CanvasRenderingContext2D} context
 * @param {MapView} look
 * @param {Block} block
 * @param {Segment} segment
 * @param {number} scroll
 * @param {number} height
 */
function cellsOf(context, {layout, space}, block, segment, scroll, height) {
  const {size, perRow} = layout;
  const rowOf = (/** @type {number} */ y) => Math.floor((y + scroll - block.cells) / size);
  const from = Math.max(segment.at, rowOf(0) * perRow);
  const to = Math.min(segment.at + segment.pages, (rowOf(height) + 1) * perRow);
  for (let unit = from; unit < to; unit++) {
    const [x, y] = layout.position(block, unit);
    const page = segment.start + unit - segment.at;
    const state = app.replay.state(space, page);
    if (app.replay.isHuge(space, Math.floor(page / CHUNK)))
      hugeCell(context, state, page % CHUNK, x, y - scroll, size);
    else cell(context, state, x, y - scroll, size);
  }
}

/**
 * Draws a page of a huge page: its cells join to one area, with a letter for all at its start.
 * @param {CanvasRenderingContext2D} context
 * @param {number} state
 * @param {number} at
 * @param {number} x
 * @param {number} y
 * @param {number} size
 */
function hugeCell(context, state, at, x, y, size) {
  const {letter, colour} = STATES[state];
  if (!colour) return;
  context.fillStyle = app.colours[colour];
  context.fillRect(x, y, at === CHUNK - 1 ? size - 1 : size, size);
  if (size < 8 || at >= HUGE_LABEL.length + 2) return;
  context.fillStyle = app.colours.on;
  context.font = `bold ${Math.min(11, size)}px "DejaVu Sans Mono", monospace`;
  context.textAlign = "center";
  context.fillText(`${letter} ${HUGE_LABEL}`[at], x + size / 2, y + size / 2 + 0.5);
  context.textAlign = "start";
}

/** @type {(context: CanvasRenderingContext2D, state: number, x: number, y: number, size: number) => void} */
function cell(context, state, x, y, size) {
  const {letter, colour} = STATES[state];
  const side = size - 1;
  if (!colour) {
    context.strokeStyle = app.colours.line;
    context.lineWidth = 1;
    context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
    return;
  }
  context.fillStyle = app.colours[colour];
  context.fillRect(x, y, side, side);
  if (size < 12) return;
  context.fillStyle = app.colours.on;
  context.font = `bold ${size - 5}px "DejaVu Sans Mono", monospace`;
  context.textAlign = "center";
  context.fillText(letter, x + side / 2, y + side / 2 + 0.5);
  context.textAlign = "start";
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {MapView} look
 * @param {number} page
 * @param {number} scroll
 * @param {string} colour
 * @param {number} width
 */
function outline(context, {layout}, page, scroll, colour, width) {
  const found = layout.find(page);
  if (!found) return;
  const [x, y] = layout.position(found.block, found.unit);
  const units = found.segment.kind === "fold" ? FOLD : 1;
  context.strokeStyle = app.colours.ground;
  context.lineWidth = width + 2;
  context.strokeRect(x - 1, y - scroll - 1, units * layout.size + 1, layout.size + 1);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.strokeRect(x - 1, y - scroll - 1, units * layout.size + 1, layout.size + 1);
}
