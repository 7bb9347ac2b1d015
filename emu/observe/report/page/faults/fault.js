/* Details of one fault. */

const FaultPanel = {
  start() {
    app.on("fault shown", () => this.show());
    byId("fault-previous").onclick = () => FaultList.walk(-1);
    byId("fault-next").onclick = () => FaultList.walk(1);
    this.show();
  },

  show() {
    const body = byId("fault-body");
    if (app.fault < 0) {
      byId("fault-title").textContent = "Fault";
      body.replaceChildren(
        make(
          "p",
          {class: "hint"},
          app.model.faultCount
            ? "Choose a fault in the timeline, in the list, or a page in the map."
            : "This trace has no page faults.",
        ),
      );
      return;
    }
    const fault = app.model.fault(app.fault);
    byId("fault-title").textContent = `Fault ${count(fault.number + 1)} of ${count(app.model.faultCount)}`;
    body.replaceChildren(...this.parts(fault));
  },

  /** @param {Fault} fault */
  parts(fault) {
    const {letter, name, colour, text} = outcomeOf(fault.outcome);
    const title = (/** @type {string} */ words) => make("h3", {}, words);
    return [
      make(
        "p",
        {},
        make("span", {class: "tag", style: `background:var(--${colour})`}, `${letter} ${name}`),
        ` ${text}`,
      ),
      facts(fault),
      title("Page-table walk before the fault"),
      drawWalk(fault),
      title("Page-table entry"),
      pteChange(fault),
      title("Source"),
      sourceOf(fault),
      title("Code"),
      codeOf(fault),
      title("Callers"),
      stackOf(fault.stack, "Callers"),
      ...(fault.heap.length
        ? [title("Allocated by"), stackOf(fault.heap, "Where the memory was allocated")]
        : []),
    ];
  },
};

/** @param {Fault} fault */
function facts(fault) {
  const rule = fault.rule ? `: ${fault.rule}` : "";
  const handled = fault.host ? `; handled in ${nanoseconds(fault.host)} of host time` : "";
  /** @type {([string, Child] | null)[]} */
  const rows = [
    [
      "process",
      `${app.model.name(fault.process)}${fault.tid === fault.process.pid ? "" : `, thread ${fault.tid}`}`,
    ],
    [
      "by",
      fault.call
        ? `the kernel, in ${fault.call}${fault.place.pc ? `, for ${placeText(fault.place)}` : ""}`
        : placeText(fault.place),
    ],
    fault.instruction
      ? ["instruction", make("code", {}, `${hex(fault.place.pc)}  ${fault.instruction}`)]
      : null,
    ["access", `${fault.access} at ${hex(fault.address)}, cause ${fault.cause}${rule}`],
    ["mapping", rangeText(fault.range)],
    ["users", usersText(fault)],
    fault.sharers.length
      ? [
          "shared with",
          fault.sharers
            .map(
              ({pid, address}) => `pid ${pid}${pageOf(address) === fault.page ? "" : ` at ${hex(address)}`}`,
            )
            .join(", "),
        ]
      : null,
    fault.huge || fault.split ? ["page size", sizeText(fault)] : null,
    fault.around.length ? ["also mapped", aroundText(fault)] : null,
    fault.tableCopied ? ["table", "the shared leaf table was copied first"] : null,
    fault.outcome === "copied" || fault.changed >= 0 ? ["bytes changed", changedText(fault)] : null,
    ["when", `${nanoseconds(fault.time)}, record ${count(fault.seq)}${handled}`],
  ];
  return factList(rows.filter((row) => row !== null));
}

/** @param {Fault} fault */
function sizeText({huge, page}) {
  if (!huge) return "the huge page was split first: its 512 pages have entries of their own";
  const first = (page - (page % 512)) * 4096;
  return `huge page, 2 MiB: 512 pages from ${hex(first)} on`;
}

/** @param {Fault} fault */
function aroundText({around}) {
  const [first, last] = [around[0], around[around.length - 1]].map((page) => hex(page * 4096));
  const addresses = first === last ? first : `${first} … ${last}`;
  return `${plural(around.length, "cached page")} around: ${addresses}`;
}

const factList = (/** @type {[string, Child][]} */ rows) =>
  make(
    "dl",
    {},
    rows.map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]),
  );

/** @param {MappedRange | null} range */
function rangeText(range) {
  if (!range) return "none";
  return `${hex(range.start)}–${hex(range.end)} ${range.rights} ${range.name || "anonymous"}`;
}

/** @param {Fault} fault */
function usersText({countBefore, countAfter}) {
  if (!countBefore && !countAfter) return "—";
  return countBefore
    ? `${countBefore} of the frame before, ${countAfter} of the frame after`
    : `${countAfter} of the frame after`;
}

/** @param {Fault} fault */
function changedText({changed, why, huge}) {
  return changed < 0
    ? "unknown: the trace does not contain the copy's end"
    : `${count(changed)} of ${count(huge ? 512 * 4096 : 4096)} by the time it was ${why}`;
}

/** @param {Fault} fault */
function pteChange({before, after}) {
  const row = (/** @type {string} */ name, /** @type {Exact} */ pte) =>
    make(
      "tr",
      {},
      make("th", {scope: "row"}, name),
      make("td", {class: "mono"}, hex(pte)),
      make("td", {class: "mono"}, pteText(pte)),
    );
  return make(
    "div",
    {class: "wide"},
    make("table", {}, make("tbody", {}, row("before", before), row("after", after))),
  );
}
