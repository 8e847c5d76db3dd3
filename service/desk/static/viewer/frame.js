// @ts-check
/**
 * One frame before its window, and what a window makes of it.
 *
 * The form is told in service/pictures/viewing.py. Grey values go through a table with an entry for each value
 * that occurs, so that a window costs as much for 12 bits as for 16.
 */

/** @typedef {{name: string, black: number, white: number}} NamedWindow */
/** @typedef {{black: number, white: number, table: boolean}} Window  table: by the lookup table of the image */
/** @typedef {{values: Uint8Array|Uint16Array|Int16Array, rows: number, columns: number, factor: number}} Level */
/**
 * @typedef {object} Head
 * @property {"uint8"|"uint16"|"int16"|"rgb8"} kind
 * @property {number} rows
 * @property {number} columns
 * @property {number} slope  grey value of a stored one: value * slope + intercept
 * @property {number} intercept
 * @property {number} least  of the stored values
 * @property {number} most
 * @property {boolean} inverted  MONOCHROME1
 * @property {boolean} sigmoid
 * @property {NamedWindow[]} windows
 * @property {string|null} table
 */

const OPAQUE = 0xff000000;
const LENGTH_BYTES = 4;

/** A decoded answer of the route for pixels. */
export class Frame {
  /** @param {ArrayBuffer} buffer */
  constructor(buffer) {
    const length = new DataView(buffer).getUint32(0, true);
    const text = new TextDecoder().decode(new Uint8Array(buffer, LENGTH_BYTES, length));
    /** @type {Head} */
    this.head = JSON.parse(text);
    const start = LENGTH_BYTES + length;
    this.bytes = buffer.byteLength;
    const kinds = { uint8: Uint8Array, uint16: Uint16Array, int16: Int16Array, rgb8: Uint8Array };
    /** @type {Uint8Array|Uint16Array|Int16Array} */
    this.values = new kinds[this.head.kind](buffer, start);
    /** @type {Level[]} */
    this.levels = [];
    this.table = this.head.table === null ? null : Uint8Array.from(atob(this.head.table), (c) => c.charCodeAt(0));
  }

  get isGrey() {
    return this.head.kind !== "rgb8";
  }

  /** The window that is shown unless another is chosen. @returns {Window} */
  get ownWindow() {
    if (this.table !== null) return { ...this.wholeRange, table: true };
    const [first] = this.head.windows;
    return first ? { black: first.black, white: first.white, table: false } : { ...this.wholeRange, table: false };
  }

  /** From the least to the greatest value. @returns {Window} */
  get wholeRange() {
    const { slope, intercept, least, most } = this.head;
    const [black, white] = [least * slope + intercept, most * slope + intercept].sort((a, b) => a - b);
    return { black, white: white > black ? white : black + 1, table: false };
  }

  /**
   * Grey value at a pixel, such as HU; null outside the image and for colour.
   * @param {number} column
   * @param {number} row
   */
  valueAt(column, row) {
    const { rows, columns, slope, intercept } = this.head;
    if (!this.isGrey || column < 0 || row < 0 || column >= columns || row >= rows) return null;
    return this.values[row * columns + column] * slope + intercept;
  }

  /**
   * What each value from `least` to `most` is shown as: opaque grey as the screen takes it.
   * @param {Window} window
   * @param {boolean} inverted  by the reader, beyond what the image says
   */
  shownAs(window, inverted) {
    const { slope, intercept, least, most, sigmoid } = this.head;
    const flip = this.head.inverted !== inverted;
    const shown = new Uint32Array(most - least + 1);
    const span = window.white - window.black;
    for (let value = least; value <= most; value += 1) {
      let level;
      if (window.table && this.table !== null) {
        level = this.table[value - least];
      } else {
        let position = (value * slope + intercept - window.black) / span;
        if (sigmoid) position = 1 / (1 + Math.exp(-4 * Math.min(Math.max(position - 0.5, -20), 20)));
        level = Math.round(Math.min(Math.max(position, 0), 1) * 255);
      }
      if (flip) level = 255 - level;
      shown[value - least] = OPAQUE | (level << 16) | (level << 8) | level;
    }
    return shown;
  }

  /**
   * The grey values at a smaller size: means of squares of 2, 4, 8 ... pixels a side. What is left over at the far
   * ends is left out. Colour is not reduced.
   * @param {number} halvings
   * @returns {Level}
   */
  level(halvings) {
    const { rows, columns } = this.head;
    if (halvings < 1 || !this.isGrey) return { values: this.values, rows, columns, factor: 1 };
    let found = this.levels[halvings];
    if (!found) {
      found = halved(this.level(halvings - 1));
      this.levels[halvings] = found;
    }
    return found;
  }

  /**
   * Paint every pixel of a level.
   * @param {Uint32Array} target  of its rows * columns, in the byte order of the machine (little endian everywhere)
   * @param {Level} level
   * @param {Window} window
   * @param {boolean} inverted
   */
  paint(target, level, window, inverted) {
    const { values } = level;
    if (!this.isGrey) {
      const flip = inverted ? 0xffffff : 0;
      for (let at = 0, from = 0; at < target.length; at += 1, from += 3) {
        target[at] = (OPAQUE | (values[from + 2] << 16) | (values[from + 1] << 8) | values[from]) ^ flip;
      }
      return;
    }
    const shown = this.shownAs(window, inverted);
    const least = this.head.least;
    for (let at = 0; at < target.length; at += 1) target[at] = shown[values[at] - least];
  }
}

/** @param {Level} level @returns {Level} */
function halved({ values, rows, columns, factor }) {
  const [down, across] = [Math.max(rows >> 1, 1), Math.max(columns >> 1, 1)];
  const made = new /** @type {Uint16ArrayConstructor} */ (values.constructor)(down * across);
  const [right, below] = [columns > 1 ? 1 : 0, rows > 1 ? columns : 0];
  for (let row = 0, to = 0; row < down; row += 1) {
    let from = 2 * row * columns;
    for (let column = 0; column < across; column += 1, from += 2, to += 1) {
      made[to] = (values[from] + values[from + right] + values[from + below] + values[from + below + right] + 2) >> 2;
    }
  }
  return { values: made, rows: down, columns: across, factor: factor * 2 };
}

/**
 * Centre and width of a window as DICOM counts them (PS3.3 C.11.2.1.2).
 * @param {{black: number, white: number}} window
 */
export function centreAndWidth(window) {
  return { centre: (window.black + window.white) / 2 + 0.5, width: window.white - window.black + 1 };
}

/**
 * The window of a centre and a width.
 * @param {number} centre
 * @param {number} width
 * @returns {Window}
 */
export function windowOf(centre, width) {
  const half = (Math.max(width, 2) - 1) / 2;
  return { black: centre - 0.5 - half, white: centre - 0.5 + half, table: false };
}
