/* Faults of each process by time, or by order of events: a track for each process, with zoom. */

const TRACK = 24;
const AXIS = 20;
const COLUMN = 3;
const LABEL = 86;
const LETTER = 11;

const Timeline = {
  zoom: new Zoom(1, 1),
  hidden: /** @type {Set<number>} */ (new Set()),
  tracks: /** @type {number[]} */ ([]),
  outcome: /** @type {number[]} */ ([]),
  canvas: byId("timeline-canvas"),
  box: byId("timeline-scroll"),
  draw: () => {},
  position: (/** @type {number} */ fault) => fault,

  start() {
    const {model} = app;
    this.outcome = model.faults.outcome;
    this.tracks = model.processes
      .filter((process) => model.faultsOf[process.number].length)
      .map((process) => process.number);

    this.draw = onceAFrame(() => this.paint());
    const whole = AXIS + this.tracks.length * TRACK;
    this.box.style.height = `${Math.min(218, whole + 2)}px`;
    byId("timeline-space").style.height = `${Math.max(0, whole - this.box.clientHeight)}px`;
    this.legend();
    app.on("axis", () => this.setAxis());
    this.setAxis();
    byId("timeline-axis").onchange = () => app.setAxis(byId("timeline-axis").value);
    byId("zoom-in").onclick = () => this.change(() => this.zoom.by(2));
    byId("zoom-out").onclick = () => this.change(() => this.zoom.by(0.5));
    byId("zoom-all").onclick = () => this.change(() => this.zoom.all());
    this.box.onscroll = this.draw;
    new ResizeObserver(this.draw).observe(this.box);
    TimelineInput.start();
    app.on("moment process colours", this.draw);
    app.on("fault", () => this.change(() => this.zoom.reveal(this.position(app.fault))));
    app.on("process", () => this.reveal());
  },

  /** @param {() => void} how */
  change(how) {
    how();
    this.draw();
    app.emit("zoom");
  },

  setAxis() {
    const {step} = app.model.faults;
    this.position = (fault) => app.ofStep(step[fault]);
    this.change(() => this.zoom.reset(app.axisLength, app.axis === "time" ? 1000 : 5));
  },

  legend() {
    const {model} = app;
    /** @type {Map<number, number>} */
    const totals = new Map();
    for (const outcome of this.outcome) totals.set(outcome, (totals.get(outcome) ?? 0) + 1);
    const order = Object.keys(OUTCOMES);
    const rank = (/** @type {string} */ name) =>
      (order.indexOf(name) + order.length + 1) % (order.length + 1);
    const known = [...totals].sort(([a], [b]) => rank(model.strings[a]) - rank(model.strings[b]));
    byId("timeline-legend").replaceChildren(
      ...known.map(([outcome, total]) => {
        const {letter, name, colour, text} = outcomeOf(model.strings[outcome]);
        const button = make(
          "button",
          {type: "button", "aria-pressed": "true", title: text},
          make(
            "span",
            {class: "swatch", style: `background:var(--${colour})`, "aria-hidden": "true"},
            letter,
          ),
          `${name} ${count(total)}`,
        );
        button.onclick = () => this.toggle(outcome, button);
        return button;
      }),
    );
  },

  /** @type {(outcome: number, button: HTMLElement) => void} */
  toggle(outcome, button) {
    const shown = this.hidden.delete(outcome);
    if (!shown) this.hidden.add(outcome);
    button.setAttribute("aria-pressed", String(shown));
    this.draw();
  },

  reveal() {
    const at = this.tracks.indexOf(app.process);
    if (at < 0) return;
    const top = at * TRACK;
    const room = this.box.clientHeight - AXIS;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + TRACK > this.box.scrollTop + room) this.box.scrollTop = top + TRACK - room;
  },

  /** @type {(value: number, width: number) => number} */
  x(value, width) {
    return LABEL + ((value - this.zoom.from) / this.zoom.span) * (width - LABEL);
  },

  paint() {
    const {context, width, height} = fitCanvas(this.canvas, this.box);
    const first = Math.floor(this.box.scrollTop / TRACK);
    const visible = Math.ceil(height / TRACK) + 1;
    context.font = '12px "DejaVu Sans", system-ui, sans-serif';
    context.textBaseline = "middle";
    const shown = this.tracks.slice(first, first + visible);
    const found = shown.map((process) =>
      columns(
        app.model.faultsOf[process],
        this.position,
        this.zoom,
        Math.max(1, Math.floor((width - LABEL) / COLUMN)),
        this.outcome,
        this.hidden,
      ),
    );
    const most = Math.max(1, largest(found.flat().map((bin) => bin.total)));
    shown.forEach((process, index) => {
      this.track(
        context,
        process,
        found[index],
        (first + index) * TRACK - this.box.scrollTop + AXIS,
        width,
        most,
      );
    });
    this.ruler(context, width, height);
  },

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} process
   * @param {Bin[]} bins
   * @param {number} top
   * @param {number} width
   * @param {number} most
   */
  track(context, process, bins, top, width, most) {
    const {colours, model} = app;
    if (process === app.process) {
      context.fillStyle = colours.mark;
      context.fillRect(0, top, width, TRACK);
    }
    context.fillStyle = colours.line;
    context.fillRect(0, top + TRACK - 1, width, 1);
    context.fillStyle = colours.text;
    context.fillText(`pid ${model.processes[process].pid}`, 6, top + TRACK / 2, LABEL - 10);
    const spacious = bins.every(
      (bin, at) => bin.total === 1 && (!at || (bin.x - bins[at - 1].x) * COLUMN >= LETTER),
    );
    for (const bin of bins) {
      const x = LABEL + bin.x * COLUMN;
      if (bin.total === 1) this.mark(context, bin.first, x, top, spacious);
      else this.column(context, bin, x, top, most);
    }
  },

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} fault
   * @param {number} x
   * @param {number} top
   * @param {boolean} spacious
   */
  mark(context, fault, x, top, spacious) {
    const {letter, colour} = outcomeOf(app.model.strings[this.outcome[fault]]);
    context.fillStyle = app.colours[colour];
    context.fillRect(x, top + 4, spacious ? LETTER - 1 : COLUMN - 1, TRACK - 8);
    if (spacious) {
      context.fillStyle = app.colours.on;
      context.font = 'bold 10px "DejaVu Sans Mono", monospace';
      context.fillText(letter, x + 2, top + TRACK / 2 + 0.5);
      context.font = '12px "DejaVu Sans", system-ui, sans-serif';
    }
    if (fault === app.fault) this.ring(context, x, top, spacious ? LETTER - 1 : COLUMN - 1);
  },

  /**
   * Draws a column whose height is the logarithm of its faults, divided by outcome.
   * @param {CanvasRenderingContext2D} context
   * @param {Bin} bin
   * @param {number} x
   * @param {number} top
   * @param {number} most
   */
  column(context, bin, x, top, most) {
    const height = Math.max(6, ((TRACK - 3) * Math.log2(1 + bin.total)) / Math.log2(1 + most));
    let bottom = top + TRACK - 2;
    for (const [outcome, total] of [...bin.outcomes].sort(([a], [b]) => a - b)) {
      const part = (height * total) / bin.total;
      context.fillStyle = app.colours[outcomeOf(app.model.strings[outcome]).colour];
      context.fillRect(x, bottom - part, COLUMN, part);
      bottom -= part;
    }
  },

  /** @type {(context: CanvasRenderingContext2D, x: number, top: number, width: number) => void} */
  ring(context, x, top, width) {
    context.strokeStyle = app.colours.text;
    context.lineWidth = 2;
    context.strokeRect(x - 2, top + 2, width + 4, TRACK - 5);
  },

  /** @type {(context: CanvasRenderingContext2D, width: number, height: number) => void} */
  ruler(context, width, height) {
    const {colours} = app;
    context.fillStyle = colours.panel;
    context.fillRect(0, 0, width, AXIS);
    context.fillStyle = colours.faint;
    const ticks = Math.max(2, Math.floor((width - LABEL) / 120));
    for (let tick = 0; tick < ticks; tick++) {
      const value = this.zoom.from + (this.zoom.span * tick) / ticks;
      const x = this.x(value, width);
      context.fillRect(x, 0, 1, AXIS);
      context.fillText(
        app.axis === "time" ? tickTime(value, this.zoom.span) : `event ${count(Math.round(value) + 1)}`,
        x + 4,
        AXIS / 2,
      );
    }
    const now = this.x(app.now, width);
    if (now < LABEL - 1 || now > width) return;
    context.fillStyle = colours.accent;
    context.fillRect(Math.min(now, width - 2), 0, 2, height);
  },
};

/** @type {(value: number, span: number) => string} */
function tickTime(value, span) {
  const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(span / 1e6 / 10))));
  return `${(value / 1e6).toFixed(digits)} ms`;
}
