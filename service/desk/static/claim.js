// The claim of the case whose page is open: renewed while it is, and told as soon as it is another's.
"use strict";

const bar = document.querySelector(".claim-bar");
const renewedEvery = Number(bar?.dataset.renewedEvery ?? 0);

function say(words) {
  const told = bar.querySelector(".told") ?? bar.appendChild(document.createElement("p"));
  told.className = "told";
  told.setAttribute("role", "alert");
  told.textContent = words;
}

function keepUntil(claim) {
  bar.querySelector(".told")?.remove();
  const time = bar.querySelector("time");
  if (!time) return;
  time.dateTime = claim.held_until;
  time.textContent = new Date(claim.held_until).toISOString().slice(11, 16);
}

async function renew() {
  const token = document.querySelector("input[name=csrf_token]")?.value;
  const answer = await fetch(`/api/v1/cases/${bar.dataset.case}/claim/renew`, {
    method: "POST",
    headers: { Accept: "application/json", ...(token ? { "X-CSRF-Token": token } : {}) },
    cache: "no-store",
  }).catch(() => null);
  if (answer?.ok) {
    keepUntil(await answer.json());
  } else if (answer?.status === 409) {
    say(`${(await answer.json()).detail}.`);
    clearInterval(timer);
  } else if (answer?.status === 401 || answer?.status === 403) {
    say("Your session has ended, so your claim will run out. Sign in in another tab to go on.");
  } else {
    say("The service does not answer. Your claim stays until the time above; it is renewed as soon as it does.");
  }
}

const timer = renewedEvery ? setInterval(renew, renewedEvery * 1000) : 0;
if (renewedEvery) window.addEventListener("online", renew);
