// Incident files: what the bot wrote down by itself when something gave up is announced, counted and offered.

import { download, get, mayAct, post, whyNot } from "./access.js";
import { ask, words } from "./actions.js";
import { $, h, mark, say, show } from "./dom.js";
import { whenChanged } from "./store.js";
import { toast } from "./toasts.js";
import { bytes, day, leaf, plain } from "./words.js";

const TAKE_ONE = new Set(["IncidentFileTaken", "SupervisorGaveUp", "ChildParked"]);
const MOST = 20;

let known = null;    // newest first; null: nobody has asked yet
let seen = new Set();
let timer = null;
let tell = () => {};

export function start(then) {
  tell = then;
  $("incident").addEventListener("click", incidents);
  // One error may take several at once, and the file comes a moment after the event.
  whenChanged((news) => {
    if (timer === null && news.events.some((event) => TAKE_ONE.has(event.type))) timer = setTimeout(refresh, 500);
  });
}

/** Ask which there are; those that came since the last time are announced, once. */
export async function refresh() {
  clearTimeout(timer);
  timer = null;
  try {
    const found = (await get("api/v1/incidents")).incidents;
    const fresh = known === null ? [] : found.filter((one) => one.trigger !== "request" && !known.some((old) => old.id === one.id));
    known = found;
    if (fresh.length > 0) announce(fresh);
    count();
    tell();
  } catch { /* the list asks again, and says what is wrong */ }
}

function announce([newest, ...others]) {
  const more = others.length > 0 ? ` and ${others.length} more` : "";
  toast(`incident file taken: ${leaf(newest.path)} ${newest.trigger === "parked" ? "was parked" : "gave up"}${more}`, "warn",
    h("button", { type: "button", onclick: () => file(newest.id) }, "Download"), { goes: true });
}

/** How many nobody has looked at, on the button. */
function count() {
  const fresh = known.filter((one) => one.trigger !== "request" && !seen.has(one.id));
  say($("incident-count"), fresh.length > 0 ? String(fresh.length) : "");
  mark($("incident"), "aria-label", fresh.length > 0 ? `Incident files, ${fresh.length} not looked at` : "Incident files");
  mark($("incident"), "title", fresh.length > 0 ? `Taken by itself: ${plain(`${leaf(fresh[0].path)}, ${fresh[0].reason}`, 300)}` : "Incident files (i)");
}

/** The newest that is about this actor. */
export const about = (path) => known?.find((one) => one.path === path) ?? null;

export const file = (id) => download(`api/v1/incidents/${encodeURIComponent(id)}`, `incident-${id}.json`.replace(/[^\w.-]/g, "_"))
  .catch((error) => toast(`no incident file: ${words(error)}`, "bad"));

export async function incidents() {
  const list = h("div", { class: "incidents" }, h("p", { class: "dim" }, "…"));
  const field = h("label", { class: "field" }, "What happened? ", h("input", { name: "reason", maxlength: 500, autocomplete: "off", placeholder: "optional" }));
  ask("Incident files", [h("p", { class: "foreseen" }, "The tree, the last events, stacks, mailboxes and settings of this moment, without secrets, in one file."),
    mayAct() ? field : h("p", { class: "note" }, whyNot()), list], mayAct() ? "Take one now" : null, async (form) => {
    const { id } = await post("api/v1/incidents", { reason: form.elements.reason.value });
    toast(`incident ${plain(id, 60)} taken`, "ok", h("button", { type: "button", onclick: () => file(id) }, "Download"));
  });
  try {
    known = (await get("api/v1/incidents")).incidents;
    seen = new Set(known.map((one) => one.id));
    count();
    show(list, known.length === 0 ? h("p", { class: "dim" }, "None so far. One is taken by itself when a supervisor gives up or an actor is parked.")
      : h("ul", {}, known.slice(0, MOST).map(line)));
  } catch (error) {
    show(list, h("p", { class: "problem" }, words(error)));
  }
}

const TRIGGERS = { gave_up: "gave up", parked: "was parked", request: "asked for" };

function line(one) {
  return h("li", {}, h("span", { class: "time" }, Number.isFinite(one.at) ? day(one.at) : plain(one.at, 30)),
    h("span", {}, h("b", {}, `${one.path === "/" ? "the bot" : leaf(one.path ?? "/")} ${TRIGGERS[one.trigger] ?? plain(one.trigger, 20)}`),
      `: ${plain(one.reason, 200) || "no reason given"}`),
    h("span", { class: "dim" }, one.size > 0 ? bytes(one.size) : ""),
    h("button", { type: "button", onclick: () => file(one.id), "aria-label": `Download incident ${plain(one.id, 60)}` }, "Download"));
}
