/* The process tree: a row for each, with its memory over its life. One row has the keyboard. */

const ProcessTree = {
  rows: [],
  chartWidth: 1000,

  start() {
    const {model} = app;
    const most = Math.max(1, largest(model.processes.map((process) => largest(process.resident))));
    const roots = model.processes.filter((process) => !model.processes[process.parent]);
    const order = [];
    const waiting = roots.map((process) => [process.number, 1]).reverse();
    while (waiting.length) {
      const [number, depth] = waiting.pop();
      order.push([number, depth]);
      for (const child of [...model.processes[number].children].reverse()) waiting.push([child, depth + 1]);
    }
    this.rows = order.map(([number, depth]) => this.row(model.processes[number], depth, most));
    byId("tree").append(...this.rows.map((row) => row.element));
    byId("tree").onkeydown = (event) => this.key(event);
    app.on("process", () => this.select());
    app.on("moment", () => this.showMoment());
    this.select();
  },

  row(process, depth, most) {
    const now = makeSvg("line", {class: "now", y1: 0, y2: 26});
    const svg = makeSvg("svg", {viewBox: `0 0 ${this.chartWidth} 26`, preserveAspectRatio: "none", "aria-hidden": "true"}, chartParts(process, most), now);
    const who = make("span", {class: "who", style: `padding-left:${Math.min(depth - 1, 8) * 12}px`}, this.text(process), " ", make("small", {}, endText(process)));
    const element = make("div", {class: "process", role: "treeitem", tabindex: -1, "aria-level": depth, "aria-label": describeProcess(process), title: describeProcess(process)}, who, svg);
    element.onclick = () => app.choose(process.number);
    return {element, number: process.number, now};
  },

  text(process) {
    return `${process.pid} ${baseName(process.program) || "?"}`;
  },

  select() {
    for (const {element, number} of this.rows) {
      const chosen = number === app.process;
      element.setAttribute("aria-selected", String(chosen));
      element.tabIndex = chosen ? 0 : -1;
      if (chosen) scrollWithin(byId("tree"), element);
    }
  },

  showMoment() {
    const x = (momentTime() / Math.max(1, app.model.end)) * this.chartWidth;
    for (const {now} of this.rows) {
      now.setAttribute("x1", x);
      now.setAttribute("x2", x);
    }
  },

  key(event) {
    const at = this.rows.findIndex((row) => row.number === app.process);
    const to = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: this.rows.length - 1, PageDown: at + 10, PageUp: at - 10}[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const row = this.rows[Math.max(0, Math.min(to, this.rows.length - 1))];
    app.choose(row.number);
    row.element.focus({preventScroll: true});
  },
};

/** The time of the last step that has been done. */
const momentTime = () => (app.moment ? app.model.steps.time[app.moment - 1] : 0);

/** Scrolls a box to show a child, and leaves the page where it is. */
function scrollWithin(box, child) {
  const top = child.offsetTop - box.offsetTop;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + child.offsetHeight > box.scrollTop + box.clientHeight) box.scrollTop = top + child.offsetHeight - box.clientHeight;
}

function endText(process) {
  if (process.status === null) return "";
  return process.status === 0 ? "" : `status ${process.status}`;
}

function describeProcess(process) {
  const most = largest(process.resident);
  const parent = app.model.processes[process.parent];
  return [
    `pid ${process.pid}, ${process.program || "program unknown"}`,
    parent ? `child of ${parent.pid}` : null,
    `from ${nanoseconds(process.began)}${process.ended === null ? "" : ` to ${nanoseconds(process.ended)}, status ${process.status}`}`,
    most ? `at most ${plural(most, "page")} resident (${bytes(most)})` : null,
    plural(app.model.faultsOf[process.number].length, "fault"),
  ].filter(Boolean).join(", ");
}

/** Life as a line; memory as areas above it. */
function chartParts(process, most) {
  const x = (time) => (time / Math.max(1, app.model.end)) * ProcessTree.chartWidth;
  const y = (pages) => 24 - (pages / most) * 22;
  const end = process.ended ?? app.model.end;
  const life = makeSvg("rect", {class: "life", x: x(process.began), y: 23.5, width: Math.max(2, x(end) - x(process.began)), height: 1});
  if (!process.sampled.length) return [life];
  const line = (values) => {
    const points = values.map((value, at) => [x(process.sampled[at]), y(value)]);
    return points.map(([px, py], at) => `${at ? `H${px.toFixed(1)}V${py.toFixed(1)}` : `M${px.toFixed(1)} ${py.toFixed(1)}`}`).join("") + `H${x(end).toFixed(1)}`;
  };
  const area = (values) => `${line(values)}V24H${x(process.sampled[0]).toFixed(1)}Z`;
  return [
    makeSvg("path", {class: "resident", d: area(process.resident)}),
    makeSvg("path", {class: "unique", d: area(process.unique)}),
    makeSvg("path", {class: "proportional", d: line(process.proportional)}),
    life,
  ];
}
