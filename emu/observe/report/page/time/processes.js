/* The process tree: a row for each process, with a chart of its memory. Only visible rows exist. */

const ROW = 28;
const CHART = 1000;

const ProcessTree = {
  order: /** @type {[process: number, depth: number][]} */ ([]),
  rank: /** @type {Map<number, number>} */ (new Map()),
  most: 1,
  box: byId("tree"),
  draw: () => {},

  start() {
    const {model} = app;
    this.most = Math.max(1, largest(model.processes.map((process) => largest(process.resident))));
    this.order = inTreeOrder(model);
    this.rank = new Map(this.order.map(([number], at) => [number, at]));
    this.box = byId("tree");
    this.draw = onceAFrame(() => this.paint());
    byId("tree-space").style.height = `${this.order.length * ROW}px`;
    this.box.onscroll = this.draw;
    this.box.onkeydown = (event) => this.key(event);
    this.box.onclick = (event) => this.click(event);
    new ResizeObserver(this.draw).observe(this.box);
    app.on("process", () => this.reveal());
    app.on("moment axis zoom process", this.draw);
    this.reveal();
  },

  paint() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW) - 2);
    const shown = this.order.slice(first, first + Math.ceil(this.box.clientHeight / ROW) + 4);
    const {from, span, length} = Timeline.zoom;
    const view = `${(from / length) * CHART} 0 ${(span / length) * CHART} 26`;
    byId("tree-rows").replaceChildren(
      ...shown.map(([number, depth], at) => this.row(app.model.processes[number], depth, first + at, view)),
    );
    this.box.setAttribute("aria-activedescendant", `process-${app.process}`);
  },

  /** @type {(process: Process, depth: number, at: number, view: string) => HTMLElement} */
  row(process, depth, at, view) {
    const x = (app.now / Math.max(1, app.axisLength)) * CHART;
    const now = makeSvg("line", {class: "now", x1: x, x2: x, y1: 0, y2: 26});
    const svg = makeSvg(
      "svg",
      {viewBox: view, preserveAspectRatio: "none", "aria-hidden": "true"},
      chartParts(process, this.most),
      now,
    );
    const who = make(
      "span",
      {class: "who", style: `padding-left:${Math.min(depth - 1, 8) * 12}px`},
      `${process.pid} ${baseName(process.program) || "?"} `,
      make("small", {}, process.status ? `status ${process.status}` : ""),
    );
    return make(
      "div",
      {
        class: "process",
        role: "treeitem",
        id: `process-${process.number}`,
        "data-at": at,
        style: `top:${at * ROW}px`,
        "aria-level": depth,
        "aria-posinset": at + 1,
        "aria-setsize": this.order.length,
        "aria-selected": String(process.number === app.process),
        "aria-label": describeProcess(process),
        title: describeProcess(process),
      },
      who,
      svg,
    );
  },

  reveal() {
    const top = (this.rank.get(app.process) ?? 0) * ROW;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + ROW > this.box.scrollTop + this.box.clientHeight)
      this.box.scrollTop = top + ROW - this.box.clientHeight;
    this.draw();
  },

  /** @param {MouseEvent} event */
  click(event) {
    const row = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest(".process"));
    if (row) app.chooseWithRelative(this.order[Number(row.dataset.at)][0]);
  },

  /** @param {KeyboardEvent} event */
  key(event) {
    const at = this.rank.get(app.process) ?? 0;
    /** @type {Record<string, number>} */
    const target = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      Home: 0,
      End: this.order.length - 1,
      PageDown: at + 8,
      PageUp: at - 8,
    };
    const to = target[event.key];
    if (to === undefined) return;
    event.preventDefault();
    app.choose(this.order[Math.max(0, Math.min(to, this.order.length - 1))][0]);
  },
};

/**
 * Returns [process, depth] of all processes, each before its children. Not recursive: chains of
 * forks may be long.
 * @param {Model} model
 */
function inTreeOrder(model) {
  /** @type {[process: number, depth: number][]} */
  const order = [];
  /** @type {[process: number, depth: number][]} */
  const waiting = [];
  for (const process of model.processes) if (!model.parentOf(process)) waiting.unshift([process.number, 1]);
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [number, depth] = next;
    order.push([number, depth]);
    for (const child of [...model.processes[number].children].reverse()) waiting.push([child, depth + 1]);
  }
  return order;
}

/** @param {Process} process */
function describeProcess(process) {
  const most = largest(process.resident);
  const parent = app.model.parentOf(process);
  return [
    `pid ${process.pid}, ${process.program || "program unknown"}`,
    parent ? `child of ${parent.pid}` : null,
    `from ${nanoseconds(process.began)}`,
    process.ended === null ? null : `to ${nanoseconds(process.ended)}, status ${process.status}`,
    most ? `at most ${plural(most, "page")} resident (${bytes(most)})` : "no sample of its memory",
    plural(app.model.faultsOf[process.number].length, "fault"),
  ]
    .filter(Boolean)
    .join(", ");
}

/**
 * Draws the lifetime as a line, and memory as areas above it.
 * @param {Process} process
 * @param {number} most
 */
function chartParts(process, most) {
  const x = (/** @type {number} */ time) => (app.ofTime(time) / Math.max(1, app.axisLength)) * CHART;
  const y = (/** @type {number} */ pages) => 23 - (pages / most) * 21;
  const end = process.ended ?? app.model.end;
  const width = (Timeline.zoom.span / Timeline.zoom.length) * CHART;
  const life = makeSvg("rect", {
    class: "life",
    x: x(process.began),
    y: 23,
    width: Math.max(width / 250, x(end) - x(process.began)),
    height: 2,
  });
  if (!process.sampled.length) return [life];
  const at = process.sampled.map(x);
  const line = (/** @type {number[]} */ values) => {
    const points = values.map(
      (value, index) =>
        `${index ? "H" : "M"}${at[index].toFixed(2)}${index ? "V" : " "}${y(value).toFixed(1)}`,
    );
    return `${points.join("")}H${x(end).toFixed(2)}`;
  };
  const area = (/** @type {number[]} */ values) => `${line(values)}V23H${at[0].toFixed(2)}Z`;
  return [
    makeSvg("path", {class: "resident", d: area(process.resident)}),
    makeSvg("path", {class: "unique", d: area(process.unique)}),
    makeSvg("path", {class: "proportional", d: line(process.proportional)}),
    life,
  ];
}
