/* Numbers as text. A number above 2^53 is hexadecimal text in the data. */

/** @param {Exact} value */
const hex = (value) => (typeof value === "string" ? value : `0x${value.toString(16)}`);
const count = (/** @type {number} */ value) => value.toLocaleString("en-US");
/** @type {(n: number, one: string, many?: string) => string} */
const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
const baseName = (/** @type {string} */ path) => path.slice(path.lastIndexOf("/") + 1);
const largest = (/** @type {number[]} */ values) => values.reduce((most, value) => Math.max(most, value), 0);
const pageOf = (/** @type {Exact} */ address) => Math.floor(Number(address) / 4096);

/** @param {number} value */
function nanoseconds(value) {
  if (value < 1e3) return `${value} ns`;
  if (value < 1e6) return `${(value / 1e3).toFixed(1)} µs`;
  if (value < 1e9) return `${(value / 1e6).toFixed(2)} ms`;
  return `${(value / 1e9).toFixed(3)} s`;
}

/** @param {number} pages */
function bytes(pages) {
  const kib = pages * 4;
  return kib < 1024 ? `${Math.round(kib)} KiB` : `${(kib / 1024).toFixed(1)} MiB`;
}

/* PTEs (privileged spec, "Sv39"): flags in bits 0 to 9, of which RSW0 is the kernel's CoW mark. The texts
   are those of kernel/mm/page_tables/pte_text.py. */

/** @type {(pte: Exact) => number} */
const pteBits = (pte) => (typeof pte === "number" ? pte % 1024 : Number(BigInt(pte) % 1024n));

/** @type {[number, string][]} */
const PTE_LETTERS = [
  [2, "R"],
  [4, "W"],
  [8, "X"],
  [16, "U"],
  [32, "G"],
  [64, "A"],
  [128, "D"],
];

/** @param {Exact} pte */
function pteFlags(pte) {
  const bits = pteBits(pte);
  if (!(bits & 1)) return "";
  const letters = PTE_LETTERS.map(([bit, letter]) => (bits & bit ? letter : "-")).join("");
  return letters + (bits & 256 ? " CoW" : "");
}

/** @type {(pte: Exact) => number} */
const pteFrame = (pte) =>
  typeof pte === "number" ? Math.floor(pte / 1024) : Number((BigInt(pte) / 1024n) % 2n ** 44n);
const pteValid = (/** @type {Exact} */ pte) => pteBits(pte) % 2 === 1;

const isLeaf = (/** @type {Exact} */ pte) => pteValid(pte) && (pteBits(pte) & 14) > 0;

/** @param {Exact} pte */
function pteText(pte) {
  if (!pte) return "none";
  if (!pteValid(pte)) return `invalid ${hex(pte)}`;
  return isLeaf(pte) ? `${hex(pteFrame(pte))} ${pteFlags(pte)}` : `table ${hex(pteFrame(pte))}`;
}

/**
 * Formats a place, such as `write_page+0xc demo_cow.c:22`.
 * @param {Place} place
 */
function placeText(place) {
  if (!place.function)
    return place.pc ? `pc ${hex(place.pc)}${place.image ? ` in ${baseName(place.image)}` : ""}` : "—";
  const outer = place.inlined.length ? place.inlined[place.inlined.length - 1].function : place.function;
  const inlined = place.inlined.length ? ` (${place.function}, inlined)` : "";
  return `${outer}+${hex(place.offset)}${inlined}${lineText(place)}`;
}

const lineText = (/** @type {Caller} */ place) =>
  place.line ? ` ${baseName(place.file)}:${place.line}` : "";
