/* The tables of what forks cost. */

const MOST_FORKS = 300;

const Costs = {
  start() {
    const {costs} = app.model;
    const body = byId("costs-body");
    if (!costs.forks.length) {
      body.append(make("p", {class: "hint"}, "This run has no forks."));
      return;
    }
    body.append(
      this.note(costs.forks.length),
      make(
        "div",
        {class: "wide tall", tabindex: 0, role: "region", "aria-label": "Forks"},
        this.forks(costs.forks),
      ),
    );
    body.append(
      make("div", {class: "columns"}, [
        this.top(
          "Lines by copied pages",
          "line",
          costs.lines.map(([file, line, pages]) => [`${file}:${line}`, pages]),
        ),
        this.top("Functions by copied pages", "function", costs.functions),
        this.top("Mappings by copied pages", "mapping", costs.mappings),
        this.few(costs.few),
      ]),
    );
  },

  note(total) {
    return total > MOST_FORKS
      ? make(
          "p",
          {class: "hint"},
          `The ${count(MOST_FORKS)} forks of ${count(total)} that were copied most for.`,
        )
      : "";
  },

  forks(rows) {
    const columns = [
      "fork",
      "parent",
      "child",
      "pages shared",
      "shared tables",
      "copied at once",
      "copied by parent",
      "by child",
      "reused",
      "KiB copied",
      "bytes changed",
    ];
    const numbered = rows.map((row, at) => [row, at]);
    const copies = ([row]) => row[5] + row[6] + row[7];
    const shown =
      rows.length <= MOST_FORKS
        ? numbered
        : numbered.sort((a, b) => copies(b) - copies(a)).slice(0, MOST_FORKS);
    return makeTable(
      "Forks",
      columns.map((head, at) => ({head, number: at > 0})),
      shown.map(([row, at]) => this.forkRow(row, at)),
    );
  },

  forkRow([step, ...numbers], at) {
    const go = make(
      "button",
      {type: "button", title: "Show the memory after this fork"},
      `fork ${count(at + 1)}`,
    );
    go.onclick = () => {
      Scrubber.showFork(step, 1);
      byId("map-title").focus();
    };
    const [parent, child, shared, tables, atOnce, byParent, byChild, reused, changed] = numbers;
    const kib = 4 * (atOnce + byParent + byChild);
    return [
      go,
      String(parent),
      String(child),
      ...[shared, tables, atOnce, byParent, byChild, reused, kib, changed].map(count),
    ];
  },

  top(caption, head, rows) {
    const table = makeTable(
      caption,
      [
        {head, mono: true},
        {head: "pages", number: true},
        {head: "KiB", number: true},
      ],
      rows.map(([name, pages]) => [name, count(pages), count(4 * pages)]),
    );
    return rows.length ? make("div", {class: "wide"}, table) : null;
  },

  few({count: total, limit, rows}) {
    if (!total) return null;
    const table = makeTable(
      `Copied for at most ${limit} bytes that changed: ${plural(total, "page")}`,
      [{head: "bytes", number: true}, {head: "fault"}, {head: "page", mono: true}, {head: "by", mono: true}],
      rows.map(([changed, fault]) => this.fewRow(changed, app.model.fault(fault))),
    );
    return make(
      "div",
      {class: "wide", tabindex: 0, role: "region", "aria-label": "Pages copied for few bytes"},
      table,
    );
  },

  fewRow(changed, fault) {
    const open = make("button", {type: "button"}, count(fault.number + 1));
    open.onclick = () => {
      app.open(fault.number);
      byId("fault-title").focus();
    };
    return [
      String(changed),
      open,
      `pid ${fault.process.pid} ${hex(fault.page * 4096)}`,
      fault.call ? `kernel, in ${fault.call}` : placeText(fault.place),
    ];
  },
};
