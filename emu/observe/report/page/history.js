/* Going to any moment of the run: snapshots on the way, and steps from the nearest one before. */

const MOST_SNAPSHOTS = 48;

class RunHistory {
  constructor(model) {
    this.replay = new Replay(model);
    this.every = Math.max(256, Math.ceil(model.stepCount / MOST_SNAPSHOTS));
    this.snapshots = new Map([[0, this.save()]]);
  }

  /** The memory after the first `moment` steps. */
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

  save() {
    const {spaces, frames, holders, nextTable} = this.replay;
    return {spaces: copySpaces(spaces), frames: frames.slice(), holders: new Map(holders), nextTable};
  }

  load(at) {
    const {spaces, frames, holders, nextTable} = this.snapshots.get(at);
    Object.assign(this.replay, {
      at,
      spaces: copySpaces(spaces),
      frames: frames.slice(),
      holders: new Map(holders),
      nextTable,
    });
  }
}

/** The same spaces; neither these nor the given ones may change the chunks that they have in common. */
function copySpaces(spaces) {
  const copies = new Map();
  for (const [number, space] of spaces) {
    space.token = {};
    copies.set(number, {...space, chunks: new Map(space.chunks), token: {}});
  }
  return copies;
}
