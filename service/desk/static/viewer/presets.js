// @ts-check
import { windowOf } from "./frame.js";

/** @typedef {import("./frame.js").Frame} Frame */
/** @typedef {import("./frame.js").Window} Window */
/** @typedef {{name: string, window: Window}} Preset */

/** Centre and width in HU. @type {ReadonlyArray<readonly [string, number, number]>} */
const CT = [
  ["Soft tissue", 40, 400],
  ["Lung", -600, 1500],
  ["Bone", 500, 2000],
  ["Brain", 40, 80],
  ["Subdural", 75, 250],
  ["Stroke", 35, 40],
  ["Liver", 90, 150],
];
/** Widths by that of the image's own window, for modalities without a scale. */
const RELATIVE = /** @type {const} */ ([
  ["High contrast", 0.5],
  ["Low contrast", 1.6],
]);

/**
 * The windows to choose from: what the image names, those of its modality, and its whole range.
 * @param {Frame} frame
 * @param {string} modality
 * @returns {Preset[]}
 */
export function presetsOf(frame, modality) {
  if (!frame.isGrey) return [];
  const own = frame.ownWindow;
  /** @type {Preset[]} */
  const named = frame.head.windows.map((item, number) => ({
    name: item.name || (number === 0 ? "As the image says" : `Image's window ${number + 1}`),
    window: { black: item.black, white: item.white, table: false },
  }));
  if (own.table) named.unshift({ name: "Table of the image", window: own });
  /** @type {Preset[]} */
  const usual =
    modality === "CT"
      ? CT.map(([name, centre, width]) => ({ name, window: windowOf(centre, width) }))
      : RELATIVE.map(([name, factor]) => ({ name, window: scaled(own, factor) }));
  return [...named, ...usual, { name: "Whole range", window: frame.wholeRange }];
}

/**
 * @param {Window} window
 * @param {number} factor
 * @returns {Window}
 */
function scaled(window, factor) {
  const middle = (window.black + window.white) / 2;
  const half = ((window.white - window.black) / 2) * factor;
  return { black: middle - half, white: middle + half, table: false };
}
