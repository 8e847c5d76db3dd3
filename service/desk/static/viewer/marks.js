// @ts-check
/**
 * The detector's marks, as the page lists them in words.
 *
 * @typedef {object} Mark
 * @property {string} sopInstanceUid
 * @property {number} frame  counted from 0
 * @property {string} label  finding, probability and model
 * @property {string|null} heat  address of the heat map, as large as the image
 * @property {import("./pane.js").Box[]} boxes
 */

/** @param {ParentNode} root @returns {Mark[]} */
export function marksIn(root) {
  return Array.from(/** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-mark]")), (item) => ({
    sopInstanceUid: item.dataset.instance ?? "",
    frame: Number(item.dataset.frame),
    label: (item.textContent ?? "").trim(),
    heat: item.dataset.heat || null,
    boxes: (item.dataset.boxes ?? "")
      .split(";")
      .filter(Boolean)
      .map((text) => {
        const [columnMin, rowMin, columnMax, rowMax] = text.split(" ").map(Number);
        return { columnMin, rowMin, columnMax, rowMax };
      }),
  }));
}
