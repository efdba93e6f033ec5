// Silences and the help: the dialogs that are about no single actor's state.

import { caller, mayAct, post, send, whyNot } from "./access.js";
import { ask, words } from "./actions.js";
import { h } from "./dom.js";
import { store } from "./store.js";
import { toast } from "./toasts.js";
import { leaf, plain } from "./words.js";

const SPANS = [["30 m", 1800], ["2 h", 7200], ["8 h", 28800]];

const quoted = (text) => `"${text.replaceAll('"', '\\"')}"`;

/** Mute an alert, or all alerts of a path. */
export function mute({ alert = null, path = "" }) {
  if (!mayAct()) return toast(whyNot(), "warn");
  if (store.header?.silences === null) return toast("this bot has no alerting, so there is nothing to mute", "warn");
  const matchers = alert ? [`kind=${quoted(alert.kind)}`, `target=${quoted(alert.target)}`] : [`path=${quoted(path)}`];
  const what = alert ? `${alert.kind} ${alert.target}` : `all alerts of ${leaf(path)}`;
  const spans = h("fieldset", { class: "spans" }, h("legend", {}, "For how long?"), SPANS.map(([label, seconds], at) =>
    h("label", {}, h("input", { type: "radio", name: "duration", value: seconds, checked: at === 0 }), h("span", {}, label))));
  const parts = ask(`Mute ${plain(what, 160)}`, [h("p", { class: "foreseen" }, "Nobody is told of it meanwhile. It stays on this page, and it ends by itself."),
    h("p", { class: "path" }, plain(matchers.join(", "), 300)), spans,
    h("label", { class: "field" }, "Comment ", h("input", { name: "comment", maxlength: 500, autocomplete: "off", placeholder: "why, for the others" }))],
  "Mute", async (form) => {
    const duration = Number(form.elements.duration.value);
    await post("api/v1/silences", { matchers, duration, comment: form.elements.comment.value });
    toast(`muted ${plain(what, 120)} for ${SPANS.find(([, seconds]) => seconds === duration)[0]}`, "ok");
  });
  return parts.form.querySelector("input:checked").focus();
}

export async function unmute(id) {
  if (!mayAct()) return toast(whyNot(), "warn");
  try {
    await send("DELETE", `api/v1/silences/${encodeURIComponent(id)}`);
    return toast("the silence has ended", "ok");
  } catch (error) {
    return toast(`the silence stays: ${words(error)}`, "bad");
  }
}

export async function testAlert() {
  try {
    const { receivers } = await post("api/v1/alerts/test");
    toast(`a test alert is on its way to ${receivers} receiver${receivers === 1 ? "" : "s"}`, "ok");
  } catch (error) {
    toast(`no test alert: ${words(error)}`, "bad");
  }
}

const KEYS = [["/", "filter the actors"], ["t", "only what is in trouble"], ["↑ ↓ ← →", "move, open and close in the tree"],
  ["r", "restart the selected actor"], ["s", "stop it, or start it"], ["u", "suspend it, or resume it"], ["k", "its stack"],
  ["l", "its log"], ["m", "mute its alerts"], ["p", "pause the events"], ["i", "incident files"], ["n", "go to what needs you"],
  ["?", "this help"], ["Esc", "close, or clear the filter"]];
const SIGNS = [["running", "ok", "running, all well"], ["backoff", "warn", "degraded, waiting to try again, or stale"],
  ["failed", "bad", "failed or parked: a person is needed"], ["starting", "busy", "starting or stopping"],
  ["suspended", "held", "suspended: its mailbox is held"], ["stopped", "off", "stopped by hand, or finished"]];

export function help(icon) {
  ask("Keys and signs", [h("div", { class: "help" },
    h("dl", {}, KEYS.map(([key, what]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)))),
    h("dl", {}, SIGNS.map(([shape, tone, what]) => h("div", {}, h("dt", {}, icon(shape, tone)), h("dd", {}, what))))),
  h("p", { class: "dim" }, `You are “${caller.name || "nobody"}”, role ${caller.role || "none"}. Times are UTC, as in the logs.`)], null, () => {});
}
