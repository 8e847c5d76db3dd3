// @ts-check
/** Boxes, lengths and angles drawn by keys: arrows move, as it is seen on the screen, and Enter goes on. */

/** @typedef {import("./viewer.js").Viewer} Viewer */
/** @typedef {import("./pane.js").Pane} Pane */

/** @type {Record<string, readonly [number, number]>} */
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEPS = 100; // of the longer side; with Shift ten times as fine for a point
const POINTS = { length: 2, angle: 3 };

/**
 * Takes a key where something is drawn by keys, and returns whether it did.
 * @param {KeyboardEvent} event
 * @param {Viewer} viewer
 */
export function drawsByKeys(event, viewer) {
  const pane = viewer.active;
  if (!pane.frame || (event.key !== "Enter" && !(event.key in MOVES))) return false;
  if (viewer.tool === "length" || viewer.tool === "angle") point(pane, viewer.tool, event);
  else if (viewer.isDrawing) box(pane, viewer, event);
  else return false;
  event.preventDefault();
  pane.redraw(false);
  return true;
}

/** The first Enter or arrow puts a point in the middle; each Enter fixes one. @param {Pane} pane @param {"length"|"angle"} kind @param {KeyboardEvent} event */
function point(pane, kind, event) {
  const { width, height } = pane.view.pane;
  pane.draft ??= { kind, points: [pane.view.toImage({ x: width / 2, y: height / 2 })] };
  const { points } = pane.draft;
  const last = points[points.length - 1];
  if (event.key === "Enter") {
    if (points.length < POINTS[kind]) points.push({ ...last });
    else pane.keepDraft();
    return;
  }
  const [across, down] = direction(pane, event.key);
  const step = stepOf(pane) / (event.shiftKey ? 10 : 1);
  points[points.length - 1] = { x: last.x + across * step, y: last.y + down * step };
}

/** Arrows move the box, with Shift its far corner. @param {Pane} pane @param {Viewer} viewer @param {KeyboardEvent} event */
function box(pane, viewer, event) {
  if (event.key === "Enter") {
    viewer.finishBox();
    return;
  }
  if (!pane.box) return;
  const [across, down] = direction(pane, event.key);
  const step = stepOf(pane);
  const moves = event.shiftKey ? 0 : step;
  const { columnMin, rowMin, columnMax, rowMax } = pane.box.box;
  pane.draftBox({
    columnMin: columnMin + across * moves,
    rowMin: rowMin + down * moves,
    columnMax: Math.max(columnMax + across * step, columnMin + step),
    rowMax: Math.max(rowMax + down * step, rowMin + step),
  });
}

/** @param {Pane} pane */
const stepOf = (pane) => Math.max(pane.view.size.columns, pane.view.size.rows) / STEPS;

/** What an arrow means in the image, however it is turned. @param {Pane} pane @param {string} key */
function direction(pane, key) {
  const [x, y] = MOVES[key];
  const [from, to] = [pane.view.toImage({ x: 0, y: 0 }), pane.view.toImage({ x, y })];
  return [Math.sign(Math.round((to.x - from.x) * 1e6)), Math.sign(Math.round((to.y - from.y) * 1e6))];
}
