/* The current moment: a slider over all steps, and buttons that go to forks. */

const Scrubber = {
  start() {
    const {model} = app;
    const slider = byId("moment");
    slider.max = String(model.stepCount);
    slider.oninput = () => app.goTo(Number(slider.value));
    byId("step-previous").onclick = () => app.goTo(app.moment - 1);
    byId("step-next").onclick = () => app.goTo(app.moment + 1);
    byId("fork-previous").onclick = () => this.toFork(-1);
    byId("fork-next").onclick = () => this.toFork(1);
    byId("fork-before").onclick = () => this.beforeOrAfter(0);
    byId("fork-after").onclick = () => this.beforeOrAfter(1);
    for (const id of /** @type {const} */ (["fork-previous", "fork-next", "fork-before", "fork-after"]))
      byId(id).disabled = !model.forkSteps.length;
    app.on("moment", () => this.show());
  },

  /** Returns the step of the fork shown, or of the last fork before the moment. */
  fork() {
    const {forkSteps} = app.model;
    const at = forkSteps.indexOf(app.moment);
    if (at >= 0) return forkSteps[at];
    const before = firstNotLess(forkSteps.length, (index) => forkSteps[index], app.moment);
    return forkSteps[Math.max(0, before - 1)];
  },

  /** @param {number} direction */
  toFork(direction) {
    const {forkSteps} = app.model;
    if (direction > 0) {
      const next = forkSteps[firstNotLess(forkSteps.length, (index) => forkSteps[index], app.moment)];
      if (next !== undefined) this.showFork(next, 1);
      return;
    }
    const before = firstNotLess(forkSteps.length, (index) => forkSteps[index], app.moment) - 1;
    if (before >= 0) this.showFork(forkSteps[before], 0);
  },

  /** @param {number} after */
  beforeOrAfter(after) {
    this.showFork(this.fork(), after);
  },

  /**
   * Shows the parent's memory before a fork, or after it beside the child's.
   * @param {number} step
   * @param {number} after
   */
  showFork(step, after) {
    const [parent, child] = app.model.stepRow(step);
    app.choose(parent, child);
    app.goTo(step + after);
  },

  text() {
    const {model, moment} = app;
    if (!moment) return `Before the first of ${count(model.stepCount)} events`;
    const time = nanoseconds(model.steps.time[moment - 1]);
    return `${count(moment)} of ${count(model.stepCount)} · ${time} · ${stepText(moment - 1)}`;
  },

  show() {
    const {model, moment} = app;
    const slider = byId("moment");
    slider.value = String(moment);
    const text = this.text();
    byId("moment-text").textContent = byId("moment-text").title = text;
    slider.setAttribute("aria-valuetext", text);
    byId("fork-before").setAttribute("aria-pressed", String(model.forkSteps.includes(moment)));
    byId("fork-after").setAttribute(
      "aria-pressed",
      String(moment > 0 && model.stepKind(moment - 1) === "fork"),
    );
  },
};

/**
 * Describes a step in one line.
 * @param {number} step
 */
function stepText(step) {
  const {model} = app;
  const kind = model.stepKind(step);
  if (kind === "fault") return summaryOf(model.steps.row[step]);
  const row = model.stepRow(step);
  const pid = `pid ${model.processes[row[0]].pid}`;
  const span = () => `${hex(row[2])}–${hex(row[3])}`;
  switch (kind) {
    case "exec":
      return `${pid}: exec ${model.strings[row[4]]}`;
    case "fork":
      return forkText(pid, row);
    case "exit":
      return `${pid}: exit, status ${row[2]}`;
    case "map": {
      const range = model.ranges[row[2]];
      return `${pid}: mapped ${hex(range.start)}–${hex(range.end)} ${range.rights} ${range.name}`;
    }
    case "unmap":
      return `${pid}: unmapped ${span()}`;
    case "clear":
      return `${pid}: released the pages of ${span()}`;
    case "page_size":
      return `${pid}: ${row[3] ? "pages became a huge page" : "huge page split"} at ${hex(row[2])}`;
    default:
      return `${pid}: ${span()} moved to ${hex(row[4])}`;
  }
}

/**
 * @param {string} pid
 * @param {StepRow} row
 */
function forkText(pid, [, child, , , borrowed, pages, tables, copied]) {
  const who = `${pid}: ${borrowed ? "vfork" : "fork"}, child pid ${app.model.processes[child].pid}`;
  if (borrowed) return `${who} shares its memory`;
  const parts = [
    `${plural(pages, "page")} shared`,
    tables ? `in ${plural(tables, "shared table")}` : null,
    copied ? `${count(copied)} copied by fork` : null,
  ];
  return `${who}, ${parts.filter(Boolean).join(", ")}`;
}
