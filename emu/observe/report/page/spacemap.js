/* The map of an address space, or of two beside each other: a cell for each page. */

class MapPane {
  constructor(index, process) {
    this.process = process;
    this.canvas = byId(`map-canvas-${index}`);
    this.box = byId(`map-scroll-${index}`);
    this.spacer = byId(`map-space-${index}`);
    this.title = byId(`map-name-${index}`);
    this.cursor = null;
    this.draw = onceAFrame(() => this.paint());
    this.canvas.onkeydown = (event) => this.key(event);
    this.canvas.onclick = (event) => this.click(event);
    this.canvas.onpointermove = (event) => this.hover(event);
    this.canvas.onpointerleave = () => SpaceMap.say("");
    this.box.onscroll = () => this.scrolled();
    new ResizeObserver(this.draw).observe(this.box);
  }

  look() {
    const number = this.process() < 0 ? undefined : spaceAt(this.process());
    const space = number === undefined ? undefined : app.replay.spaces.get(number);
    if (!space) return null;
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

  /** Panes beside each other show the same part. */
  scrolled() {
    this.draw();
    for (const {box} of SpaceMap.panes) {
      if (box !== this.box && box.scrollTop !== this.box.scrollTop) box.scrollTop = this.box.scrollTop;
    }
  }

  /** The page that the last step was about. */
  marked(number) {
    const {model, moment} = app;
    if (!moment || model.stepKind(moment - 1) !== "fault") return null;
    const fault = model.steps.row[moment - 1];
    return model.faults.space[fault] === number ? pageOf(model.faults.stval[fault]) : null;
  }

  /** After something else is to be seen: shows the page of the step too. */
  renew() {
    this.wanted = true;
    this.draw();
  }

  paint() {
    const process = app.model.processes[this.process()];
    const look = (this.current = this.look());
    this.spacer.style.height = `${Math.max(0, (look?.layout.height ?? 0) - this.box.clientHeight)}px`;
    if (this.wanted && look && look.marked !== null) this.reveal(look.marked);
    this.wanted = false;
    const {context, width, height} = fitCanvas(this.canvas, this.box);
    this.title.textContent = process
      ? app.model.name(process) + (look ? "" : " (has no memory at this moment)")
      : "";
    if (look) drawCells(context, look, this.box.scrollTop, width, height);
  }

  reveal(page) {
    const {layout} = this.current;
    const found = layout.find(page);
    if (!found) return;
    const [, y] = layout.position(found.block, found.unit);
    const top = found.unit < layout.perRow ? found.block.top : y;
    if (top < this.box.scrollTop) this.box.scrollTop = Math.max(0, top - 4);
    else if (y + layout.size > this.box.scrollTop + this.box.clientHeight)
      this.box.scrollTop = y + layout.size + 4 - this.box.clientHeight;
  }

  pageAt(event) {
    return this.current ? this.current.layout.at(event.offsetX, event.offsetY + this.box.scrollTop) : null;
  }

  hover(event) {
    const page = this.pageAt(event);
    SpaceMap.say(page === null ? "" : this.describe(page));
    this.canvas.style.cursor = page === null ? "default" : "pointer";
  }

  click(event) {
    const page = this.pageAt(event);
    if (page === null) return;
    this.cursor = page;
    this.show(page);
    this.draw();
  }

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

  describe(page) {
    const {space, number, layout} = this.current;
    const found = layout.find(page);
    if (found?.segment.kind === "fold")
      return `${hex(page * 4096)}: ${plural(found.segment.pages, "page")} that nobody touched`;
    const {letter, name} = STATES[app.replay.state(space, page)];
    const range = found?.block.range;
    const where = range
      ? ` in ${range.name ? baseName(range.name) : "anonymous memory"} ${range.rights}`
      : "";
    const state = letter ? `${letter}, ${name}` : name;
    const faults = plural(faultsOfPage(number, page).length, "fault");
    return `Page ${hex(page * 4096)}${where}: ${state}; ${faults}`;
  }

  /** Lists the page's faults, and opens the last until now. */
  show(page) {
    const {number} = this.current;
    const faults = faultsOfPage(number, page);
    app.filterPage({space: number, page});
    const until = faults.filter((fault) => app.model.faults.step[fault] < app.moment);
    const last = until[until.length - 1] ?? faults[0];
    if (last === undefined) return;
    app.fault = last;
    app.tell("shown");
  }
}

/** The faults of a page in a space and, before it was forked off, in those that it came from. */
function faultsOfPage(number, page) {
  const {faults} = app.model;
  const spaces = new Set(ancestorsOf(number));
  const found = [];
  for (let fault = 0; fault < faults.space.length; fault++) {
    if (pageOf(faults.stval[fault]) === page && spaces.has(faults.space[fault])) found.push(fault);
  }
  return found;
}

const SpaceMap = {
  start() {
    this.panes = [new MapPane(0, () => app.process), new MapPane(1, () => app.beside)];
    byId("map-process").onchange = (event) => app.choose(Number(event.target.value), app.beside);
    byId("map-beside").onchange = (event) => app.choose(app.process, Number(event.target.value));
    const pairs = app.model.processes.map((process) => [process.number, app.model.name(process)]);
    options(byId("map-process"), pairs, app.process);
    options(byId("map-beside"), [[-1, "none"], ...pairs], app.beside);
    app.on("process", () => this.choose());
    app.on("moment process", () => this.renew());
    app.on("colours", () => this.panes.forEach((pane) => pane.draw()));
    this.choose();
  },

  /** Pages that every pane shows, so that a page lies at the same place in each. */
  pagesShown() {
    const pages = new Set();
    for (const {process} of this.panes) {
      const number = process() < 0 ? undefined : spaceAt(process());
      const space = app.replay.spaces.get(number);
      if (!space) continue;
      for (const page of touchedPages(number)) pages.add(page);
      for (const [page] of pagesOf(space)) pages.add(page);
    }
    return pages;
  },

  choose() {
    byId("map-process").value = app.process;
    byId("map-beside").value = app.beside;
    byId("map-pane-1").hidden = app.beside < 0;
  },

  renew() {
    for (const pane of this.panes) pane.renew();
    this.legend();
  },

  legend() {
    const spaces = [app.process, app.beside]
      .filter((process) => process >= 0)
      .map((process) => app.replay.spaces.get(spaceAt(process)))
      .filter(Boolean);
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

  say(text) {
    byId("map-live").textContent = text;
  },
};
