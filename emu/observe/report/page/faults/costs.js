/* The tables of `emu cow`: the costs of forks, by fork and by site. */

const MOST_FORKS = 300;

const Costs = {
  start() {
    const {forks, lines, functions, mappings, heap, few} = app.model.costs;
    const body = byId("costs-body");
    if (!forks.length) {
      body.append(make("p", {class: "hint"}, "This run has no forks."));
      return;
    }
    if (forks.length > MOST_FORKS) body.append(this.note(forks.length));
    body.append(this.region("tall", "Forks", this.forks(forks)));
    const tables = [
      this.sites("Lines by copied pages", "line", lines),
      this.sites("Functions by copied pages", "function", functions),
      this.sites("Mappings by copied pages", "mapping", mappings),
      this.sites("Heap blocks by copied pages", "allocated by", heap),
      this.few(few),
    ];
    body.append(make("div", {class: "columns"}, tables));
  },

  /** @type {(style: string, label: string, table: Child) => HTMLElement} */
  region(style, label, table) {
    return make("div", {class: `wide ${style}`, tabindex: 0, role: "region", "aria-label": label}, table);
  },

  /** @param {number} total */
  note(total) {
    const text = `The ${count(MOST_FORKS)} of ${count(total)} forks with the most KiB copied.`;
    return make("p", {class: "hint"}, text);
  },

  /** @param {number[][]} rows */
  forks(rows) {
    const heads = ["fork", "parent", "child", "pages shared", "shared tables", "copied by fork"];
    heads.push("copied by parent", "by child", "reused", "KiB copied", "bytes changed");
    const numbered = rows.map((row, at) => ({row, at}));
    if (rows.length > MOST_FORKS) numbered.sort((a, b) => b.row[9] - a.row[9]);
    return makeTable(
      "Forks",
      heads.map((head, at) => ({head, number: at > 0})),
      numbered.slice(0, MOST_FORKS).map(({row, at}) => this.forkRow(row, at)),
    );
  },

  /** @type {(row: number[], at: number) => Child[]} */
  forkRow([step, parent, child, ...rest], at) {
    const go = make("button", {type: "button", title: "Show the memory after this fork"});
    go.textContent = `fork ${count(at + 1)}`;
    go.onclick = () => {
      Scrubber.showFork(step, 1);
      byId("map-title").focus();
    };
    const [copiedBytes, changed] = rest.splice(-2);
    return [go, String(parent), String(child), ...rest.map(count), count(copiedBytes / 1024), count(changed)];
  },

  /** @type {(caption: string, head: string, rows: SiteRow[]) => HTMLElement | null} */
  sites(caption, head, rows) {
    if (!rows.length) return null;
    const numbers = ["pages", "KiB", "bytes changed"].map((name) => ({head: name, number: true}));
    const cells = rows.map(([name, pages, copied, changed]) => {
      return [name, count(pages), count(copied / 1024), count(changed)];
    });
    return this.region("", caption, makeTable(caption, [{head, mono: true, free: true}, ...numbers], cells));
  },

  /** @param {Costs["few"]} few */
  few({copies, limit, rows}) {
    if (!copies) return null;
    const caption = `Pages copied for at most ${limit} bytes: ${plural(copies, "copy", "copies")}`;
    const columns = [
      {head: "page", mono: true},
      {head: "by", mono: true, free: true},
      {head: "copies", number: true},
      {head: "bytes changed", number: true},
      {head: "mapping", mono: true, free: true},
    ];
    const cells = rows.map(([address, mapping, where, times, changed]) => {
      return [this.pageButton(address), where, count(times), count(changed), mapping];
    });
    return this.region("", "Pages copied for few bytes", makeTable(caption, columns, cells));
  },

  /**
   * Makes a button that lists the faults of the page in all processes.
   * @param {Exact} address
   */
  pageButton(address) {
    const button = make("button", {type: "button", title: "List this page's faults"}, hex(address));
    button.onclick = () => {
      byId("list-text").value = hex(address);
      FaultList.filter();
      byId("list-title").focus();
    };
    return button;
  },
};
