// @ts-check
import { Frame } from "./frame.js";

/**
 * @typedef {import("./measure.js").Calibrated & {
 *   sop_instance_uid: string, series_instance_uid: string, modality: string, view: string, frames: number,
 *   rows: number, columns: number, instance_number: number|null, positions_mm: number[], frame_ms: number|null,
 *   edges: {left: string, top: string, right: string, bottom: string}|null,
 * }} ImageDescription
 * @typedef {{series_instance_uid: string, number: number|null, modality: string, description: string,
 *   images: ImageDescription[]}} Stack
 * @typedef {{image: ImageDescription, frame: number}} Slice  frame: counted from 0
 */

const KEPT_BYTES = 640 * 1024 * 1024; // of frames, in this page
const AT_ONCE = 3; // requests for what is not looked at yet
const AHEAD_BYTES = 64 * 1024 * 1024; // of the next case
const AHEAD_FRAMES = 80;
const TRIES = 4;
const WAIT_MS = 400;

/** What cannot be shown, in words for the reader. */
export class LoadError extends Error {}

/** @param {string} sopInstanceUid @param {number} frame  counted from 0 */
export const addressOf = (sopInstanceUid, frame) =>
  `/api/v1/instances/${encodeURIComponent(sopInstanceUid)}/frames/${frame + 1}/pixels`;

/**
 * @param {string} address
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
async function ask(address, options) {
  for (let tried = 1; ; tried += 1) {
    const answer = await fetch(address, options).catch(() => null);
    if (answer?.ok) return answer;
    if (answer?.status === 401) throw new LoadError("Your session has ended; sign in and load the page again.");
    if ((answer === null || answer.status === 503) && tried < TRIES) {
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS * tried));
      continue;
    }
    if (answer === null) throw new LoadError("The service does not answer.");
    const problem = await answer.json().catch(() => ({}));
    throw new LoadError(problem.detail || problem.title || `The image cannot be shown (${answer.status}).`);
  }
}

/**
 * The series of a case.
 * @param {number} caseId
 * @param {RequestInit} [options]
 * @returns {Promise<Stack[]>}
 */
export async function loadStacks(caseId, options) {
  return (await (await ask(`/api/v1/cases/${caseId}/images`, options)).json()).stacks;
}

/** Every frame of a series. @param {Stack} stack @returns {Slice[]} */
export const slicesOf = (stack) =>
  stack.images.flatMap((image) => Array.from({ length: image.frames }, (_, frame) => ({ image, frame })));

/** The frames of this page: each is asked for once, what is near comes first, what is far is forgotten. */
export class Frames {
  constructor() {
    /** @type {Map<string, Promise<Frame>>} */
    this.asked = new Map();
    /** @type {Map<string, Frame>} */
    this.there = new Map(); // in the order of use
    this.bytes = 0;
    /** @type {Map<object, string[]>} */
    this.wanted = new Map(); // by who wants them
    this.under_way = 0;
  }

  /** A frame if it is there already. @param {string} address */
  at(address) {
    const frame = this.there.get(address);
    if (frame) {
      this.there.delete(address);
      this.there.set(address, frame);
    }
    return frame;
  }

  /** @param {string} address @param {RequestInit} [options] @returns {Promise<Frame>} */
  get(address, options) {
    const there = this.at(address);
    if (there) return Promise.resolve(there);
    let asked = this.asked.get(address);
    if (!asked) {
      asked = ask(address, options)
        .then((answer) => answer.arrayBuffer())
        .then((buffer) => this.keep(address, new Frame(buffer)))
        .finally(() => this.asked.delete(address));
      this.asked.set(address, asked);
    }
    return asked;
  }

  /**
   * Asks for these when nothing else is under way, the first of them first; what the same one wanted before is not.
   * @param {object} owner
   * @param {string[]} addresses
   */
  prefetch(owner, addresses) {
    this.wanted.set(
      owner,
      addresses.filter((address) => !this.there.has(address)),
    );
    this.fill();
  }

  /** What comes next: of each who wants something in turn. */
  next() {
    for (const [owner, addresses] of this.wanted) {
      const address = addresses.shift();
      if (address === undefined) continue;
      this.wanted.delete(owner); // to the end of the line
      this.wanted.set(owner, addresses);
      return address;
    }
    return null;
  }

  fill() {
    while (this.under_way < AT_ONCE) {
      const address = this.next();
      if (address === null) return;
      if (this.there.has(address) || this.asked.has(address)) continue;
      this.under_way += 1;
      this.get(address)
        .catch(() => null) // it is told when it is looked at
        .finally(() => {
          this.under_way -= 1;
          this.fill();
        });
    }
  }

  /** @param {string} address @param {Frame} frame */
  keep(address, frame) {
    this.there.set(address, frame);
    this.bytes += frame.bytes;
    for (const [oldest, old] of this.there) {
      if (this.bytes <= KEPT_BYTES || oldest === address) break;
      this.there.delete(oldest);
      this.bytes -= old.bytes;
    }
    return frame;
  }
}

/**
 * Fetches the beginning of another case into the cache of the browser. The audit trail is told that it was fetched
 * ahead: that somebody looks at it is recorded when the page asks whether what it has is still right.
 * @param {number} caseId
 */
export async function fetchAhead(caseId) {
  const options = { headers: { "Overread-Ahead": "1" }, priority: /** @type {RequestPriority} */ ("low") };
  const stacks = await loadStacks(caseId, options);
  let [bytes, frames] = [0, 0];
  for (const stack of stacks) {
    for (const { image, frame } of slicesOf(stack)) {
      bytes += image.rows * image.columns * 2;
      frames += 1;
      if (frames > 1 && (bytes > AHEAD_BYTES || frames > AHEAD_FRAMES)) return;
      await (await ask(addressOf(image.sop_instance_uid, frame), options)).arrayBuffer();
    }
  }
}
