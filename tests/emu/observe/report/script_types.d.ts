/* Types of the report's script, for its check: see script_check.py. */

/** A number, or hexadecimal text where a JavaScript number would not be exact. */
type Exact = number | string;

interface Caller {
  function: string;
  file: string;
  line: number;
}

interface Place extends Caller {
  pc: Exact;
  offset: number;
  image: string;
  inlined: Caller[];
}

interface MappedRange {
  start: number;
  end: number;
  rights: string;
  name: string;
}

interface ProcessData {
  pid: number;
  parent: number | null;
  began: number;
  program: string;
  ended: number | null;
  status: number | null;
  borrowed: boolean;
  sampled: number[];
  resident: number[];
  proportional: number[];
  unique: number[];
}

interface Process extends ProcessData {
  number: number;
  children: number[];
}

type NumberColumn = Exclude<keyof FaultColumns, "stval" | "before" | "after" | "walks" | "others" | "beside">;
type WalkEntryRow = [level: number, address: Exact, pte: Exact | null];

/** A list for each field of a fault; strings, places, ranges and stacks by their numbers. */
interface FaultColumns {
  step: number[];
  process: number[];
  tid: number[];
  space: number[];
  place: number[];
  instruction: number[];
  access: number[];
  outcome: number[];
  rule: number[];
  stval: Exact[];
  cause: number[];
  call: number[];
  loading: number[];
  range: number[];
  table: number[];
  huge: number[];
  split: number[];
  walk: number[];
  leaf: number[];
  before: Exact[];
  after: Exact[];
  countBefore: number[];
  countAfter: number[];
  around: number[];
  sharers: number[];
  stack: number[];
  heap: number[];
  host: number[];
  changed: number[];
  why: number[];
  walks: WalkEntryRow[][];
  others: [pid: number, distance: number][][];
  beside: [pages: number, frame: number][][];
}

interface WalkEntry {
  level: number;
  address: Exact;
  pte: Exact | null;
}

interface Fault {
  number: number;
  step: number;
  address: Exact;
  place: Place;
  page: number;
  process: Process;
  tid: number;
  space: number;
  time: number;
  seq: number;
  instruction: string;
  access: string;
  outcome: string;
  rule: string;
  cause: number;
  call: string;
  range: MappedRange | null;
  tableCopied: boolean;
  huge: boolean;
  split: boolean;
  walk: WalkEntry[];
  before: Exact;
  after: Exact;
  countBefore: number;
  countAfter: number;
  around: number[];
  sharers: {pid: number; address: number}[];
  stack: Place[];
  heap: Place[];
  host: number;
  changed: number;
  why: string;
  code: [address: Exact, text: string][];
}

interface RunInfo {
  command: string[];
  policy: string;
  emu: string;
  memory: number;
}

type SiteRow = [name: string, pages: number, copied: number, changed: number];

interface Costs {
  forks: number[][];
  lines: SiteRow[];
  functions: SiteRow[];
  mappings: SiteRow[];
  heap: SiteRow[];
  few: {
    copies: number;
    limit: number;
    rows: [address: Exact, mapping: string, where: string, times: number, changed: number][];
  };
}

interface Steps {
  kind: number[];
  row: number[];
  time: number[];
  seq: number[];
}

/** Rows of the steps of a kind: see builder.py. */
type StepRow = any[];

interface ReportData {
  about: RunInfo;
  summary: {frames_peak: number} | null;
  complete: boolean;
  end: number;
  rows: Record<string, StepRow[]>;
  costs: Costs;
  outcomes: Record<string, {name: string; text: string}>;
  strings: string[];
  stacks: number[][];
  places: [
    pc: Exact,
    name: number,
    offset: number,
    file: number,
    line: number,
    image: number,
    inlined: [caller: number, file: number, line: number][],
  ][];
  ranges: [start: Exact, end: Exact, rights: number, name: number][];
  steps: Steps & {kinds: string[]};
  faults: FaultColumns;
  processes: ProcessData[];
  sources: [name: string, lines: [number: number, text: string][]][];
  code: [place: number, listing: [address: Exact, text: string][]][];
}

/** The pages of a leaf table. `owner` is the token of the one space that may change it. */
interface Chunk {
  kinds: Uint8Array;
  frames: Int32Array;
  table: number;
  /** Whether its pages are those of one huge page. */
  huge: boolean;
  owner: object;
}

interface Space {
  chunks: Map<number, Chunk>;
  ranges: MappedRange[];
  users: number;
  token: object;
}

/** The [step, space] pairs of each process. */
type Owners = [step: number, space: number | undefined][][];

interface Snapshot {
  spaces: Map<number, Space>;
  frames: Int32Array;
  holders: Map<number, number>;
  nextTable: number;
}

interface OutcomeStyle {
  letter: string;
  name: string;
  colour: string;
  text: string;
}

/** Faults in a column of the timeline. */
interface Bin {
  x: number;
  total: number;
  outcomes: Map<number, number>;
  first: number;
}

interface Segment {
  kind: "cells" | "fold";
  start: number;
  pages: number;
  at: number;
}

interface Block {
  range: MappedRange;
  top: number;
  cells: number;
  bottom: number;
  segments: Segment[];
}

interface CellPosition {
  block: Block;
  segment: Segment;
  unit: number;
}

/** A space to draw, with the pages to outline. */
interface MapView {
  number: number;
  space: Space;
  layout: {
    size: number;
    perRow: number;
    height: number;
    blocks: Block[];
    position(block: Block, unit: number): [x: number, y: number];
    find(page: number): CellPosition | null;
    at(x: number, y: number): number | null;
    neighbour(page: number | null, key: string): number | null;
  };
  cursor: number | null;
  marked: number | null;
}

interface Column {
  head: string;
  number?: boolean;
  mono?: boolean;
  free?: boolean;
}

type Child = Node | string | null | undefined | Child[];
type Properties = Record<string, unknown>;

interface ElementsById {
  "fork-after": HTMLButtonElement;
  "fork-before": HTMLButtonElement;
  "fork-next": HTMLButtonElement;
  "fork-previous": HTMLButtonElement;
  "list-back": HTMLButtonElement;
  "list-first": HTMLButtonElement;
  "list-last": HTMLButtonElement;
  "list-on": HTMLButtonElement;
  "list-outcome": HTMLSelectElement;
  "list-page": HTMLButtonElement;
  "list-process": HTMLSelectElement;
  "list-table": HTMLTableElement;
  "list-text": HTMLInputElement;
  "map-beside": HTMLSelectElement;
  "map-process": HTMLSelectElement;
  moment: HTMLInputElement;
  "timeline-axis": HTMLSelectElement;
  "timeline-canvas": HTMLCanvasElement;
}

type ElementOf<Id> = Id extends keyof ElementsById ? ElementsById[Id] : HTMLElement;
