/* The map of one address space, or of two side by side: a cell for each page. */

class MapPane {
  /**
   * @param {number} index
   * @param {() => number} process
   */
  constructor(index, process) {
    this.process = process;
    this.canvas = /** @type {HTMLCanvasElement} */ (byId(`map-canvas-${index}`));
    this.box = byId(`map-scroll-${index}`);
    this.spacer = byId(`map-space-${index}`);
    this.title = byId(`map-name-${index}`);
    this.cursor = /** @type {number | null} */ (null);
    this.current = /** @type {MapView | null} */ (null);
    this.reveals = false;
    this.draw = onceAFrame(() => this.paint());
    this.canvas.onkeydown = (event) => this.key(event);
    this.canvas.onclick = (event) => this.click(event);
    this.canvas.onpointermove = (event) => this.hover(event);
    this.canvas.onpointerleave = () => SpaceMap.say("");
    this.box.onscroll = () => this.scrolled();
    new ResizeObserver(this.draw).observe(this.box);
  }

  /** @returns {MapView | null} */
  look() {
    const number = this.process() < 0 ? undefined : spaceAt(this.process());
    const space = number === undefined ? undefined : app.replay.spaces.get(number);
    if (number === undefined || !space) return null;
    const shown = SpaceMap.pagesShown();
    const touched = Float64Array.from(shown).sort();
    const layout = new Layout(space.ranges, touched, this.box.clientWidth);
    return {
      number,
      space,
      layout,
      cursor: document.activeElement === this.canvas ? this.cursor : null,
      marked: this.marked(number),
    };
  }

  /** Scrolls both panes together. */
  scrolled() {
    this.draw();
    for (const {box} of SpaceMap.panes) {
      if (box !== this.box && box.scrollTop !== this.box.scrollTop) box.scrollTop = this.box.scrollTop;
    }
  }

  /**
   * The page of the current step.
   * @param {number} number
   */
  marked(number) {
    const {model, moment} = app;
    if (!moment || model.stepKind(moment - 1) !== "fault") return null;
    const fault = model.steps.row[moment - 1];
    return model.faults.space[fault] === number ? pageOf(model.faults.stval[fault]) : null;
  }

  /** Draws the pane again after a change, and scrolls to the page of the current step. */
  renew() {
    this.reveals = true;
    this.draw();
  }

  paint() {
    const process = app.model.processes[this.process()];
    const look = (this.current = this.look());
    this.spacer.style.height = `${Math.max(0, (look?.layout.height ?? 0) - this.box.clientHeight)}px`;
    if (this.reveals && look && look.marked !== null) this.reveal(look.marked);
    this.reveals = false;
    const {context, width, height} = fitCanvas(this.canvas, this.box);
    this.title.textContent = process
      ? app.model.name(process) + (look ? "" : " (has no memory at this moment)")
      : "";
    if (look) drawCells(context, look, this.box.scrollTop, width, height);
  }

  /** @param {number} page */
  reveal(page) {
    if (!this.current) return;
    const {layout} = this.current;
    const found = layout.find(page);
    if (!found) return;
    const [, y] = layout.position(found.block, found.unit);
    const top = found.unit < layout.perRow ? found.block.top : y;
    if (top < this.box.scrollTop) this.box.scrollTop = Math.max(0, top - 4);
    else if (y + layout.size > this.box.scrollTop + this.box.clientHeight)
      this.box.scrollTop = y + layout.size + 4 - this.box.clientHeight;
  }

  /** @param {MouseEvent} event */
  pageAt(event) {
    return this.current ? this.current.layout.at(event.offsetX, event.offsetY + this.box.scrollTop) : null;
  }

  /** @param {MouseEvent} event */
  hover(event) {
    const page = this.pageAt(event);
    SpaceMap.say(page === null ? "" : this.describe(page));
    this.canvas.style.cursor = page === null ? "default" : "pointer";
  }

  /** @param {MouseEvent} event */
  click(event) {
    const page = this.pageAt(event);
    if (page === null) return;
    this.cursor = page;
    this.show(page);
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || !this.current) return;
    if (event.key === "Enter" || event.key === " ") {
      if (this.cursor !== null) this.show(this.cursor);
    } else if (/^(Arrow|Page|Home|End)/.test(event.key)) {
      this.cursor = this.current.layout.neighbour(this.cursor, event.key);
      if (this.cursor !== null) {
        this.reveal(this.cursor);
        SpaceMap.say(this.describe(this.cursor));
      }
      this.draw();
    } else return;
    event.preventDefault();
  }

  /** @param {number} page */
  describe(page) {
    if (!this.current) return "";
    const {space, number, layout} = this.current;
    const found = layout.find(page);
    if (found?.segment.kind === "fold")
      return `${hex(page * 4096)}: ${plural(found.segment.pages, "page")} not touched`;
    const {letter, name} = STATES[app.replay.state(space, page)];
    const range = found?.block.range;
    const where = range
      ? ` in ${range.name ? baseName(range.name) : "anonymous memory"} ${range.rights}`
      : "";
    const size = app.replay.isHuge(space, Math.floor(page / CHUNK)) ? ", in a huge page" : "";
    const state = letter ? `${letter}, ${name}${size}` : name;
    const faults = plural(faultsOfPage(number, page).length, "fault");
    return `Page ${hex(page * 4096)}${where}: ${state}; ${faults}`;
  }

  /**
   * Lists the page's faults, and opens the last one before the current moment.
   * @param {number} page
   */
  show(page) {
    if (!this.current) return;
    const {number} = this.current;
    const faults = faultsOfPage(number, page);
    app.filterPage({space: number, page});
    const until = faults.filter((fault) => app.model.faults.step[fault] < app.moment);
    const last = until[until.length - 1] ?? faults[0];
    if (last === undefined) return;
    app.fault = last;
    app.emit("shown");
  }
}

/**
 * Returns the faults of a page in a space and in the spaces that it was forked from.
 * @param {number} number
 * @param {number} page
 */
function faultsOfPage(number, page) {
  const {faults} = app.model;
  const spaces = new Set(ancestorsOf(number));
  /** @type {number[]} */
  const found = [];
  for (let fault = 0; fault < faults.space.length; fault++) {
    if (concerns(fault, page) && spaces.has(faults.space[fault])) found.push(fault);
  }
  return found;
}

/**
 * Returns whether a fault is on a page, or on another page of the huge page that contains it.
 * @param {number} fault
 * @param {number} page
 */
function concerns(fault, page) {
  const {stval, huge} = app.model.faults;
  const other = pageOf(stval[fault]);
  return other === page || (huge[fault] > 0 && Math.floor(other / CHUNK) === Math.floor(page / CHUNK));
}

const SpaceMap = {
  panes: /** @type {MapPane[]} */ ([]),

  start() {
    this.panes = [new MapPane(0, () => app.process), new MapPane(1, () => app.beside)];
    byId("map-process").onchange = () => app.choose(Number(byId("map-process").value), app.beside);
    byId("map-beside").onchange = () => app.choose(app.process, Number(byId("map-beside").value));
    /** @type {[number, string][]} */
    const pairs = app.model.processes.map((process) => [process.number, app.model.name(process)]);
    options(byId("map-process"), pairs, app.process);
    options(byId("map-beside"), [[-1, "none"], ...pairs], app.beside);
    app.on("process", () => this.choose());
    app.on("moment process", () => this.renew());
    app.on("colours", () => this.panes.forEach((pane) => pane.draw()));
    this.choose();
  },

  /** Returns the pages that every pane shows, so that a page has the same position in each. */
  pagesShown() {
    /** @type {Set<number>} */
    const pages = new Set();
    for (const {process} of this.panes) {
      const number = process() < 0 ? undefined : spaceAt(process());
      const space = number === undefined ? undefined : app.replay.spaces.get(number);
      if (number === undefined || !space) continue;
      for (const page of touchedPages(number)) pages.add(page);
      for (const [page] of pagesOf(space)) pages.add(page);
    }
    return pages;
  },

  choose() {
    byId("map-process").value = String(app.process);
    byId("map-beside").value = String(app.beside);
    byId("map-pane-1").hidden = app.beside < 0;
  },

  renew() {
    for (const pane of this.panes) pane.renew();
    this.legend();
  },

  legend() {
    const spaces = [app.process, app.beside]
      .filter((process) => process >= 0)
      .map((process) => app.replay.spaces.get(spaceAt(process) ?? -1))
      .filter((space) => space !== undefined);
    const censuses = spaces.map((space) => app.replay.census(space));
    byId("map-legend").replaceChildren(
      ...STATES.flatMap(({letter, name, colour}, state) => {
        if (!colour) return [];
        const counts = censuses.map((census) => count(census[state])).join(" | ");
        return [
          make(
            "li",
            {},
            make(
              "span",
              {class: "swatch", style: `background:var(--${colour})`, "aria-hidden": "true"},
              letter,
            ),
            `${name} ${counts}`,
          ),
        ];
      }),
    );
  },

  /** @param {string} text */
  say(text) {
    byId("map-live").textContent = text;
  },
};
