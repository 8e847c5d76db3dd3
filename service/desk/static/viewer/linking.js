// @ts-check
/** Two panes that move together: what part is seen, and which image of the stack. */

/** @typedef {import("./pane.js").Pane} Pane */

export class Link {
  /** @param {Pane} first @param {Pane} second */
  constructor(first, second) {
    this.panes = [first, second];
    this.starts = this.panes.map((pane) => pane.at);
    this.places = this.panes.map(placeOf);
  }

  /** Brings the other pane to where this one is. @param {Pane} moved */
  follow(moved) {
    const from = this.panes.indexOf(moved);
    if (from < 0) return;
    const other = this.panes[1 - from];
    if (!other.frame || !moved.frame) return;
    other.view.follow(moved.view);
    const at = this.target(moved, from, other);
    if (at !== other.at) other.show(at);
    else other.redraw(false);
  }

  /** The image that belongs to the one that is seen: as far in millimetres where both say so, else as many on. */
  target(/** @type {Pane} */ moved, /** @type {number} */ from, /** @type {Pane} */ other) {
    const [start, otherStart] = [this.starts[from], this.starts[1 - from]];
    const [place, otherPlace, now] = [this.places[from], this.places[1 - from], placeOf(moved)];
    if (place === null || otherPlace === null || now === null) {
      return Math.min(Math.max(otherStart + moved.at - start, 0), other.slices.length - 1);
    }
    const wanted = otherPlace + now - place;
    let [nearest, distance] = [other.at, Infinity];
    other.slices.forEach((slice, at) => {
      const away = Math.abs((slice.image.positions_mm[slice.frame] ?? Infinity) - wanted);
      if (away < distance) [nearest, distance] = [at, away];
    });
    return nearest;
  }
}

/** Where the plane lies, in millimetres; null where the image does not say. @param {Pane} pane */
function placeOf(pane) {
  return pane.slice?.image.positions_mm[pane.slice.frame] ?? null;
}
