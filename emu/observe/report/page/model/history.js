/* Seeking to any moment of the run: replays the steps since the nearest earlier snapshot. */

const MOST_SNAPSHOTS = 48;

class RunHistory {
  /** @param {Model} model */
  constructor(model) {
    this.replay = new Replay(model);
    this.every = Math.max(256, Math.ceil(model.stepCount / MOST_SNAPSHOTS));
    /** @type {Map<number, Snapshot>} */
    this.snapshots = new Map([[0, this.save()]]);
  }

  /**
   * Returns the memory after the first `moment` steps.
   * @param {number} moment
   */
  seek(moment) {
    const replay = this.replay;
    const nearest = Math.max(...[...this.snapshots.keys()].filter((at) => at <= moment));
    if (moment < replay.at || nearest > replay.at) this.load(nearest);
    while (replay.at < moment) {
      replay.step();
      if (replay.at % this.every === 0 && !this.snapshots.has(replay.at))
        this.snapshots.set(replay.at, this.save());
    }
    return replay;
  }

  /** @returns {Snapshot} */
  save() {
    const {spaces, frames, holders, nextTable} = this.replay;
    return {spaces: copySpaces(spaces), frames: frames.slice(), holders: new Map(holders), nextTable};
  }

  /** @param {number} at */
  load(at) {
    const {spaces, frames, holders, nextTable} = /** @type {Snapshot} */ (this.snapshots.get(at));
    Object.assign(this.replay, {
      at,
      spaces: copySpaces(spaces),
      frames: frames.slice(),
      holders: new Map(holders),
      nextTable,
    });
  }
}

/**
 * Copies spaces; both the copies and the originals then copy a common chunk before a change.
 * @param {Map<number, Space>} spaces
 */
function copySpaces(spaces) {
  /** @type {Map<number, Space>} */
  const copies = new Map();
  for (const [number, space] of spaces) {
    space.token = {};
    copies.set(number, {...space, chunks: new Map(space.chunks), token: {}});
  }
  return copies;
}
