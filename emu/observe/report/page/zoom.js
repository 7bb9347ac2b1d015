/* The part of an axis that is in view: from `from` to `to`, of [0, length]. */

class Zoom {
  constructor(length, smallest) {
    this.reset(length, smallest);
  }

  reset(length, smallest) {
    this.length = Math.max(length, 1);
    this.smallest = Math.min(smallest, this.length);
    this.all();
  }

  all() {
    this.from = 0;
    this.to = this.length;
  }

  get span() {
    return this.to - this.from;
  }

  /** Shows `span` from `from` on, as far as the axis goes. */
  show(from, span) {
    const shown = Math.min(this.length, Math.max(this.smallest, span));
    this.from = Math.max(0, Math.min(from, this.length - shown));
    this.to = this.from + shown;
  }

  /** Larger by `factor`, with the value at `fraction` of the view left where it is. */
  by(factor, fraction = 0.5) {
    const fixed = this.from + fraction * this.span;
    const span = Math.min(this.length, Math.max(this.smallest, this.span / factor));
    this.show(fixed - fraction * span, span);
  }

  pan(fraction) {
    this.show(this.from + fraction * this.span, this.span);
  }

  /** Brings a value into view. */
  reveal(value) {
    if (value < this.from || value > this.to) this.show(value - this.span / 2, this.span);
  }
}
