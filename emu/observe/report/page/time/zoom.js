/* The visible part [from, to] of an axis [0, length]. */

class Zoom {
  /**
   * @param {number} length
   * @param {number} smallest
   */
  constructor(length, smallest) {
    this.length = this.smallest = this.from = this.to = 0;
    this.reset(length, smallest);
  }

  /** @type {(length: number, smallest: number) => void} */
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

  /**
   * Shows `span` from `from` on, within the axis.
   * @param {number} from
   * @param {number} span
   */
  show(from, span) {
    const shown = Math.min(this.length, Math.max(this.smallest, span));
    this.from = Math.max(0, Math.min(from, this.length - shown));
    this.to = this.from + shown;
  }

  /**
   * Enlarges by `factor`; the value at `fraction` of the view stays in place.
   * @param {number} factor
   */
  by(factor, fraction = 0.5) {
    const fixed = this.from + fraction * this.span;
    const span = Math.min(this.length, Math.max(this.smallest, this.span / factor));
    this.show(fixed - fraction * span, span);
  }

  /** @param {number} fraction */
  pan(fraction) {
    this.show(this.from + fraction * this.span, this.span);
  }

  /**
   * Scrolls a value into view.
   * @param {number} value
   */
  reveal(value) {
    if (value < this.from || value > this.to) this.show(value - this.span / 2, this.span);
  }
}
