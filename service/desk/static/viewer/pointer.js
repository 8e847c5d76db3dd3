// @ts-check
/** Mouse, touchpad and fingers on a pane. Left: the chosen tool; middle: move; right: zoom; wheel: leaf or zoom. */

/**
 * @typedef {import("./pane.js").Pane} Pane
 * @typedef {import("./view.js").Point} Point
 * @typedef {"window"|"pan"|"zoom"|"length"|"angle"|"magnifier"|"box"} Tool
 * @typedef {{tool: Tool, follow: (pane: Pane) => void, activate: (pane: Pane) => void, told: () => void}} Desk
 */

const WHEEL_STEP = 40; // of what a wheel or a touchpad tells, for one image
const SPAN_PIXELS = 400; // dragged, for as much as the window is wide
const LEAST_BOX = 3; // image pixels a side

/** @param {Pane} pane @param {Desk} desk */
export function listen(pane, desk) {
  const { root } = pane;
  /** @type {Map<number, Point>} */
  const held = new Map();
  /** @type {Tool|null} */
  let doing = null;
  let wheel = 0;

  /** @param {MouseEvent} event @returns {Point} */
  const at = (event) => {
    const { left, top } = root.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    return { x: (event.clientX - left) * ratio, y: (event.clientY - top) * ratio };
  };

  root.addEventListener("contextmenu", (event) => event.preventDefault());
  root.addEventListener("pointerdown", (event) => {
    if (/** @type {HTMLElement} */ (event.target).closest("select, button")) return;
    event.preventDefault();
    root.focus({ preventScroll: true });
    desk.activate(pane);
    root.setPointerCapture(event.pointerId);
    held.set(event.pointerId, at(event));
    doing = event.button === 1 ? "pan" : event.button === 2 ? "zoom" : desk.tool;
    if (held.size === 1) begin(pane, doing, at(event));
  });
  root.addEventListener("pointermove", (event) => {
    const now = at(event);
    const before = held.get(event.pointerId);
    if (desk.tool === "magnifier") {
      pane.lens = now;
      pane.redraw(false);
    }
    if (pane.draft?.kind === "angle" && pane.draft.points.length > 1 && !before) {
      pane.draft.points[pane.draft.points.length - 1] = pane.view.toImage(now);
      pane.redraw(false);
    }
    pane.pointer = pane.view.toImage(now);
    desk.told();
    if (!before || doing === null) return;
    if (held.size === 2) pinch(pane, held, event.pointerId, now);
    else drag(pane, doing, before, now);
    held.set(event.pointerId, now);
    desk.follow(pane);
  });
  for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) {
    root.addEventListener(name, (event) => {
      if (!held.delete(event.pointerId) || held.size > 0 || doing === null) return;
      end(pane, doing);
      doing = null;
    });
  }
  root.addEventListener("pointerleave", () => {
    pane.pointer = null;
    if (pane.lens) {
      pane.lens = null;
      pane.redraw(false);
    }
    desk.told();
  });
  root.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      desk.activate(pane);
      if (event.ctrlKey || pane.slices.length < 2) {
        pane.view.zoomTo(pane.view.zoom * Math.exp(-event.deltaY / (event.ctrlKey ? 100 : 500)), at(event));
        pane.redraw(false);
      } else {
        wheel += event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * WHEEL_STEP : event.deltaY;
        const steps = Math.trunc(wheel / WHEEL_STEP);
        wheel -= steps * WHEEL_STEP;
        if (steps !== 0) pane.show(pane.at + Math.sign(steps) * Math.min(Math.abs(steps), 3));
      }
      desk.follow(pane);
    },
    { passive: false },
  );
}

/** @param {Pane} pane @param {Tool} tool @param {Point} at */
function begin(pane, tool, at) {
  const point = pane.view.toImage(at);
  if (tool === "length") pane.draft = { kind: "length", points: [point, point] };
  if (tool === "box") pane.draftBox({ columnMin: point.x, rowMin: point.y, columnMax: point.x, rowMax: point.y });
  if (tool === "angle") {
    if (pane.draft?.kind === "angle") pane.draft.points.push(point);
    else pane.draft = { kind: "angle", points: [point, point] };
  }
  pane.anchor = point;
}

/** @param {Pane} pane @param {Tool} tool @param {Point} before @param {Point} now */
function drag(pane, tool, before, now) {
  const [across, down] = [now.x - before.x, now.y - before.y];
  const point = pane.view.toImage(now);
  if (tool === "window") pane.moveWindow(across / SPAN_PIXELS, down / SPAN_PIXELS);
  if (tool === "pan") pane.view.pan(across, down);
  if (tool === "zoom") pane.view.zoomTo(pane.view.zoom * Math.exp(-down / 200));
  if ((tool === "length" || tool === "angle") && pane.draft) pane.draft.points[pane.draft.points.length - 1] = point;
  if (tool === "box" && pane.anchor) {
    const [a, b] = [pane.anchor, point];
    pane.draftBox({
      columnMin: Math.min(a.x, b.x),
      rowMin: Math.min(a.y, b.y),
      columnMax: Math.max(a.x, b.x),
      rowMax: Math.max(a.y, b.y),
    });
  }
  pane.redraw(false);
}

/** @param {Pane} pane @param {Tool} tool */
function end(pane, tool) {
  if (tool === "length" && pane.draft) pane.keepDraft();
  if (tool === "angle" && pane.draft) {
    if (pane.draft.points.length > 2) pane.keepDraft();
    else pane.draft.points.push(pane.draft.points[1]); // the second arm follows the pointer
  }
  if (tool === "box" && pane.box) {
    const { box } = pane.box;
    const isTiny = box.columnMax - box.columnMin < LEAST_BOX || box.rowMax - box.rowMin < LEAST_BOX;
    if (isTiny) pane.box = null;
    else pane.keepBox();
  }
  pane.redraw(false);
}

/** @param {Pane} pane @param {Map<number, Point>} held @param {number} moving @param {Point} now */
function pinch(pane, held, moving, now) {
  const [[, other]] = [...held].filter(([pointer]) => pointer !== moving);
  const before = /** @type {Point} */ (held.get(moving));
  const was = Math.hypot(before.x - other.x, before.y - other.y);
  const is = Math.hypot(now.x - other.x, now.y - other.y);
  if (was > 0) pane.view.zoomTo((pane.view.zoom * is) / was, { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
  pane.view.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  pane.redraw(false);
}
