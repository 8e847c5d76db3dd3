// @ts-check
import { centreAndWidth } from "./frame.js";
import { addressOf, LoadError, slicesOf } from "./load.js";
import { drawLayer } from "./layer.js";
import { presetsOf } from "./presets.js";
import { View } from "./view.js";

/**
 * @typedef {import("./frame.js").Frame} Frame
 * @typedef {import("./frame.js").Window} Window
 * @typedef {import("./load.js").Stack} Stack
 * @typedef {import("./load.js").Slice} Slice
 * @typedef {import("./measure.js").Measure} Measure
 * @typedef {import("./marks.js").Mark} Mark
 * @typedef {{sopInstanceUid: string, frame: number}} Place
 * @typedef {{columnMin: number, rowMin: number, columnMax: number, rowMax: number}} Box
 */

const NEAR = 12; // frames fetched behind the one that is seen, before all others ahead of it
const LENS_RADIUS = 110;
const LENS_TIMES = 2.5;

/** One image area: a stack of frames, of which one is seen. */
export class Pane {
  /**
   * @param {HTMLElement} root  the focusable element
   * @param {import("./load.js").Frames} frames
   * @param {() => void} changed  called after every drawing
   */
  constructor(root, frames, changed) {
    this.root = root;
    this.frames = frames;
    this.changed = changed;
    this.canvas = /** @type {HTMLCanvasElement} */ (root.querySelector("canvas"));
    this.layer = /** @type {SVGSVGElement} */ (root.querySelector("svg"));
    this.says = /** @type {HTMLElement} */ (root.querySelector(".says"));
    this.picture = document.createElement("canvas"); // the frame at its own size
    this.view = new View();
    /** @type {Stack[]} */
    this.stacks = [];
    this.stackAt = 0;
    /** @type {Slice[]} */
    this.slices = [];
    this.at = 0;
    /** @type {Frame|null} */
    this.frame = null;
    /** @type {Slice|null} */
    this.shown = null; // whose frame is on the canvas
    /** @type {Window|null} */
    this.chosen = null; // null: that of the frame
    this.presetAt = 0;
    this.inverted = false;
    /** @type {Map<string, Measure[]>} */
    this.measures = new Map();
    /** @type {Measure|null} */
    this.draft = null;
    /** @type {{key: string, box: Box, isDraft: boolean}|null} */
    this.box = null;
    /** @type {import("./view.js").Point|null} */
    this.lens = null;
    /** @type {Mark[]} */
    this.marks = [];
    /** @type {import("./view.js").Point|null} */
    this.pointer = null; // where it is on the image
    /** @type {import("./view.js").Point|null} */
    this.anchor = null; // where a drag began
    this.drawn = 0; // frames that were brought to the screen, for who measures
    this.halvings = 0; // of what is painted
    this.factor = 1;
    this.isStale = true; // whether the picture has to be painted again
    this.isAsked = false;
    this.direction = 1;
    new ResizeObserver(() => this.resize()).observe(root);
    this.resize();
  }

  get slice() {
    return /** @type {Slice|undefined} */ (this.slices[this.at]);
  }

  get window() {
    return this.chosen ?? this.frame?.ownWindow ?? { black: 0, white: 1, table: false };
  }

  get presets() {
    return this.frame ? presetsOf(this.frame, this.slice?.image.modality ?? "") : [];
  }

  /** What tells one frame from all others. */
  get key() {
    return this.slice ? addressOf(this.slice.image.sop_instance_uid, this.slice.frame) : "";
  }

  /**
   * @param {Stack[]} stacks
   * @param {Place|null} first  that is to be seen
   */
  async open(stacks, first) {
    this.stacks = stacks;
    const at = stacks.findIndex((stack) => stack.images.some((image) => image.sop_instance_uid === first?.sopInstanceUid));
    await this.openStack(Math.max(at, 0), first);
  }

  /** @param {number} number @param {Place|null} [first] */
  async openStack(number, first = null) {
    const stack = this.stacks[number];
    if (!stack) return;
    this.stackAt = number;
    this.slices = slicesOf(stack);
    this.chosen = null;
    this.presetAt = 0;
    const at = this.slices.findIndex(
      ({ image, frame }) => image.sop_instance_uid === first?.sopInstanceUid && frame === first.frame,
    );
    await this.show(Math.max(at, 0));
  }

  /** Brings a frame of the stack to the screen, as soon as it is there. @param {number} at */
  async show(at) {
    const last = this.slices.length - 1;
    if (last < 0) return;
    const wanted = Math.min(Math.max(at, 0), last);
    this.direction = wanted < this.at ? -1 : 1;
    this.at = wanted;
    const { key } = this;
    const there = this.frames.at(key);
    this.prefetch();
    try {
      const frame = there ?? (await this.frames.get(key));
      if (this.key !== key) return; // another one is wanted by now
      this.take(frame);
    } catch (error) {
      if (this.key !== key) return;
      this.frame = null;
      this.shown = null;
      this.tell(error instanceof LoadError ? error.message : "The image cannot be shown.");
    }
    this.redraw(true);
  }

  /** @param {Frame} frame */
  take(frame) {
    const slice = /** @type {Slice} */ (this.slice);
    const { rows, columns } = frame.head;
    const size = { columns, rows, aspect: slice.image.aspect };
    const before = this.view.size;
    const isOther = before.columns !== columns || before.rows !== rows || before.aspect !== size.aspect;
    this.view.size = size;
    if (isOther) this.view.fit();
    if (this.frame && this.shown?.image.series_instance_uid !== slice.image.series_instance_uid) this.chosen = null;
    this.frame = frame;
    this.shown = slice;
    this.tell("");
  }

  /**
   * Moves the window by parts of its width: across makes it wider, down makes the image darker.
   * @param {number} across
   * @param {number} down
   */
  moveWindow(across, down) {
    if (!this.frame?.isGrey) return;
    const { black, white } = this.window;
    const least = Math.abs(this.frame.head.slope);
    const half = Math.max(((white - black) / 2) * (1 + across), least / 2);
    const sign = this.frame.head.inverted !== this.inverted ? -1 : 1;
    const middle = (black + white) / 2 + (white - black) * down * sign;
    this.chosen = { black: middle - half, white: middle + half, table: false };
    this.redraw(true);
  }

  /** @param {number} step  to the next preset or the one before */
  stepPreset(step) {
    const { presets } = this;
    if (presets.length === 0) return "";
    this.presetAt = (this.presetAt + step + presets.length) % presets.length;
    this.chosen = presets[this.presetAt].window;
    this.redraw(true);
    return presets[this.presetAt].name;
  }

  /** @param {Box} box */
  draftBox({ columnMin, rowMin, columnMax, rowMax }) {
    const { columns, rows } = this.view.size;
    const within = (/** @type {number} */ value, /** @type {number} */ most) => Math.min(Math.max(value, 0), most);
    const box = {
      columnMin: within(columnMin, columns),
      rowMin: within(rowMin, rows),
      columnMax: within(columnMax, columns),
      rowMax: within(rowMax, rows),
    };
    this.box = { key: this.key, box, isDraft: true };
  }

  /** Tells the page of the reader's box: `viewer:box`, with the place in the image as it is stored. */
  keepBox() {
    const { slice } = this;
    if (!this.box || !slice) return;
    this.box.isDraft = false;
    const round = (/** @type {number} */ value) => Math.round(value * 10) / 10;
    const { columnMin, rowMin, columnMax, rowMax } = this.box.box;
    const detail = {
      sopInstanceUid: slice.image.sop_instance_uid,
      frame: slice.frame,
      columnMin: round(columnMin),
      rowMin: round(rowMin),
      columnMax: round(columnMax),
      rowMax: round(rowMax),
    };
    this.root.dispatchEvent(new CustomEvent("viewer:box", { bubbles: true, detail }));
    this.redraw(false);
  }

  keepDraft() {
    if (!this.draft) return;
    const kept = this.measures.get(this.key) ?? [];
    this.measures.set(this.key, [...kept, this.draft]);
    this.draft = null;
  }

  /** Takes back what was drawn last on this frame: a box, else a measure. */
  takeBack() {
    if (this.draft) {
      this.draft = null;
    } else if (this.box?.key === this.key) {
      this.box = null;
      this.root.dispatchEvent(new CustomEvent("viewer:box-removed", { bubbles: true }));
    } else {
      this.measures.set(this.key, (this.measures.get(this.key) ?? []).slice(0, -1));
    }
    this.redraw(false);
  }

  prefetch() {
    const order = [];
    for (let step = 1; step < this.slices.length; step += 1) {
      order.push(this.at + step * this.direction);
      if (step <= NEAR) order.push(this.at - step * this.direction);
    }
    for (let step = NEAR + 1; step < this.slices.length; step += 1) order.push(this.at - step * this.direction);
    const addresses = order
      .filter((at) => at >= 0 && at < this.slices.length)
      .map((at) => addressOf(this.slices[at].image.sop_instance_uid, this.slices[at].frame));
    this.frames.prefetch(this, addresses);
  }

  /** @param {string} words */
  tell(words) {
    this.says.textContent = words;
    this.says.hidden = !words;
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(Math.round(this.root.clientWidth * ratio), 1);
    const height = Math.max(Math.round(this.root.clientHeight * ratio), 1);
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.layer.setAttribute("viewBox", `0 0 ${width} ${height}`);
    }
    this.view.pane = { width, height };
    this.view.refit();
    this.redraw(false);
  }

  /** Draws before the screen is shown next. @param {boolean} stale  whether grey values look different now */
  redraw(stale) {
    this.isStale ||= stale;
    if (this.isAsked) return;
    this.isAsked = true;
    requestAnimationFrame(() => {
      this.isAsked = false;
      this.draw();
      this.changed();
    });
  }

  draw() {
    const context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d", { alpha: false }));
    context.resetTransform();
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    if (!this.frame) {
      this.layer.replaceChildren();
      return;
    }
    const zoom = this.view.zoom * (this.lens ? LENS_TIMES : 1);
    const halvings = Math.max(Math.floor(Math.log2(1 / zoom)), 0);
    if (this.isStale || halvings !== this.halvings) this.paint(this.frame, halvings);
    this.stamp(context, this.view);
    if (this.lens) this.magnify(context, this.lens);
    drawLayer(this);
    this.root.setAttribute("aria-label", this.words);
    this.root.dataset.shown = this.key;
  }

  /** @param {Frame} frame @param {number} halvings  of its sides: no more pixels than are seen */
  paint(frame, halvings) {
    const level = frame.level(halvings);
    const { rows, columns } = level;
    this.halvings = halvings;
    this.factor = level.factor;
    if (this.picture.width !== columns || this.picture.height !== rows || !this.pixels) {
      this.picture.width = columns;
      this.picture.height = rows;
      this.pixels = new ImageData(columns, rows);
    }
    frame.paint(new Uint32Array(this.pixels.data.buffer), level, this.window, this.inverted);
    const context = /** @type {CanvasRenderingContext2D} */ (
      this.picture.getContext("2d", { alpha: false, willReadFrequently: true })
    );
    context.putImageData(this.pixels, 0, 0);
    this.isStale = false;
    this.drawn += 1;
    // Where somebody measures from the click to the first image: the screen shows it before the next one is made.
    if (this.drawn === 1) requestAnimationFrame(() => performance.mark("first-image"));
  }

  /** @param {CanvasRenderingContext2D} context @param {View} view */
  stamp(context, view) {
    const { a, b, c, d, e, f } = view.matrix;
    const isWhole = Math.abs(a) + Math.abs(b) === 1 && view.size.aspect === 1;
    context.setTransform(a, b, c, d, isWhole ? Math.round(e) : e, isWhole ? Math.round(f) : f);
    context.imageSmoothingEnabled = !isWhole;
    context.imageSmoothingQuality = view.zoom * this.factor < 0.5 ? "medium" : "low"; // colour is not reduced
    const { width, height } = this.picture;
    context.drawImage(this.picture, 0, 0, width * this.factor, height * this.factor);
    context.resetTransform();
  }

  /** @param {CanvasRenderingContext2D} context @param {import("./view.js").Point} at */
  magnify(context, at) {
    const radius = LENS_RADIUS * (window.devicePixelRatio || 1);
    const near = new View();
    Object.assign(near, { ...this.view, centre: { ...this.view.centre } });
    near.zoomTo(this.view.zoom * LENS_TIMES, at);
    context.save();
    context.beginPath();
    context.arc(at.x, at.y, radius, 0, 2 * Math.PI);
    context.clip();
    context.fillStyle = "#000";
    context.fill();
    this.stamp(context, near);
    context.restore();
    context.beginPath();
    context.arc(at.x, at.y, radius, 0, 2 * Math.PI);
    context.strokeStyle = "#a7b0b8";
    context.lineWidth = 2;
    context.stroke();
  }

  /** What is seen, in words. */
  get words() {
    const { slice } = this;
    if (!slice) return "No image";
    const parts = [`${slice.image.modality} ${slice.image.view}`.trim()];
    if (this.slices.length > 1) parts.push(`image ${this.at + 1} of ${this.slices.length}`);
    if (this.frame?.isGrey && !this.window.table) {
      const { centre, width } = centreAndWidth(this.window);
      parts.push(`window ${Math.round(centre)} / ${Math.round(width)}`);
    }
    parts.push(`${Math.round(this.view.zoom * 100)} %`);
    return parts.join(", ");
  }
}
