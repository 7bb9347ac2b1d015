/* Reads the data, and starts the parts of the page. */

const PARTS = [ProcessTree, Timeline, Scrubber, SpaceMap, FaultList, FaultPanel, Costs];

function showHeader() {
  const {about, summary, processes, faultCount, forkSteps, complete, end} = app.model;
  const command = about.command.join(" ") || "A run";
  document.title = `${command} – emu report`;
  byId("command").textContent = command;
  const total = (/** @type {string} */ name) =>
    app.model.faults.outcome.filter((outcome) => app.model.strings[outcome] === name).length;
  /** @type {[number, string, string][]} */
  const totals = [
    [processes.length, "process", "processes"],
    [forkSteps.length, "fork", "forks"],
    [faultCount, "page fault", "page faults"],
    [total("copied"), "copied", "copied"],
    [total("reused"), "reused", "reused"],
  ];
  if (summary) totals.push([Number(summary.frames_peak), "frame at the peak", "frames at the peak"]);
  byId("totals").replaceChildren(
    ...totals.map(([number, one, many]) =>
      make("li", {}, make("b", {}, count(number)), ` ${number === 1 ? one : many}`),
    ),
    make("li", {}, `fork policy ${about.policy} · ${nanoseconds(end)} · emu ${about.emu}`),
  );
  const notes = byId("notes");
  notes.hidden = complete;
  notes.textContent = complete ? "" : "Incomplete: the trace ends before the run does.";
}

/**
 * Handles the keys that no other part uses.
 * @param {KeyboardEvent} event
 */
function globalKeys(event) {
  if (
    event.ctrlKey ||
    event.altKey ||
    event.metaKey ||
    /** @type {Element} */ (event.target).matches("input, select, canvas, textarea")
  )
    return;
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

/** @type {Record<string, () => void>} */
const KEYS = {
  "[": () => Scrubber.toFork(-1),
  "]": () => Scrubber.toFork(1),
  ",": () => app.goTo(app.moment - 1),
  ".": () => app.goTo(app.moment + 1),
  n: () => FaultList.walk(1),
  p: () => FaultList.walk(-1),
};

/** Shows the first copy with parent and child side by side; else the first fork; else the end. */
function beginAt() {
  const {forkSteps, stepCount, faults, strings, places} = app.model;
  if (!forkSteps.length) {
    app.goTo(stepCount);
    return;
  }
  Scrubber.showFork(forkSteps[0], 1);
  const copied = (/** @type {number} */ fault) => strings[faults.outcome[fault]] === "copied";
  const numbers = faults.outcome.map((_, fault) => fault).filter(copied);
  const ownLine = numbers.find((number) => places[faults.place[number]].line);
  const fault = ownLine ?? numbers[0];
  if (fault !== undefined) app.open(fault);
}

async function main() {
  app.model = await readData();
  app.history = new RunHistory(app.model);
  app.colours = readColours();
  showHeader();
  const body = document.querySelector("main");
  if (body) body.hidden = false;
  for (const part of PARTS) part.start();
  document.addEventListener("keydown", globalKeys);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    app.colours = readColours();
    app.emit("colours");
  });
  beginAt();
  app.ready = true;
}

main().catch((error) => {
  byId("command").textContent = `This report can't be shown: ${error.message}`;
  throw error;
});
