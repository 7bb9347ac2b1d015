/* What outcomes and states of pages mean: a letter, a name, and the colour's variable. */

const OUTCOMES = {
  copied: {
    letter: "C",
    name: "copied",
    colour: "copied",
    text: "a store to a page that fork had shared: the kernel copied the frame",
  },
  reused: {
    letter: "R",
    name: "reused",
    colour: "private",
    text: "a store to a page that fork had shared, by its frame's last user: no copy",
  },
  file_copied: {
    letter: "D",
    name: "file page copied",
    colour: "filecopy",
    text: "a store to a private mapping of a file: a copy of the page cache's page",
  },
  zero_filled: {letter: "N", name: "zero-filled", colour: "alone", text: "a new frame of zeroes"},
  stack_grown: {
    letter: "G",
    name: "stack grown",
    colour: "table",
    text: "the stack was extended, and the page zero-filled",
  },
  zero_shared: {
    letter: "Z",
    name: "zero page",
    colour: "zero",
    text: "a read of untouched memory: the shared page of zeroes",
  },
  file: {letter: "F", name: "file page", colour: "file", text: "a page of a file, from the page cache"},
  shared: {letter: "M", name: "shared memory", colour: "shmem", text: "a page of a shared mapping"},
  spurious: {
    letter: "=",
    name: "already mapped",
    colour: "zero",
    text: "the PTE allowed the access already, or lacked only A or D",
  },
  segv_maperr: {
    letter: "!",
    name: "SIGSEGV (nothing mapped)",
    colour: "failed",
    text: "nothing is mapped there",
  },
  segv_accerr: {
    letter: "!",
    name: "SIGSEGV (not allowed)",
    colour: "failed",
    text: "the mapping forbids the access",
  },
  bus_adrerr: {letter: "!", name: "SIGBUS", colour: "failed", text: "the mapping lies beyond its file's end"},
  out_of_memory: {letter: "!", name: "out of memory", colour: "failed", text: "no frame was left"},
};
const outcomeOf = (name) =>
  OUTCOMES[name] ?? {letter: "?", name, colour: "zero", text: "an outcome that this report does not know"};

/* Kinds are what a page was made of; states are what the map shows. Numbers of both agree. */
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
  {letter: "A", name: "was shared, now alone", colour: "alone"},
  {letter: "T", name: "in a shared page table", colour: "table"},
];

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

/** The theme's colours as the style has them now. */
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
