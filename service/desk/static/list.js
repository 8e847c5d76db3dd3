// The worklist: claims without leaving the page, and rows that follow what changes elsewhere.
// Everything but the live rows is also reachable by links and forms without this file.
"use strict";

const page = document.querySelector("[data-rows]");
const told = page.querySelector(".live");
const me = document.body.dataset.person;
const FETCH_EVERY = 10_000; // milliseconds between two looks at the list, however much changes
const ASK_ANYWAY = 60_000; // milliseconds after which the rows are looked at again though nothing was told
const TRY_AGAIN = 15_000;
const SILENT_AFTER = 5_000; // a stream that ended as it should is opened again sooner

const lines = () => Array.from(document.querySelectorAll(".line"));
const lineOf = (number) => document.querySelector(`.line[data-case="${number}"]`);
const focused = () => document.activeElement?.closest(".line") ?? null;

// --- what the page says of itself

function say(words, isProblem = false, about = "act") {
  told.dataset.about = about;
  told.textContent = words;
  told.classList.toggle("problem", isProblem);
}

// How live the rows are; what became of something that the reader did stays, unless this is a problem.
function sayLive(words, isProblem = false) {
  if (!isProblem && told.dataset.about === "act" && told.textContent) return;
  say(words, isProblem, "live");
}

// --- who reads what

function show(number, holder) {
  const line = lineOf(number);
  if (!line) return;
  const isOwn = holder !== null && holder.identifier === me;
  line.classList.toggle("own", isOwn);
  line.classList.toggle("held", holder !== null && !isOwn);
  line.querySelector(".holder .name").textContent = holder === null ? "" : isOwn ? "You" : holder.name;
  line.querySelector(".holder").hidden = holder === null;
  const form = line.querySelector("form.claim");
  if (form) form.hidden = holder !== null;
}

async function post(address, form) {
  const token = form?.elements.namedItem("csrf_token")?.value;
  const headers = { Accept: "application/json", ...(token ? { "X-CSRF-Token": token } : {}) };
  return fetch(address, { method: "POST", headers, cache: "no-store" }).catch(() => null);
}

async function claim(line) {
  const form = line?.querySelector("form.claim");
  const number = line?.dataset.case;
  if (!form) return;
  const answer = await post(`/api/v1/cases/${number}/claim`, form);
  if (answer?.ok) {
    const given = await answer.json();
    show(number, { name: given.holder, identifier: given.holder_identifier });
    say(`Case ${number} is yours until ${given.held_until.slice(11, 16)} UTC, and on while its page is open.`);
    line.querySelector("a.row").focus();
  } else if (answer?.status === 409) {
    say(`${(await answer.json()).detail}.`, true);
    const now = await fetch(`/api/v1/cases/${number}/claim`, { cache: "no-store" }).catch(() => null);
    const held = now?.ok ? (await now.json()).claim : null;
    if (held) show(number, { name: held.holder, identifier: held.holder_identifier });
  } else {
    say(reasonOf(answer, "The case was not claimed."), true);
  }
}

async function putBack(line) {
  if (!line?.classList.contains("own")) return;
  const number = line.dataset.case;
  const answer = await post(`/api/v1/cases/${number}/claim/release`, line.querySelector("form.claim"));
  if (answer?.ok) {
    show(number, null);
    say(`Case ${number} is back on the list.`);
  } else {
    say(reasonOf(answer, "The case was not put back."), true);
  }
}

function reasonOf(answer, what) {
  if (answer === null) return `${what} The service does not answer; try again in a moment.`;
  if (answer.status === 401) return `${what} Your session has ended: sign in again.`;
  if (answer.status === 503) return `${what} The service is busy; try again in a moment.`;
  return what;
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form.claim")) return;
  event.preventDefault();
  claim(event.target.closest(".line"));
});

// --- rows that follow

let fetchedAt = Date.now();
let waiting = 0;

async function fetchRows() {
  clearTimeout(waiting);
  waiting = 0;
  fetchedAt = Date.now();
  const answer = await fetch(page.dataset.rows, { headers: { Accept: "text/html" }, cache: "no-store" }).catch(
    () => null,
  );
  if (!answer?.ok || answer.redirected) {
    sayLive(reasonOf(answer?.redirected ? { status: 401 } : answer, "The list is as it was before."), true);
    return;
  }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("list");
  if (fresh) put(fresh);
}

function put(fresh) {
  const at = focused()?.dataset.case;
  const place = lines().indexOf(focused());
  const chosen = new Set(lines().filter((line) => line.querySelector("input:checked")).map((l) => l.dataset.case));
  const before = new Set(lines().map((line) => line.dataset.case));
  document.getElementById("list").replaceWith(fresh);
  for (const line of lines()) {
    const box = line.querySelector("input[type=checkbox]");
    if (box && chosen.has(line.dataset.case)) box.checked = true;
    if (!before.has(line.dataset.case)) line.classList.add("new");
  }
  if (at === undefined) return;
  const next = lineOf(at) ?? lines()[Math.min(place, lines().length - 1)];
  next?.querySelector("a.row").focus({ preventScroll: true });
}

function listChanged() {
  if (waiting) return;
  waiting = setTimeout(fetchRows, Math.max(0, fetchedAt + FETCH_EVERY - Date.now()));
}

let stream = null;
let silence = 0;

function opened() {
  clearTimeout(silence);
  silence = 0;
  sayLive("");
}

function listen() {
  if (stream || document.hidden) return;
  stream = new EventSource(page.dataset.changes);
  stream.addEventListener("open", opened);
  stream.addEventListener("list", () => {
    sayLive("");
    listChanged();
  });
  stream.addEventListener("hands", (event) => {
    for (const [number, holder] of Object.entries(JSON.parse(event.data))) show(number, holder);
  });
  stream.addEventListener("error", () => {
    if (stream?.readyState !== EventSource.CLOSED) return lost();
    stream = null; // it was refused: too many pages, or the session has ended
    setTimeout(() => whyNotLive().then(listen), TRY_AGAIN);
    whyNotLive();
  });
}

// A stream that ended, as each does after a while, is no loss; one that does not come back is.
function lost() {
  if (!navigator.onLine) sayLive("You are offline. The list is as it was; claims are kept.", true);
  else if (!silence) silence = setTimeout(whyNotLive, SILENT_AFTER);
}

async function whyNotLive() {
  const answer = await fetch(page.dataset.rows, { headers: { Accept: "text/html" }, cache: "no-store" }).catch(
    () => null,
  );
  if (answer === null) sayLive("The service does not answer. The list is as it was; trying again.", true);
  else if (answer.redirected || answer.status === 401) sayLive("Your session has ended: sign in again.", true);
  else if (answer.status === 503) sayLive("The service is busy. The list is as it was; trying again.", true);
  else if (answer.ok && !stream) {
    sayLive("Many pages are open, so this one looks for changes every quarter of a minute.");
  }
  if (answer?.ok && !answer.redirected) {
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("list");
    if (fresh) put(fresh);
  }
}

// A hidden page holds no connection: a browser opens six to one server, and other tabs need them.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stream?.close();
    stream = null;
    clearTimeout(silence);
    silence = 0;
  } else {
    listChanged();
    listen();
  }
});
window.addEventListener("offline", lost);
window.addEventListener("online", () => {
  sayLive("");
  fetchRows(); // what changed meanwhile
});
setInterval(() => {
  if (!document.hidden && Date.now() - fetchedAt >= ASK_ANYWAY) listChanged();
}, ASK_ANYWAY / 4);
listen();

// --- keys

function open(selector) {
  const details = page.querySelector(selector);
  if (!details) return;
  details.open = !details.open;
  if (details.open) details.querySelector("select, a, input:not([type=hidden])")?.focus();
  else details.querySelector("summary").focus();
}

function choose() {
  const box = focused()?.querySelector("input[type=checkbox]");
  if (box) box.checked = !box.checked;
}

document.dispatchEvent(
  new CustomEvent("action", {
    detail: {
      c: () => claim(focused()),
      r: () => putBack(focused()),
      f: () => open("details.filter:not(.views)"),
      v: () => open("details.views"),
      x: choose,
    },
  }),
);

page.addEventListener("keydown", (event) => {
  const details = event.target.closest("details[open]");
  if (event.key === "Escape" && details) {
    details.open = false;
    details.querySelector("summary").focus();
  } else if (event.key === "Enter" && event.target.matches("select")) {
    event.preventDefault();
    event.target.form.requestSubmit();
  }
});
