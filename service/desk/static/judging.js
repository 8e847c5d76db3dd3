// Keys of the judging part: a verdict, a digit, Enter. Everything here is also reachable by the form itself.
"use strict";

(() => {
  const part = document.querySelector(".judging");
  const form = part?.querySelector("form.judge");
  const undo = part?.querySelector("form.undo");
  if (!part) return;

  const steps = form ? Array.from(form.querySelectorAll("[data-step]")) : [];
  let at = 0;

  function go(to) {
    at = Math.min(to, steps.length - 1);
    for (const [number, step] of steps.entries()) step.classList.toggle("at", number === at);
    steps[at]?.scrollIntoView({ block: "nearest" });
  }

  const chosen = (step, selector) => step?.querySelector(`${selector}:checked`);

  // Causes belong to a flag that is not confirmed; what was picked before goes with them.
  function show(step) {
    const rejected = chosen(step, "[data-verdict]")?.dataset.verdict === "n";
    step.classList.toggle("rejected", rejected);
    if (!rejected) for (const cause of step.querySelectorAll(".causes input")) cause.checked = false;
    for (const cause of step.querySelectorAll(".causes input")) cause.required = rejected;
    return rejected;
  }

  function pick(input) {
    input.checked = true;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function verdict(key) {
    const step = steps[at];
    const input = step?.querySelector(`[data-verdict="${key}"]`);
    if (!input) return false;
    pick(input);
    return true;
  }

  function digit(key) {
    const step = steps[at];
    const input = step?.querySelector(`[data-digit="${key}"]`);
    if (!input || (step.classList.contains("flag") && !step.classList.contains("rejected"))) return false;
    pick(input);
    return true;
  }

  // Who begins to judge has the case; where another reader has it, that is said before more is typed.
  let isClaimed = false;
  async function claimOnce() {
    if (isClaimed || !form || part.dataset.claim === "") return;
    isClaimed = true;
    const headers = { Accept: "application/json" };
    const token = form.elements.namedItem("csrf_token")?.value;
    if (token) headers["X-CSRF-Token"] = token;
    const address = `/api/v1/cases/${part.dataset.claim}/claim`;
    const answer = await fetch(address, { method: "POST", headers }).catch(() => null);
    isClaimed = answer !== null; // else with the next word
    if (answer?.status !== 409) return;
    const told = document.createElement("p");
    told.className = "session-ended";
    told.setAttribute("role", "alert");
    told.textContent = (await answer.json()).detail ?? "Another reader has this case.";
    form.append(told);
  }

  form?.addEventListener("input", claimOnce);
  form?.addEventListener("change", claimOnce);
  form?.addEventListener("change", (event) => {
    const step = event.target.closest("[data-step]");
    if (!step) return;
    const number = steps.indexOf(step);
    if (event.target.matches("[data-verdict]")) go(show(step) ? number : number + 1);
    else if (event.target.matches(".causes input")) go(number + 1);
    else go(number);
  });

  function more() {
    const details = form?.querySelector("details.more");
    if (details) details.open = true;
    const first = form?.querySelector("select[name='finding-1']");
    first?.focus();
    return Boolean(first);
  }

  function act(key) {
    if (/^[ynq]$/.test(key)) return verdict(key);
    if (/^[1-9]$/.test(key)) return digit(key);
    if (key === "s") return more();
    if (key === "Z" && undo) return undo.requestSubmit() ?? true;
    if (key === "Enter" && form) return form.requestSubmit() ?? true;
    return false;
  }

  // Before the keys of the desk: a digit chooses here, where there is something to choose.
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      const target = event.target;
      const types = target.closest("textarea, select, summary, button, a, input:not([type=radio])");
      if (types) return;
      // A tool of the viewer that is in use ends what is drawn by Enter; the form is sent when it is put down.
      const isDrawing = document.querySelector(".viewer [data-tool][aria-pressed='true']") !== null;
      if (event.key === "Enter" && isDrawing) return;
      if (act(event.key)) {
        event.preventDefault();
        event.stopImmediatePropagation();
      }
    },
    true,
  );

  // A box that is drawn on the image goes into the field that was used last, else that of the discrepancy at hand.
  let used = null;
  part.addEventListener("focusin", (event) => {
    if (event.target.matches("[data-box]")) used = event.target;
  });
  const boxField = () => used ?? steps[at]?.querySelector("[data-box]") ?? part.querySelector("[data-box]");
  function fill(field, box, image) {
    if (!field) return;
    field.value = box;
    const of = field.parentElement.querySelector("input[type=hidden][name^='image-']");
    if (of) of.value = image;
    const details = field.closest("details");
    if (details) details.open = true;
  }
  document.addEventListener("viewer:box", (event) => {
    const { sopInstanceUid, frame, columnMin, rowMin, columnMax, rowMax } = event.detail;
    fill(boxField(), [columnMin, rowMin, columnMax, rowMax].join(" "), `${sopInstanceUid} ${frame}`);
  });
  document.addEventListener("viewer:box-removed", () => fill(boxField(), "", ""));

  go(0);
})();
