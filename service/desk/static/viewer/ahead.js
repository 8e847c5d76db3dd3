// @ts-check
/** On the list: fetches the first case while it is looked through, as the page of a case does with the next one. */

import { fetchAhead } from "./load.js";

const LOOK_MS = 400; // somebody who only passes by fetches nothing

const first = document.querySelector("main a[href^='/cases/']");
const found = first?.getAttribute("href")?.match(/^\/cases\/(\d+)/);
if (found) setTimeout(() => fetchAhead(Number(found[1])).catch(() => null), LOOK_MS);
