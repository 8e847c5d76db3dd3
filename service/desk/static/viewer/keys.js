// @ts-check
/** The viewer's keys, as the help of the page lists them (service/desk/viewerkeys.py), and its buttons. */

import { drawsByKeys } from "./pointing.js";

/** @typedef {import("./viewer.js").Viewer} Viewer */

/**
 * @param {HTMLElement} root
 * @param {Viewer} viewer
 */
export function bindKeys(root, viewer) {
  /** @type {Map<string, {action: string, inPane: boolean}>} */
  const keys = new Map();
  for (const item of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-viewer-key]"))) {
    const { viewerKey = "", viewerAction = "", inPane } = item.dataset;
    keys.set(viewerKey, { action: viewerAction, inPane: inPane !== undefined });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest("input, textarea, select, dialog[open]") || document.querySelector("dialog[open]")) return;
    const isInPane = target.closest(".pane") !== null;
    if (isInPane && drawsByKeys(event, viewer)) return;
    // A letter comes with its case; what Shift adds to arrows and the like has a name of its own.
    const name = event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
    const bound = keys.get(name);
    if (!bound || (bound.inPane && !isInPane)) return;
    const leafs = ["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", " "].includes(name);
    if (leafs && viewer.active.slices.length < 2) return; // the page may scroll
    event.preventDefault();
    viewer.actions[bound.action]();
  });
  root.addEventListener("click", (event) => {
    const button = /** @type {HTMLElement} */ (event.target).closest("[data-action]");
    if (!(button instanceof HTMLElement)) return;
    event.preventDefault();
    viewer.actions[button.dataset.action ?? ""]?.();
    viewer.active.root.focus({ preventScroll: true }); // keys go on where they were
  });
}
