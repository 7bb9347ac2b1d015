/* Drawing of a page-table walk: an entry for each level (privileged spec, "Sv39"). */

const LEVELS = ["level 0 (leaf)", "level 1", "level 2 (root)"];
const HUGE_LEAF = "level 1 (leaf of 2 MiB)";

/**
 * Draws the fields of the address, and the entries that the walk read.
 * @param {Fault} fault
 */
function drawWalk(fault) {
  if (!fault.walk.length) return make("p", {class: "hint"}, "No walk: this is not a user address.");
  const entries = fault.walk.flatMap((entry, at) => [
    at ? make("div", {class: "arrow", "aria-hidden": "true"}, "↓") : null,
    level(entry, fault),
  ]);
  return make(
    "div",
    {},
    addressBits(fault),
    make("div", {class: "walk", role: "list", "aria-label": "Entries of the walk"}, entries),
  );
}

/** @param {Fault} fault */
function addressBits(fault) {
  const page = fault.page;
  /** @type {[string, Exact][]} */
  const parts = [
    ["VPN 2", Math.floor(page / 2 ** 18) % 512],
    ["VPN 1", Math.floor(page / 512) % 512],
    ["VPN 0", page % 512],
    ["offset", hex(Number(fault.address) % 4096)],
  ];
  return make(
    "div",
    {class: "bits mono"},
    make("small", {}, ""),
    parts.map(([name]) => make("small", {}, name)),
    make("small", {}, String(hex(fault.address))),
    parts.map(([, value]) => make("span", {}, String(value))),
  );
}

/** @type {(entry: WalkEntry, fault: Fault) => HTMLElement} */
function level(entry, fault) {
  const index = Math.floor(fault.page / 512 ** entry.level) % 512;
  const value = entry.pte === null ? "outside physical memory" : meaningOf(entry.pte);
  const huge = entry.level === 1 && entry.pte !== null && isLeaf(entry.pte);
  return make(
    "div",
    {class: entry.level === 0 || huge ? "level leaf" : "level", role: "listitem"},
    make("span", {}, huge ? HUGE_LEAF : (LEVELS[entry.level] ?? `level ${entry.level}`)),
    make("span", {class: "mono"}, `entry ${index} at ${hex(entry.address)}`),
    make("span", {}, ""),
    make("span", {class: "mono"}, value),
  );
}

/** @param {Exact} pte */
function meaningOf(pte) {
  if (!pteValid(pte)) return `PTE ${hex(pte)}: not valid, the walk ends`;
  return `PTE ${hex(pte)}: ${pteText(pte)}`;
}
