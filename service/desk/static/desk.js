// Keys for the reader's desk. Everything here is also reachable by links and forms without this file.
"use strict";

document.documentElement.classList.add("scripted");

const rows = () => Array.from(document.querySelectorAll("a.row"));
const follow = (selector) => document.querySelector(selector)?.click();
const help = document.querySelector("dialog");
const viewer = document.querySelector(".viewer");

// A long report is a box of its own above the judgement; the sentence in question is shown in it.
const sentence = document.querySelector(".report mark.current");
const report = sentence?.closest(".report");
if (sentence && report) report.scrollTop = sentence.offsetTop - report.offsetTop - report.clientHeight / 3;

function moveFocus(step) {
  const all = rows();
  if (all.length === 0) return;
  const at = all.indexOf(document.activeElement);
  const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
  all[next].focus();
  all[next].scrollIntoView({ block: "nearest" });
}

const actions = {
  j: () => (viewer ? follow("a[rel=next]") : moveFocus(1)),
  k: () => (viewer ? follow("a[rel=prev]") : moveFocus(-1)),
  u: () => follow("a[data-key=u]"),
  c: () => follow("button[data-press=c]"),
  r: () => follow("button[data-press=r]"),
  d: () => follow("a[data-press=d]"),
  "/": () => document.querySelector(".search input[type=search]")?.focus(),
  "?": () => help?.showModal(),
};
document.addEventListener("action", (event) => Object.assign(actions, event.detail)); // of a page of its own

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select") || help?.open) return;
  let key = event.key;
  if (!viewer && key === "ArrowDown") key = "j";
  if (!viewer && key === "ArrowUp") key = "k";
  if (viewer && /^[1-9]$/.test(key)) {
    follow(`a[data-finding="${key}"]`);
    return;
  }
  const action = actions[key];
  if (action) {
    event.preventDefault();
    action();
  }
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-key]");
  if (!button || (button.tagName === "A" && !("toggle" in button.dataset))) return;
  event.preventDefault();
  actions[button.dataset.key]?.();
});

// A session may have ended since the page was loaded. Before a form is sent it is asked whether it lives, and
// for its token; where it does not, the form stays as it is until somebody has signed in in another tab.
const SIGN_IN = "/sign-in";

function tell(form, words, link) {
  form.querySelector(".session-ended")?.remove();
  const told = document.createElement("p");
  told.className = "session-ended";
  told.setAttribute("role", "alert");
  told.append(words);
  if (link) {
    const anchor = document.createElement("a");
    Object.assign(anchor, { href: SIGN_IN, target: "_blank", rel: "noopener", textContent: link });
    told.append(" ", anchor);
  }
  form.append(told);
}

async function sendWhenSignedIn(form, field) {
  const ask = { headers: { Accept: "application/json" }, cache: "no-store" };
  const answer = await fetch("/session", ask).catch(() => null);
  if (answer?.status === 401) {
    tell(form, "Your session has ended. What you typed is still here.", "Sign in in a new tab, then press again");
    return;
  }
  if (!answer?.ok) {
    tell(form, "The service does not answer. What you typed is still here; press again in a moment.");
    return;
  }
  const session = await answer.json();
  if (session.person !== document.body.dataset.person) {
    tell(form, `${session.name} has signed in meanwhile. Load the page again before you go on.`);
    return;
  }
  field.value = session.csrf_token;
  form.submit();
}

document.addEventListener("submit", (event) => {
  const field = event.target.elements.namedItem("csrf_token");
  if (!field || "live" in event.target.dataset || event.target.action.includes("/sign-out")) return;
  event.preventDefault();
  sendWhenSignedIn(event.target, field);
});
