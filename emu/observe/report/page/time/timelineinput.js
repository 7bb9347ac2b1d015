/* Mouse and keyboard input of the timeline. */

const TimelineInput = {
  timeline: Timeline,
  drag: /** @type {{x: number, from: number, far: boolean} | null} */ (null),
  at: /** @type {number | undefined} */ (undefined),

  start() {
    const {canvas} = this.timeline;
    canvas.onkeydown = (event) => this.key(event);
    canvas.addEventListener("wheel", (event) => this.wheel(event), {passive: false});
    canvas.onpointerdown = (event) => this.press(event);
    canvas.onpointermove = (event) => this.moved(event);
    canvas.onpointerup = (event) => this.release(event);
  },

  /** @param {MouseEvent} event */
  fraction(event) {
    const width = this.timeline.canvas.clientWidth - LABEL;
    return Math.max(0, Math.min(1, (event.offsetX - LABEL) / width));
  },

  /** @param {WheelEvent} event */
  wheel(event) {
    if (event.shiftKey) return; // the box scrolls
    event.preventDefault();
    const {timeline} = this;
    timeline.change(() =>
      Math.abs(event.deltaX) > Math.abs(event.deltaY)
        ? timeline.zoom.pan(event.deltaX / 1000)
        : timeline.zoom.by(event.deltaY < 0 ? 1.3 : 1 / 1.3, this.fraction(event)),
    );
  },

  /** @param {PointerEvent} event */
  press(event) {
    this.drag = {x: event.offsetX, from: this.timeline.zoom.from, far: false};
    this.timeline.canvas.setPointerCapture(event.pointerId);
  },

  /** @param {PointerEvent} event */
  moved(event) {
    const {timeline, drag} = this;
    if (!drag) {
      const fault = this.faultAt(event);
      timeline.canvas.title = fault === null ? "" : summaryOf(fault);
      timeline.canvas.style.cursor = fault === null ? "grab" : "pointer";
      return;
    }
    const pixels = event.offsetX - drag.x;
    drag.far ||= Math.abs(pixels) > 4;
    if (drag.far)
      timeline.change(() =>
        timeline.zoom.show(
          drag.from - (pixels / (timeline.canvas.clientWidth - LABEL)) * timeline.zoom.span,
          timeline.zoom.span,
        ),
      );
  },

  /** @param {PointerEvent} event */
  release(event) {
    const {drag} = this;
    this.drag = null;
    if (!drag || drag.far) return;
    const fault = this.faultAt(event);
    const track = this.trackAt(event);
    if (fault !== null) app.open(fault);
    else if (track !== undefined) app.choose(track);
  },

  /** @param {MouseEvent} event */
  trackAt(event) {
    const {box, tracks} = this.timeline;
    return event.offsetY < AXIS
      ? undefined
      : tracks[Math.floor((event.offsetY - AXIS + box.scrollTop) / TRACK)];
  },

  /**
   * Returns the fault nearest to the pointer, or null if none is near.
   * @param {MouseEvent} event
   */
  faultAt(event) {
    const {timeline} = this;
    const track = this.trackAt(event);
    if (track === undefined || event.offsetX < LABEL) return null;
    const width = timeline.canvas.clientWidth;
    const near = (/** @type {number} */ pixels) =>
      timeline.zoom.from + ((event.offsetX - pixels - LABEL) / (width - LABEL)) * timeline.zoom.span;
    const faults = app.model.faultsOf[track];
    const from = firstNotLess(faults.length, (index) => timeline.position(faults[index]), near(LETTER));
    let best = null;
    for (let index = from; index < faults.length && timeline.position(faults[index]) <= near(-3); index++) {
      if (timeline.hidden.has(timeline.outcome[faults[index]])) continue;
      best = faults[index];
    }
    return best;
  },

  /** @param {KeyboardEvent} event */
  key(event) {
    const {timeline} = this;
    const zoom = ZOOM_KEYS[event.key];
    const pan = PAN_KEYS[event.key];
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (zoom) timeline.change(() => timeline.zoom.by(zoom));
    else if (pan) timeline.change(() => timeline.zoom.pan(pan));
    else if (event.key === "0" || event.key === "Home") timeline.change(() => timeline.zoom.all());
    else if (event.key === "ArrowDown" || event.key === "ArrowUp")
      this.chooseTrack(event.key === "ArrowDown" ? 1 : -1);
    else if (event.key === "n" || event.key === "p") this.walk(event.key === "n" ? 1 : -1);
    else if (event.key === "Enter" && this.at !== undefined) app.open(this.at);
    else return;
    event.preventDefault();
    event.stopPropagation();
  },

  /** @param {number} step */
  chooseTrack(step) {
    const {tracks} = this.timeline;
    const at = Math.max(0, Math.min(tracks.length - 1, tracks.indexOf(app.process) + step));
    app.choose(tracks[at]);
    byId("timeline-live").textContent =
      `pid ${app.model.processes[tracks[at]].pid}: ${plural(app.model.faultsOf[tracks[at]].length, "fault")}`;
  },

  /**
   * Goes to the next or previous fault of the chosen process, and to its moment.
   * @param {number} step
   */
  walk(step) {
    const {timeline} = this;
    const faults = app.model.faultsOf[app.process].filter(
      (fault) => !timeline.hidden.has(timeline.outcome[fault]),
    );
    if (!faults.length) return;
    const next = firstNotLess(
      faults.length,
      (index) => app.model.faults.step[faults[index]],
      step > 0 ? app.moment : app.moment - 1,
    );
    const at = (this.at = faults[Math.max(0, Math.min(faults.length - 1, step > 0 ? next : next - 1))]);
    app.goTo(app.model.faults.step[at] + 1);
    timeline.change(() => timeline.zoom.reveal(timeline.position(at)));
    byId("timeline-live").textContent = summaryOf(at);
  },
};

/** @type {Record<string, number>} */
const ZOOM_KEYS = {"+": 2, "=": 2, "-": 0.5, _: 0.5};
/** @type {Record<string, number>} */
const PAN_KEYS = {ArrowLeft: -0.1, ArrowRight: 0.1, PageUp: -0.9, PageDown: 0.9};

/**
 * Formats a fault in one line.
 * @param {number} number
 */
function summaryOf(number) {
  const fault = app.model.fault(number);
  const by = fault.call ? `kernel, in ${fault.call}` : placeText(fault.place);
  const {name} = outcomeOf(fault.outcome);
  const who = `pid ${fault.process.pid}, ${by}`;
  return `Fault ${count(number + 1)}: ${who}, ${fault.access} ${hex(fault.address)}, ${name}`;
}
