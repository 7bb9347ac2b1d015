/* Table of the faults, in pages of rows, with filters. */

const ROWS = 50;
const BY = 3; // the column that may wrap

const FaultList = {
  found: /** @type {number[]} */ ([]),
  first: 0,

  start() {
    const {model} = app;
    /** @type {[number, string][]} */
    const processes = model.processes.map((process) => [process.number, model.name(process)]);
    options(byId("list-process"), [[-1, "all"], ...processes], -1);
    /** @type {[number, string][]} */
    const outcomes = [...new Set(model.faults.outcome)].map((outcome) => [
      outcome,
      outcomeOf(model.strings[outcome]).name,
    ]);
    options(byId("list-outcome"), [[-1, "all"], ...outcomes], -1);
    for (const id of /** @type {const} */ (["list-process", "list-outcome"]))
      byId(id).onchange = () => this.filter();
    byId("list-text").oninput = () => this.filter();
    byId("list-page").onclick = () => app.filterPage(null);
    const turn = {
      "list-first": () => 0,
      "list-back": () => this.first - ROWS,
      "list-on": () => this.first + ROWS,
      "list-last": () => this.found.length,
    };
    for (const [id, to] of Object.entries(turn)) byId(id).onclick = () => this.turn(to());
    app.on("page", () => this.filter());
    app.on("fault shown", () => this.reveal());
    const heads = ["", "time", "pid", "by", "access", "address", "outcome", "changed"];
    byId("list-table").tHead?.replaceChildren(
      make(
        "tr",
        {},
        heads.map((head) => make("th", {scope: "col"}, head || make("span", {"aria-label": "fault"}, "#"))),
      ),
    );
    this.filter();
  },

  filter() {
    const {model, page} = app;
    const process = Number(byId("list-process").value);
    const outcome = Number(byId("list-outcome").value);
    const text = byId("list-text").value.trim();
    const places = text ? matchingPlaces(text) : null;
    const address = /^0x[0-9a-f]+$/i.test(text) ? pageOf(text) : -1;
    const onPage = page ? new Set(faultsOfPage(page.space, page.page)) : null;
    const {faults} = model;
    this.found = [];
    for (let fault = 0; fault < model.faultCount; fault++) {
      if (process >= 0 && faults.process[fault] !== process) continue;
      if (outcome >= 0 && faults.outcome[fault] !== outcome) continue;
      if (onPage && !onPage.has(fault)) continue;
      if (places && !places.has(faults.place[fault]) && pageOf(faults.stval[fault]) !== address) continue;
      this.found.push(fault);
    }
    byId("list-page").hidden = !page;
    byId("list-page").textContent = page ? `page ${hex(page.page * 4096)} ✕` : "";
    byId("list-page").setAttribute(
      "aria-label",
      page ? `Only page ${hex(page.page * 4096)}: show all pages` : "",
    );
    this.turn(0);
  },

  /** @param {number} first */
  turn(first) {
    const last = Math.max(0, Math.floor((this.found.length - 1) / ROWS) * ROWS);
    this.first = Math.max(0, Math.min(first, last));
    this.first -= this.first % ROWS;
    byId("list-first").disabled = byId("list-back").disabled = this.first === 0;
    byId("list-on").disabled = byId("list-last").disabled = this.first === last;
    const shown = this.found.slice(this.first, this.first + ROWS);
    const part = `${count(this.first + 1)} to ${count(this.first + shown.length)}`;
    const all = plural(this.found.length, "fault");
    byId("list-count").textContent = this.found.length ? `${part} of ${all}` : "No matching fault.";
    byId("list-table").tBodies[0].replaceChildren(...shown.map((fault) => faultRow(app.model.fault(fault))));
  },

  /** Shows the page of the table that contains the open fault, if it matches. */
  reveal() {
    const at = firstNotLess(this.found.length, (index) => this.found[index], app.fault);
    if (this.found[at] === app.fault && (at < this.first || at >= this.first + ROWS)) this.turn(at);
    for (const row of byId("list-table").tBodies[0].rows)
      row.className = Number(row.dataset.fault) === app.fault ? "current" : "";
  },

  /**
   * Opens the next or the previous matching fault.
   * @param {number} step
   */
  walk(step) {
    const at = firstNotLess(this.found.length, (index) => this.found[index], app.fault + (step > 0 ? 1 : 0));
    const to = this.found[step > 0 ? at : at - 1];
    if (to !== undefined) app.open(to);
  },
};

/** @param {Fault} fault */
function faultRow(fault) {
  const {letter, name, colour} = outcomeOf(fault.outcome);
  const open = make(
    "button",
    {type: "button", "aria-label": `Open fault ${count(fault.number + 1)}`},
    count(fault.number + 1),
  );
  open.onclick = () => {
    app.open(fault.number);
    byId("fault-title").focus({preventScroll: true});
    byId("fault").scrollIntoView({block: "nearest"});
  };
  const cells = [
    open,
    nanoseconds(fault.time),
    String(fault.process.pid),
    fault.call ? `kernel, in ${fault.call}` : placeText(fault.place),
    fault.access,
    make("span", {class: "mono"}, hex(fault.address)),
    [
      make("span", {class: "swatch", style: `background:var(--${colour})`, "aria-hidden": "true"}, letter),
      ` ${name}${fault.huge ? ", huge page" : ""}${fault.split ? ", huge page split" : ""}`,
    ],
    fault.changed < 0 ? "" : count(fault.changed),
  ];
  return make(
    "tr",
    {"data-fault": fault.number, class: fault.number === app.fault ? "current" : null},
    cells.map((cell, at) => make("td", {class: at === BY ? "free" : null}, cell)),
  );
}

/**
 * Returns the numbers of the places whose function, file or image contains `text`.
 * @param {string} text
 */
function matchingPlaces(text) {
  const part = text.toLowerCase();
  const matches = (/** @type {Place} */ place) =>
    `${placeText(place)} ${place.file} ${place.image}`.toLowerCase().includes(part);
  return new Set(app.model.places.flatMap((place, number) => (matches(place) ? [number] : [])));
}
