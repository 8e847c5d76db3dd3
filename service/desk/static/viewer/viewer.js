// @ts-check
import { centreAndWidth } from "./frame.js";
import { bindKeys } from "./keys.js";
import { Link } from "./linking.js";
import { addressOf, fetchAhead, Frames, loadStacks, LoadError } from "./load.js";
import { marksIn } from "./marks.js";
import { Pane } from "./pane.js";
import { listen } from "./pointer.js";

/**
 * @typedef {import("./pointer.js").Tool} Tool
 * @typedef {import("./pane.js").Box} Box
 */

const STEP = 0.05; // of the window's width, and of the pane, for a key
const ZOOM_STEP = 1.25;
const LEAPS = 10; // images
const BOX_SHARE = 0.2; // of the shorter side, of a box drawn by keys
const FIRST_MS = 100; // of a film that does not say its pace
const NEXT_MS = 400; // after which the next case is fetched

class Viewer {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.frames = new Frames();
    /** @type {Tool} */
    this.tool = "window";
    const places = /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll(".pane"));
    this.panes = Array.from(places, (place) => new Pane(place, this.frames, () => this.told()));
    this.active = this.panes[0];
    /** @type {Link|null} */
    this.link = null;
    this.cine = 0;
    this.panes[0].marks = marksIn(root);
    for (const pane of this.panes) {
      listen(pane, this);
      pane.root.addEventListener("focus", () => this.activate(pane));
      this.seriesOf(pane).addEventListener("change", () => {
        this.openSeries(pane, Number(this.seriesOf(pane).value));
        pane.root.focus();
      });
    }
    this.priors = /** @type {HTMLSelectElement|null} */ (root.querySelector("select.priors"));
    this.priors?.addEventListener("change", () => this.openPrior());
    root.addEventListener("viewer:draw-box", () => this.choose("box"));
    bindKeys(root, this);
  }

  async open() {
    const { dataset } = this.root;
    const [first] = this.panes;
    const place = dataset.firstInstance
      ? { sopInstanceUid: dataset.firstInstance, frame: Number(dataset.firstFrame ?? 0) }
      : null;
    if (place) this.frames.get(addressOf(place.sopInstanceUid, place.frame)).catch(() => null); // both at once
    first.root.focus({ preventScroll: true });
    try {
      await first.open(await loadStacks(Number(dataset.case)), place);
      this.fillSeries(first);
      if (first.stacks.length === 0) first.tell("No image of this study can be shown.");
    } catch (error) {
      first.tell(error instanceof LoadError ? error.message : "The images cannot be shown.");
      return;
    }
    if (dataset.next) {
      setTimeout(() => fetchAhead(Number(dataset.next)).catch(() => null), NEXT_MS); // it is loaded when it is opened
    }
  }

  /** @param {Pane} pane */
  seriesOf(pane) {
    return /** @type {HTMLSelectElement} */ (pane.root.querySelector("select.series"));
  }

  /** @param {Pane} pane */
  fillSeries(pane) {
    const select = this.seriesOf(pane);
    select.replaceChildren(
      ...pane.stacks.map((stack, number) => {
        const count = stack.images.reduce((sum, image) => sum + image.frames, 0);
        const words = [stack.modality, stack.description || (stack.number ?? ""), `(${count})`];
        return new Option(words.filter(Boolean).join(" "), String(number));
      }),
    );
    select.value = String(pane.stackAt);
    select.hidden = pane.stacks.length < 2;
  }

  /** @param {Pane} pane */
  activate(pane) {
    this.active = pane;
    for (const each of this.panes) each.root.classList.toggle("active", each === pane && !this.panes[1].root.hidden);
  }

  /** @param {Pane} moved */
  follow(moved) {
    this.link?.follow(moved);
  }

  /** Brings words and buttons up to date with what is seen. */
  told() {
    const pane = this.active;
    const place = /** @type {HTMLElement} */ (this.root.querySelector(".place"));
    const parts = [];
    if (pane.slices.length > 1) parts.push(`${pane.at + 1} / ${pane.slices.length}`);
    if (pane.frame?.isGrey) {
      const { centre, width } = centreAndWidth(pane.window);
      parts.push(pane.window.table ? "table" : `C ${short(centre)} W ${short(width)}`);
    }
    parts.push(`${Math.round(pane.view.zoom * 100)} %`);
    if (pane.pointer && pane.frame) {
      const value = pane.frame.valueAt(Math.floor(pane.pointer.x), Math.floor(pane.pointer.y));
      if (value !== null) parts.push(`${short(value)}${pane.slice?.image.modality === "CT" ? " HU" : ""}`);
    }
    const spacing = pane.slice?.image.spacing;
    place.textContent = parts.join(" · ");
    place.title = spacing ? spacing.words : "No spacing in the image";
    for (const button of this.root.querySelectorAll("[data-tool]")) {
      button.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (button).dataset.tool === this.tool));
    }
    if (!this.panes[1].root.hidden) this.root.dataset.linked = String(this.link !== null);
  }

  /** @param {Tool} tool */
  choose(tool) {
    const pane = this.active;
    this.tool = tool === this.tool && tool !== "box" ? "window" : tool;
    pane.draft = null;
    pane.lens = this.tool === "magnifier" ? { x: pane.view.pane.width / 2, y: pane.view.pane.height / 2 } : null;
    if (this.tool === "box" && pane.frame) {
      const middle = pane.view.toImage({ x: pane.view.pane.width / 2, y: pane.view.pane.height / 2 });
      const half = (Math.min(pane.view.size.columns, pane.view.size.rows) * BOX_SHARE) / 2;
      pane.draftBox({
        columnMin: middle.x - half,
        rowMin: middle.y - half,
        columnMax: middle.x + half,
        rowMax: middle.y + half,
      });
    } else if (pane.box?.isDraft) {
      pane.box = null;
    }
    pane.redraw(false);
  }

  /** Whether a box is drawn by keys at the moment. */
  get isDrawing() {
    return this.tool === "box" && this.active.box?.isDraft === true && this.active.box.key === this.active.key;
  }

  finishBox() {
    this.active.keepBox();
    this.tool = "window";
    this.active.redraw(false);
  }

  /** @param {(pane: Pane) => void} change */
  changeView(change) {
    change(this.active);
    this.active.redraw(false);
    this.follow(this.active);
  }

  /** @param {number} step */
  leaf(step) {
    this.active.show(this.active.at + step);
    this.follow(this.active);
  }

  /** @param {number} step */
  async stepSeries(step) {
    const pane = this.active;
    const at = pane.stackAt + step;
    if (at >= 0 && at < pane.stacks.length) await this.openSeries(pane, at);
  }

  /** @param {Pane} pane @param {number} at */
  async openSeries(pane, at) {
    await pane.openStack(at);
    this.seriesOf(pane).value = String(at);
    if (this.link) this.link = new Link(this.panes[0], this.panes[1]); // what is seen now belongs together
  }

  toggleCine() {
    clearTimeout(this.cine);
    const isRunning = this.root.dataset.cine === "true";
    this.root.dataset.cine = String(!isRunning);
    if (!isRunning) this.play(this.active);
  }

  /** @param {Pane} pane */
  play(pane) {
    const pace = pane.slice?.image.frame_ms ?? FIRST_MS;
    this.cine = window.setTimeout(async () => {
      await pane.show((pane.at + 1) % Math.max(pane.slices.length, 1));
      if (this.root.dataset.cine === "true") this.play(pane);
    }, pace);
  }

  async openPrior() {
    const [first, second] = this.panes;
    const option = this.priors?.selectedOptions[0];
    if (!option) return;
    second.root.hidden = false;
    this.root.classList.add("compared");
    for (const pane of this.panes) pane.resize();
    try {
      await second.open(await loadStacks(Number(option.value)), null);
      this.fillSeries(second);
      if (second.stacks.length === 0) second.tell("No image of this study can be shown.");
      second.root.dataset.words = option.text;
      if (first.frame && second.frame) this.link = new Link(first, second);
    } catch (error) {
      second.tell(error instanceof LoadError ? error.message : "The images cannot be shown.");
    }
    this.activate(first);
    this.told();
  }

  togglePrior() {
    const [first, second] = this.panes;
    if (!this.priors) return;
    if (second.root.hidden) {
      this.openPrior();
      return;
    }
    second.root.hidden = true;
    this.link = null;
    this.root.classList.remove("compared");
    first.resize();
    this.activate(first);
    first.root.focus({ preventScroll: true });
  }

  toggleLink() {
    const [first, second] = this.panes;
    if (second.root.hidden) return;
    this.link = this.link ? null : new Link(first, second);
    this.link?.follow(this.active);
    this.told();
  }

  nextPrior() {
    if (!this.priors || this.panes[1].root.hidden) return;
    this.priors.selectedIndex = (this.priors.selectedIndex + 1) % this.priors.options.length;
    this.openPrior();
  }

  toggleOverlay() {
    const hidden = this.root.classList.toggle("without-overlay");
    const button = this.root.querySelector("[data-action=overlay]");
    button?.setAttribute("aria-pressed", String(!hidden));
    const word = button?.querySelector(".word");
    if (word) word.textContent = hidden ? "Show overlay" : "Hide overlay";
  }

  expand() {
    document.querySelector(".case")?.classList.toggle("images-only");
  }

  /** What each key and button does, by its name in service/desk/viewerkeys.py. @type {Record<string, () => unknown>} */
  actions = {
    "next-preset": () => this.active.stepPreset(1),
    "previous-preset": () => this.active.stepPreset(-1),
    brighter: () => this.active.moveWindow(0, -STEP),
    darker: () => this.active.moveWindow(0, STEP),
    wider: () => this.active.moveWindow(2 * STEP, 0),
    narrower: () => this.active.moveWindow(-2 * STEP, 0),
    invert: () => {
      this.active.inverted = !this.active.inverted;
      this.active.redraw(true);
    },
    "zoom-in": () => this.changeView((pane) => pane.view.zoomTo(pane.view.zoom * ZOOM_STEP)),
    "zoom-out": () => this.changeView((pane) => pane.view.zoomTo(pane.view.zoom / ZOOM_STEP)),
    fit: () => this.changeView((pane) => pane.view.fit()),
    "one-to-one": () => this.changeView((pane) => pane.view.zoomTo(1)),
    "turn-right": () => this.changeView((pane) => pane.view.turn(1)),
    "turn-left": () => this.changeView((pane) => pane.view.turn(-1)),
    "flip-across": () => this.changeView((pane) => pane.view.flip("across")),
    "flip-down": () => this.changeView((pane) => pane.view.flip("down")),
    "pan-left": () => this.changeView((pane) => pane.view.pan(pane.view.pane.width * STEP, 0)),
    "pan-right": () => this.changeView((pane) => pane.view.pan(-pane.view.pane.width * STEP, 0)),
    "pan-up": () => this.changeView((pane) => pane.view.pan(0, pane.view.pane.height * STEP)),
    "pan-down": () => this.changeView((pane) => pane.view.pan(0, -pane.view.pane.height * STEP)),
    "pan-tool": () => this.choose("pan"),
    length: () => this.choose("length"),
    angle: () => this.choose("angle"),
    magnifier: () => this.choose("magnifier"),
    box: () => this.choose("box"),
    "put-down": () => {
      this.choose("window");
      this.tool = "window";
      this.told();
    },
    "take-back": () => this.active.takeBack(),
    "next-image": () => this.leaf(1),
    "previous-image": () => this.leaf(-1),
    "leap-on": () => this.leaf(LEAPS),
    "leap-back": () => this.leaf(-LEAPS),
    "first-image": () => this.leaf(-this.active.slices.length),
    "last-image": () => this.leaf(this.active.slices.length),
    "next-series": () => this.stepSeries(1),
    "previous-series": () => this.stepSeries(-1),
    cine: () => this.toggleCine(),
    prior: () => this.togglePrior(),
    "next-prior": () => this.nextPrior(),
    link: () => this.toggleLink(),
    overlay: () => this.toggleOverlay(),
    expand: () => this.expand(),
  };
}

/** A number with as many digits as it needs. @param {number} value */
function short(value) {
  return Math.abs(value) >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toPrecision(3);
}

/** @type {HTMLElement|null} */
const root = document.querySelector(".viewer[data-case]");
if (root) {
  const viewer = new Viewer(root);
  Object.assign(window, { viewer }); // for whoever measures, and for the console
  viewer.open();
}

export { Viewer };
