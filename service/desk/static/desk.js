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

// What a reader says of a case is sent while its page stays, until it is recorded: a connection that is lost
// meanwhile takes nothing with it. Sent twice it is recorded once, since the form has a submission of its own.
const STAYS = "form.judge, form.undo";
const AGAIN_AFTER = 15_000; // milliseconds
const sending = new Set();
let unsaved = null; // the form that was sent and is not known to be recorded
let again = 0; // the timer that sends it once more; 0: only the reader does

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
  told.scrollIntoView({ block: "nearest" });
}

function notAnswered(form) {
  if (!form.matches(STAYS)) {
    tell(form, "The service does not answer. What you typed is still here; press again in a moment.");
    return;
  }
  const why = navigator.onLine ? "the service does not answer" : "you are offline";
  tell(form, `Not saved yet: ${why}. What you typed is still here, and is sent again by itself. Leave this page open.`);
  unsaved = form;
  clearTimeout(again);
  again = setTimeout(() => form.requestSubmit(), AGAIN_AFTER);
}

function notTaken(form, words) {
  unsaved = form;
  tell(form, `Not saved: ${words}`);
}

// Whether the session lives and is that of whoever looks at the page; the form gets its token then.
async function isSignedIn(form, field) {
  const ask = { headers: { Accept: "application/json" }, cache: "no-store" };
  const answer = await fetch("/session", ask).catch(() => null);
  if (answer?.status === 401) {
    tell(form, "Your session has ended. What you typed is still here.", "Sign in in a new tab, then press again");
    return false;
  }
  if (!answer?.ok) {
    notAnswered(form);
    return false;
  }
  const session = await answer.json();
  if (session.person !== document.body.dataset.person) {
    tell(form, `${session.name} has signed in meanwhile. Load the page again before you go on.`);
    return false;
  }
  field.value = session.csrf_token;
  return true;
}

async function sendAndGoOn(form) {
  const headers = { Accept: "application/json" };
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(form.action, { method: "POST", headers, body }).catch(() => null);
  const said = await answer?.json().catch(() => null);
  if (answer?.ok && said) {
    unsaved = null;
    location.assign(said.next);
  } else if (answer === null || answer.ok || answer.status >= 500) {
    notAnswered(form);
  } else {
    notTaken(form, `${said?.detail ?? said?.title ?? "it was refused"}.`);
  }
}

async function send(form, field) {
  if (sending.has(form)) return;
  sending.add(form);
  clearTimeout(again);
  again = 0;
  if (!field || (await isSignedIn(form, field))) {
    if (form.matches(STAYS)) await sendAndGoOn(form);
    else form.submit();
  }
  sending.delete(form);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  const field = form.elements.namedItem("csrf_token");
  if (!(field || form.matches(STAYS)) || "live" in form.dataset || form.action.includes("/sign-out")) return;
  event.preventDefault();
  send(form, field);
});

function changed(event) {
  if (!again || !unsaved?.contains(event.target)) return;
  clearTimeout(again); // what is half typed is not sent
  again = 0;
  tell(unsaved, "Not saved yet. Since you changed something, it is sent when you press again.");
}

document.addEventListener("input", changed);
document.addEventListener("change", changed);
window.addEventListener("online", () => again && unsaved?.requestSubmit());
window.addEventListener("beforeunload", (event) => {
  if (unsaved) event.preventDefault();
});
