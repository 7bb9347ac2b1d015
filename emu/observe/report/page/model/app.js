/* State of the view. Parts of the page change it here, and listen to its events. */

const app = {
  model: /** @type {Model} */ (/** @type {unknown} */ (null)), // set before the parts start
  history: /** @type {RunHistory} */ (/** @type {unknown} */ (null)),
  ready: false,
  owners: /** @type {Owners | null} */ (null),
  moment: 0,
  process: 0,
  beside: -1,
  fault: -1,
  page: /** @type {{space: number, page: number} | null} */ (null),
  colours: /** @type {Record<string, string>} */ ({}),
  axis: "order",
  listeners: /** @type {Record<string, (() => void)[]>} */ ({}),

  /** @type {(names: string, listener: () => void) => void} */
  on(names, listener) {
    for (const name of names.split(" ")) (this.listeners[name] ??= []).push(listener);
  },

  /** @param {string} name */
  emit(name) {
    for (const listener of this.listeners[name] ?? []) listener();
  },

  get replay() {
    return this.history.replay;
  },

  /**
   * Shows the memory after the first `moment` steps; the last of these is the current step.
   * @param {number} moment
   */
  goTo(moment) {
    this.moment = Math.max(0, Math.min(moment, this.model.stepCount));
    this.history.seek(this.moment);
    this.emit("moment");
  },

  /** @param {number} process */
  choose(process, beside = -1) {
    if (process === this.process && beside === this.beside) return;
    this.process = process;
    this.beside = beside === process ? -1 : beside;
    this.emit("process");
  },

  /**
   * Shows a process, and beside it a relative that is already shown, or one of `others`.
   * @param {number} process
   * @param {number[]} others
   */
  chooseWithRelative(process, others = []) {
    const shown = [this.process, this.beside].filter((each) => each >= 0);
    if (shown.includes(process) && shown.every((each) => livesNow(each))) return;
    const {parent, children} = this.model.processes[process];
    const relatives = shown.filter((other) => other === parent || children.includes(other));
    const beside = [...relatives, ...others].find((other) => other !== process && livesNow(other));
    this.choose(process, beside ?? -1);
  },

  /**
   * Opens a fault, at the moment after it was handled.
   * @param {number} fault
   */
  open(fault) {
    this.fault = fault;
    const {process, step} = this.model.faults;
    this.goTo(step[fault] + 1);
    const pids = new Set(this.model.fault(fault).sharers.map(({pid}) => pid));
    const sharers = pids.size ? this.model.processes.filter(({pid}) => pids.has(pid)) : [];
    this.chooseWithRelative(
      process[fault],
      sharers.map(({number}) => number),
    );
    this.emit("fault");
  },

  /**
   * Sets the axis of the charts: "order" of events, or "time".
   * @param {string} axis
   */
  setAxis(axis) {
    this.axis = axis;
    this.emit("axis");
  },

  get axisLength() {
    return this.axis === "time" ? this.model.end : this.model.stepCount;
  },

  /**
   * Position of a step on the axis.
   * @param {number} step
   */
  ofStep(step) {
    return this.axis === "time" ? this.model.steps.time[step] : step;
  },

  /**
   * Position of a time on the axis.
   * @param {number} time
   */
  ofTime(time) {
    return this.axis === "time"
      ? time
      : firstNotLess(this.model.stepCount, (step) => this.model.steps.time[step], time);
  },

  get now() {
    return this.axis === "time" ? momentTime() : this.moment;
  },

  /**
   * Limits the list of faults to a page of a space; null: no limit.
   * @param {{space: number, page: number} | null} page
   */
  filterPage(page) {
    this.page = page;
    this.emit("page");
  },
};

/** Time of the current step. */
const momentTime = () => (app.moment ? app.model.steps.time[app.moment - 1] : 0);

const livesNow = (/** @type {number} */ process) => spaceAt(process) !== undefined;

/**
 * Returns the space of a process at the current moment; undefined when it has none.
 * @param {number} process
 */
function spaceAt(process) {
  const owners = (app.owners ??= spaceOwners(app.model));
  let number;
  for (const [step, space] of owners[process] ?? []) {
    if (step >= app.moment) break;
    number = space;
  }
  return number;
}

/**
 * Returns the [step, space] pairs of each process: it has the space after the step.
 * @param {Model} model
 */
function spaceOwners(model) {
  /** @type {Owners} */
  const owners = model.processes.map(() => []);
  model.steps.kind.forEach((kind, step) => {
    const name = model.kinds[kind];
    if (name === "fault") {
      const fault = model.steps.row[step];
      const own = owners[model.faults.process[fault]];
      if (!own.length && !model.faults.loading[fault]) own.push([step, model.faults.space[fault]]);
      return;
    }
    const row = model.stepRow(step);
    if (name === "exec") owners[row[0]].push([step, row[2]]);
    if (name === "exit") owners[row[0]].push([step, undefined]);
    if (name === "fork") {
      if (!owners[row[0]].length) owners[row[0]].push([step, row[2]]);
      owners[row[1]].push([step, row[3]]);
    }
  });
  return owners;
}
