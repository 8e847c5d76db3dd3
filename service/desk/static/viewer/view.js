// @ts-check
/**
 * Where an image lies on its pane. Image coordinates: columns run right and rows down from 0 at the outer corner
 * of the first pixel, as in overread.observation.ImageRegion. Screen coordinates are pixels of the device.
 */

/** @typedef {{x: number, y: number}} Point */
/** @typedef {{columns: number, rows: number, aspect: number}} Size  aspect: height by width of a pixel */

const ZOOM_LEAST = 0.02;
const ZOOM_MOST = 64;

export class View {
  constructor() {
    /** @type {Size} */
    this.size = { columns: 1, rows: 1, aspect: 1 };
    /** @type {{width: number, height: number}} */
    this.pane = { width: 1, height: 1 };
    this.turns = 0; // quarters, clockwise
    this.mirrored = false; // left to right, before it is turned
    this.zoom = 1; // device pixels a column
    this.centre = { x: 0.5, y: 0.5 }; // point of the image in the middle of the pane, as parts of its sides
    this.isFitted = true;
  }

  /** Zoom at which the whole image is seen. */
  get fittingZoom() {
    const { columns, rows, aspect } = this.size;
    const [across, down] = this.turns % 2 ? [rows * aspect, columns] : [columns, rows * aspect];
    return Math.min(this.pane.width / across, this.pane.height / down);
  }

  fit() {
    this.zoom = this.fittingZoom;
    this.centre = { x: 0.5, y: 0.5 };
    this.isFitted = true;
  }

  /** Fits again what was fitted, after the pane or the image has changed. */
  refit() {
    if (this.isFitted) this.fit();
  }

  /**
   * @param {number} zoom
   * @param {Point} [at]  of the screen, which stays where it is; the middle where left out
   */
  zoomTo(zoom, at = { x: this.pane.width / 2, y: this.pane.height / 2 }) {
    const held = this.toImage(at);
    this.zoom = Math.min(Math.max(zoom, ZOOM_LEAST), ZOOM_MOST);
    this.isFitted = false;
    const moved = this.toScreen(held);
    this.pan(at.x - moved.x, at.y - moved.y);
  }

  /**
   * @param {number} across  pixels of the device
   * @param {number} down
   */
  pan(across, down) {
    const middle = this.toImage({ x: this.pane.width / 2 - across, y: this.pane.height / 2 - down });
    const clamp = (/** @type {number} */ part) => Math.min(Math.max(part, 0), 1);
    this.centre = { x: clamp(middle.x / this.size.columns), y: clamp(middle.y / this.size.rows) };
    this.isFitted = false;
  }

  /** @param {number} quarters  clockwise */
  turn(quarters) {
    this.turns = (this.turns + quarters + 4) % 4;
    this.refit();
  }

  /** @param {"across"|"down"} direction  as it is seen */
  flip(direction) {
    this.mirrored = !this.mirrored;
    // What is turned by a quarter and mirrored is turned the other way round.
    this.turns = (4 - this.turns + (direction === "down" ? 2 : 0)) % 4;
  }

  /** The six numbers of a canvas transform from image to screen: x = a*c + c*r + e, y = b*c + d*r + f. */
  get matrix() {
    const [cosine, sine] = [[1, 0], [0, 1], [-1, 0], [0, -1]][this.turns];
    const across = this.zoom * (this.mirrored ? -1 : 1);
    const down = this.zoom * this.size.aspect;
    const [a, b, c, d] = [cosine * across, sine * across, -sine * down, cosine * down];
    const [x, y] = [this.centre.x * this.size.columns, this.centre.y * this.size.rows];
    return { a, b, c, d, e: this.pane.width / 2 - a * x - c * y, f: this.pane.height / 2 - b * x - d * y };
  }

  /** @param {Point} point @returns {Point} */
  toScreen(point) {
    const { a, b, c, d, e, f } = this.matrix;
    return { x: a * point.x + c * point.y + e, y: b * point.x + d * point.y + f };
  }

  /** @param {Point} point @returns {Point} */
  toImage(point) {
    const { a, b, c, d, e, f } = this.matrix;
    const [x, y, whole] = [point.x - e, point.y - f, a * d - b * c];
    return { x: (d * x - c * y) / whole, y: (a * y - b * x) / whole };
  }

  /**
   * The letters at the edges of the pane, from those at the edges of the image.
   * @param {{left: string, top: string, right: string, bottom: string}} edges
   */
  edgesShown(edges) {
    let [left, top, right, bottom] = [edges.left, edges.top, edges.right, edges.bottom];
    if (this.mirrored) [left, right] = [right, left];
    for (let turn = 0; turn < this.turns; turn += 1) [left, top, right, bottom] = [bottom, left, top, right];
    return { left, top, right, bottom };
  }

  /** Takes over how another image is seen: what part of it, how large against fitting, how turned. @param {View} other */
  follow(other) {
    [this.turns, this.mirrored, this.isFitted] = [other.turns, other.mirrored, other.isFitted];
    this.centre = { ...other.centre };
    this.zoom = (other.zoom / other.fittingZoom) * this.fittingZoom;
  }
}
