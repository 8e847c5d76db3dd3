// @ts-check
/** Lengths and angles: in millimetres of the patient where the image is calibrated, and only there. */

/** @typedef {import("./view.js").Point} Point */
/** @typedef {{row_mm: number, column_mm: number, kind: "PATIENT"|"CALIBRATED"|"DETECTOR"|"UNKNOWN", words: string}} Spacing */
/** @typedef {{column_min: number, row_min: number, column_max: number, row_max: number, row_mm: number, column_mm: number}} Region */
/** @typedef {{spacing: Spacing|null, regions: Region[], aspect: number}} Calibrated */
/** @typedef {{kind: "length"|"angle", points: Point[]}} Measure */

/**
 * Size of a pixel in millimetres of the patient around some points; null where it is not known.
 * @param {Calibrated} image
 * @param {Point[]} points
 */
export function scaleAt(image, points) {
  const { spacing } = image;
  if (spacing && (spacing.kind === "PATIENT" || spacing.kind === "CALIBRATED")) {
    return { across: spacing.column_mm, down: spacing.row_mm, words: spacing.words };
  }
  const holds = image.regions.find((region) =>
    points.every(
      ({ x, y }) => x >= region.column_min && x <= region.column_max + 1 && y >= region.row_min && y <= region.row_max + 1,
    ),
  );
  return holds ? { across: holds.column_mm, down: holds.row_mm, words: "scale of the ultrasound region" } : null;
}

/**
 * What a measure says, and of what kind it is.
 * @param {Measure} measure
 * @param {Calibrated} image
 * @returns {{text: string, words: string}}
 */
export function told(measure, image) {
  const scale = scaleAt(image, measure.points);
  const words = scale ? scale.words : (image.spacing?.words ?? "no spacing in the image");
  const [across, down] = scale ? [scale.across, scale.down] : [1, image.aspect];
  const at = measure.points.map(({ x, y }) => ({ x: x * across, y: y * down }));
  if (measure.kind === "angle") {
    if (at.length < 3) return { text: "", words };
    return { text: `${angleOf(at[0], at[1], at[2]).toFixed(1)}°`, words };
  }
  if (at.length < 2) return { text: "", words };
  const length = Math.hypot(at[1].x - at[0].x, at[1].y - at[0].y);
  return scale ? { text: `${length.toFixed(1)} mm`, words } : { text: `${Math.round(length)} px`, words };
}

/** Angle at the second point, in degrees from 0 to 180. @param {Point} a @param {Point} tip @param {Point} b */
function angleOf(a, tip, b) {
  const [ax, ay, bx, by] = [a.x - tip.x, a.y - tip.y, b.x - tip.x, b.y - tip.y];
  return (Math.abs(Math.atan2(ax * by - ay * bx, ax * bx + ay * by)) * 180) / Math.PI;
}
