/* What the reader looks at now. Parts of the page set it here, and are told of changes. */

const app = {
  model: null,
  history: null,
  moment: 0,
  process: 0,
  beside: -1,
  fault: -1,
  page: null,
  colours: {},
  axis: "order",
  listeners: {},

  on(names, listener) {
    for (const name of names.split(" ")) (this.listeners[name] ??= []).push(listener);
  },

  tell(name) {
    for (const listener of this.listeners[name] ?? []) listener();
  },

  get replay() {
    return this.history.replay;
  },

  /** After the first `moment` steps; the last of them is the one that is told of. */
  goTo(moment) {
    this.moment = Math.max(0, Math.min(moment, this.model.stepCount));
    this.history.seek(this.moment);
    this.tell("moment");
  },

  choose(process, beside = -1) {
    if (process === this.process && beside === this.beside) return;
    this.process = process;
    this.beside = beside === process ? -1 : beside;
    this.tell("process");
  },

  /** Shows a process, and beside it a parent or child that is shown already, or one of `others`. */
  chooseWithKin(process, others = []) {
    const shown = [this.process, this.beside].filter((each) => each >= 0);
    if (shown.includes(process) && shown.every((each) => livesNow(each))) return;
    const {parent, children} = this.model.processes[process];
    const kin = shown.filter((other) => other === parent || children.includes(other));
    const beside = [...kin, ...others].find((other) => other !== process && livesNow(other));
    this.choose(process, beside ?? -1);
  },

  /** Opens a fault, at the moment when it has just been handled. */
  open(fault) {
    this.fault = fault;
    const {process, step} = this.model.faults;
    this.goTo(step[fault] + 1);
    const pids = new Set(this.model.fault(fault).sharers.map(({pid}) => pid));
    const sharers = pids.size ? this.model.processes.filter(({pid}) => pids.has(pid)) : [];
    this.chooseWithKin(
      process[fault],
      sharers.map(({number}) => number),
    );
    this.tell("fault");
  },

  /** What the charts lie along: the order of events, or time. */
  setAxis(axis) {
    this.axis = axis;
    this.tell("axis");
  },

  get axisLength() {
    return this.axis === "time" ? this.model.end : this.model.stepCount;
  },

  /** Where a step lies on the axis, and where a time does. */
  ofStep(step) {
    return this.axis === "time" ? this.model.steps.time[step] : step;
  },

  ofTime(time) {
    return this.axis === "time"
      ? time
      : firstNotLess(this.model.stepCount, (step) => this.model.steps.time[step], time);
  },

  get now() {
    return this.axis === "time" ? momentTime() : this.moment;
  },

  /** The faults of a page of a space are wanted; null for those of all pages. */
  filterPage(page) {
    this.page = page;
    this.tell("page");
  },
};

/** The time of the last step that has been done. */
const momentTime = () => (app.moment ? app.model.steps.time[app.moment - 1] : 0);

const livesNow = (process) => spaceAt(process) !== undefined;

/** Which space a process has at the moment; undefined when it has none. */
function spaceAt(process) {
  const owners = (app.owners ??= spaceOwners(app.model));
  let number;
  for (const [step, space] of owners[process] ?? []) {
    if (step >= app.moment) break;
    number = space;
  }
  return number;
}

/** [step, space] of each process, from the step on after which it has it. */
function spaceOwners(model) {
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
