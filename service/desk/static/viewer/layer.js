// @ts-check
/** What is drawn over an image: marks of the detector, measures, the reader's box, letters and words at the edges. */

import { told } from "./measure.js";

/**
 * @typedef {import("./pane.js").Pane} Pane
 * @typedef {import("./view.js").Point} Point
 * @typedef {import("./pane.js").Box} Box
 */

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = 10;
const LARGE = 2400; // pixels of a window from which on everything is drawn larger, as desk.css has it
const LARGER = 1.35;

/** @param {Pane} pane */
export function drawLayer(pane) {
  const scale = (window.devicePixelRatio || 1) * (window.innerWidth >= LARGE ? LARGER : 1);
  const parts = [...marks(pane, scale), ...measures(pane, scale), ...readersBox(pane), ...edges(pane, scale)];
  pane.layer.replaceChildren(...parts);
}

/**
 * @param {string} name
 * @param {Record<string, string|number>} attributes
 * @param {string} [text]
 */
function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

/** @param {Pane} pane @param {Box} box @param {string} className */
function outline(pane, box, className) {
  const corners = cornersOf(box).map((corner) => pane.view.toScreen(corner));
  return element("polygon", { class: className, points: corners.map(({ x, y }) => `${x},${y}`).join(" ") });
}

/** @param {Box} box @returns {Point[]} */
const cornersOf = ({ columnMin: left, rowMin: top, columnMax: right, rowMax: bottom }) => [
  { x: left, y: top },
  { x: right, y: top },
  { x: right, y: bottom },
  { x: left, y: bottom },
];

/** @param {Pane} pane @param {number} scale */
function marks(pane, scale) {
  const { slice } = pane;
  if (!slice) return [];
  return pane.marks
    .filter((mark) => mark.sopInstanceUid === slice.image.sop_instance_uid && mark.frame === slice.frame)
    .flatMap((mark) => {
      const group = element("g", { class: "mark" });
      if (mark.heat) {
        const { a, b, c, d, e, f } = pane.view.matrix;
        const { columns, rows } = pane.view.size;
        const heat = { href: mark.heat, width: columns, height: rows, preserveAspectRatio: "none" };
        group.append(element("image", { ...heat, transform: `matrix(${a} ${b} ${c} ${d} ${e} ${f})` }));
      }
      mark.boxes.forEach((box, number) => {
        group.append(outline(pane, box, "box"));
        if (number === 0) {
          const top = topOf(cornersOf(box).map((corner) => pane.view.toScreen(corner)));
          group.append(label(pane, top.x, top.y - 6 * scale, mark.label, scale));
        }
      });
      return [group];
    });
}

/** The left end of the upper edge of a box as it is seen. @param {Point[]} corners */
function topOf(corners) {
  return { x: Math.min(...corners.map(({ x }) => x)), y: Math.min(...corners.map(({ y }) => y)) };
}

/** Words that stay within the pane. @param {Pane} pane @param {number} x @param {number} y @param {string} text @param {number} scale */
function label(pane, x, y, text, scale) {
  const size = 13 * scale;
  const room = Math.max(pane.canvas.width - text.length * size * 0.56 - MARGIN, MARGIN);
  return element(
    "text",
    { x: Math.min(Math.max(x, MARGIN), room), y: Math.min(Math.max(y, size * 2.6), pane.canvas.height - size), "font-size": size },
    text,
  );
}

/** @param {Pane} pane @param {number} scale */
function measures(pane, scale) {
  const { slice } = pane;
  if (!slice) return [];
  const drawn = [...(pane.measures.get(pane.key) ?? []), ...(pane.draft ? [pane.draft] : [])];
  return drawn.map((measure) => {
    const points = measure.points.map((point) => pane.view.toScreen(point));
    const group = element("g", { class: "measure" });
    group.append(element("polyline", { points: points.map(({ x, y }) => `${x},${y}`).join(" ") }));
    for (const { x, y } of points) group.append(element("circle", { cx: x, cy: y, r: 3 * scale }));
    const { text, words } = told(measure, slice.image);
    const last = points[measure.kind === "angle" ? Math.min(1, points.length - 1) : points.length - 1];
    group.append(element("title", {}, words), label(pane, last.x + 9 * scale, last.y - 9 * scale, text, scale));
    return group;
  });
}

/** @param {Pane} pane */
function readersBox(pane) {
  if (!pane.box || pane.box.key !== pane.key) return [];
  return [outline(pane, pane.box.box, pane.box.isDraft ? "own draft" : "own")];
}

/** @param {Pane} pane @param {number} scale */
function edges(pane, scale) {
  const given = pane.slice?.image.edges;
  if (!given) return [];
  const { left, top, right, bottom } = pane.view.edgesShown(given);
  const { width, height } = pane.canvas;
  const size = 15 * scale;
  const place = { "font-size": size, class: "edge" };
  return [
    element("text", { ...place, x: MARGIN * scale, y: height / 2 }, left),
    element("text", { ...place, x: width - MARGIN * scale, y: height / 2, "text-anchor": "end" }, right),
    element("text", { ...place, x: width / 2, y: size * 1.3, "text-anchor": "middle" }, top),
    element("text", { ...place, x: width / 2, y: height - size * 0.5, "text-anchor": "middle" }, bottom),
  ];
}
