/* Appearance of outcomes and states of pages: letter and CSS variable of the colour. The names and texts
   of outcomes are part of the data. */

/** @type {Record<string, {letter: string, colour: string}>} */
const OUTCOMES = {
  copied: {letter: "C", colour: "copied"},
  reused: {letter: "R", colour: "private"},
  file_copied: {letter: "D", colour: "filecopy"},
  zero_filled: {letter: "N", colour: "alone"},
  stack_grown: {letter: "G", colour: "table"},
  zero_shared: {letter: "Z", colour: "zero"},
  file: {letter: "F", colour: "file"},
  shared: {letter: "M", colour: "shmem"},
  spurious: {letter: "=", colour: "zero"},
  segv_maperr: {letter: "!", colour: "failed"},
  segv_accerr: {letter: "!", colour: "failed"},
  bus_adrerr: {letter: "!", colour: "failed"},
  out_of_memory: {letter: "!", colour: "failed"},
};
/** @type {(name: string) => OutcomeStyle} */
const outcomeOf = (name) =>
  app.model.outcomes[name] ?? {letter: "?", name, colour: "zero", text: "unknown to this report"};

/* Kinds are the origins of pages; states are what the map shows. Both use the same numbers. */
const ABSENT = 0,
  ZERO = 1,
  FILE = 2,
  SHMEM = 3,
  PRIVATE = 4,
  FILE_COPY = 5,
  COPIED = 6,
  SHARED = 7,
  ALONE = 8,
  TABLE = 9;

const STATES = [
  {letter: "", name: "not in memory", colour: null},
  {letter: "Z", name: "zero page", colour: "zero"},
  {letter: "F", name: "file", colour: "file"},
  {letter: "M", name: "shared memory", colour: "shmem"},
  {letter: "P", name: "private", colour: "private"},
  {letter: "D", name: "copied from a file", colour: "filecopy"},
  {letter: "C", name: "copied", colour: "copied"},
  {letter: "S", name: "shared by fork", colour: "shared"},
  {letter: "A", name: "no longer shared", colour: "alone"},
  {letter: "T", name: "in a shared page table", colour: "table"},
];

/** @type {Record<string, number>} */
const KIND_AFTER = {
  zero_shared: ZERO,
  zero_filled: PRIVATE,
  stack_grown: PRIVATE,
  file: FILE,
  file_copied: FILE_COPY,
  shared: SHMEM,
  copied: COPIED,
  reused: PRIVATE,
};

/**
 * Reads the colours of the current theme from the style.
 * @returns {Record<string, string>}
 */
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = [
    "ground",
    "panel",
    "line",
    "text",
    "faint",
    "accent",
    "mark",
    "on",
    "zero",
    "file",
    "filecopy",
    "shmem",
    "private",
    "shared",
    "alone",
    "copied",
    "table",
    "failed",
  ];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}
