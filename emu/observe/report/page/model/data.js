/* The run's data as builder.py wrote it, which documents its fields. */

async function readData() {
  const packed = Uint8Array.from(atob(byId("data").textContent ?? ""), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Model(JSON.parse(await new Response(stream).text()));
}

const sums = (/** @type {number[]} */ differences) => {
  let sum = 0;
  return differences.map((difference) => (sum += difference));
};

class Model {
  /** @param {ReportData} data */
  constructor(data) {
    this.about = data.about;
    this.summary = data.summary;
    this.complete = data.complete;
    this.end = data.end;
    this.rows = data.rows;
    this.costs = data.costs;
    /** @type {Record<string, OutcomeStyle>} */
    this.outcomes = Object.fromEntries(
      Object.entries(data.outcomes).map(([outcome, texts]) => [outcome, {...texts, ...OUTCOMES[outcome]}]),
    );
    this.strings = data.strings;
    this.stacks = data.stacks;
    this.places = data.places.map((row) => this.place(row));
    this.ranges = data.ranges.map(([start, end, rights, name]) => ({
      start: pageOf(start) * 4096,
      end: pageOf(end) * 4096,
      rights: this.strings[rights],
      name: this.strings[name],
    }));
    this.kinds = data.steps.kinds;
    /** @type {Steps} */
    this.steps = {
      kind: data.steps.kind,
      row: data.steps.row,
      time: sums(data.steps.time),
      seq: sums(data.steps.seq),
    };
    this.faults = data.faults;
    this.faults.step = sums(this.faults.step);
    /** @type {Process[]} */
    this.processes = data.processes.map((process, number) => ({
      ...process,
      number,
      sampled: sums(process.sampled),
      children: [],
    }));
    for (const process of this.processes) this.parentOf(process)?.children.push(process.number);
    this.sources = new Map(data.sources);
    this.code = new Map(data.code);
    /** @type {number[]} */
    this.forkSteps = [];
    this.steps.kind.forEach((kind, step) => this.kinds[kind] === "fork" && this.forkSteps.push(step));
    /** @type {number[][]} */
    this.faultsOf = this.processes.map(() => []);
    this.faults.process.forEach((process, fault) => this.faultsOf[process].push(fault));
  }

  get stepCount() {
    return this.steps.kind.length;
  }

  get faultCount() {
    return this.faults.step.length;
  }

  /**
   * @param {ReportData["places"][0]} row
   * @returns {Place}
   */
  place([pc, name, offset, file, line, image, inlined]) {
    const s = this.strings;
    const callers = inlined.map(([caller, from, at]) => ({function: s[caller], file: s[from], line: at}));
    return {pc, function: s[name], offset, file: s[file], line, image: s[image], inlined: callers};
  }

  /** @param {Process} process */
  parentOf(process) {
    return process.parent === null ? undefined : this.processes[process.parent];
  }

  /** @param {number} step */
  stepKind(step) {
    return this.kinds[this.steps.kind[step]];
  }

  /**
   * The row of a step that is not a fault.
   * @param {number} step
   */
  stepRow(step) {
    return this.rows[this.stepKind(step)][this.steps.row[step]];
  }

  /**
   * Returns a fault with all its fields, which are built on demand.
   * @param {number} number
   * @returns {Fault}
   */
  fault(number) {
    const f = this.faults;
    const pick = (/** @type {NumberColumn} */ name) => f[name][number];
    const string = (/** @type {NumberColumn} */ name) => this.strings[pick(name)];
    const step = pick("step");
    const address = f.stval[number];
    const place = this.places[pick("place")];
    return {
      number,
      step,
      address,
      place,
      page: pageOf(address),
      process: this.processes[pick("process")],
      tid: pick("tid"),
      space: pick("space"),
      time: this.steps.time[step],
      seq: this.steps.seq[step],
      instruction: string("instruction"),
      access: string("access"),
      outcome: string("outcome"),
      rule: string("rule"),
      cause: pick("cause"),
      call: string("call"),
      range: pick("range") < 0 ? null : this.ranges[pick("range")],
      tableCopied: Boolean(pick("table")),
      huge: Boolean(pick("huge")),
      split: Boolean(pick("split")),
      walk: this.walk(number),
      before: f.before[number],
      after: f.after[number],
      countBefore: pick("countBefore"),
      countAfter: pick("countAfter"),
      around: f.beside[pick("around")].map(([distance]) => pageOf(address) + distance),
      sharers: f.others[pick("sharers")].map(([pid, distance]) => ({
        pid,
        address: Number(address) - (Number(address) % 4096) + distance,
      })),
      stack: this.stacks[pick("stack")].map((at) => this.places[at]),
      heap: this.stacks[pick("heap")].map((at) => this.places[at]),
      host: pick("host"),
      changed: pick("changed"),
      why: string("why"),
      code: this.code.get(pick("place")) ?? [],
    };
  }

  /**
   * The entries of a fault's walk, with a leaf that builder.py omitted.
   * @param {number} number
   * @returns {WalkEntry[]}
   */
  walk(number) {
    const f = this.faults;
    /** @type {WalkEntry[]} */
    const entries = f.walks[f.walk[number]].map(([level, address, pte]) => ({level, address, pte}));
    if (f.leaf[number]) {
      const table = pteFrame(entries[1].pte ?? 0) * 4096;
      const address = table + 8 * (pageOf(f.stval[number]) % 512);
      entries.push({level: 0, address, pte: f.before[number]});
    }
    return entries;
  }

  /** @param {Process} process */
  name(process) {
    return `pid ${process.pid}${process.program ? ` ${baseName(process.program)}` : ""}`;
  }
}
