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

/* PTEs (privileged spec, "Sv39"): flags in bits 0 to 9, of which RSW0 is the kernel's CoW mark. */

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
  const bits = Number(pte) % 1024;
  if (!(bits & 1)) return "";
  const letters = PTE_LETTERS.map(([bit, letter]) => (bits & bit ? letter : "-")).join("");
  return letters + (bits & 256 ? " CoW" : "");
}

const pteFrame = (/** @type {Exact} */ pte) => Math.floor(Number(pte) / 1024) % 2 ** 44;
const pteValid = (/** @type {Exact} */ pte) => Number(pte) % 2 === 1;
const pteText = (/** @type {Exact} */ pte) =>
  pteValid(pte) ? `frame ${hex(pteFrame(pte))} ${pteFlags(pte)}` : "none (not valid)";

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
