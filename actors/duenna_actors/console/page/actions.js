// What a person can do to an actor: asked for with what it would take down, then followed to its end.

import { Refusal, actor, get, mayAct, post, whyNot } from "./access.js";
import { $, h, show } from "./dom.js";
import { store } from "./store.js";
import { toast } from "./toasts.js";
import { duration, leaf, plain, plural } from "./words.js";

const DONE = { restart: "restarted", stop: "stopped", start: "started", suspend: "suspended", resume: "resumed" };
const RISKY = new Set(["restart", "stop"]);

export const words = (error) => plain(error instanceof Refusal || error instanceof Error ? error.message : error, 600);

/** Open the dialog with *title*; *parts* are its body, *confirm* is called with the form. */
export function ask(title, parts, label, confirm, { risky = false } = {}) {
  const dialog = $("dialog");
  const problem = h("p", { class: "problem", role: "alert" });
  const go = h("button", { type: "submit", class: risky ? "main risky" : "main", id: "confirm" }, label);
  const form = h("form", { method: "dialog" }, h("h2", { id: "dialog-title" }, title), parts, problem,
    h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => dialog.close() }, label ? "Cancel" : "Close"), label && go));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (go.disabled) return;
    go.disabled = true;
    problem.textContent = "";
    try {
      await confirm(form);
      if (form.isConnected) dialog.close();
    } catch (error) {
      problem.textContent = words(error);
      go.disabled = false;
    }
  });
  show(dialog, form);
  if (!dialog.open) dialog.showModal();
  return { form, go, problem };
}

export const reasonField = () => h("label", { class: "field" }, "Reason, for the log ",
  h("input", { name: "reason", maxlength: 500, autocomplete: "off", placeholder: "optional" }));

export function act(verb, path) {
  if (!mayAct()) return toast(whyNot(), "warn");
  const preview = h("div", { class: "preview", "aria-live": "polite" }, h("p", { class: "dim" }, "Asking the bot what this would do …"));
  const title = `${verb[0].toUpperCase()}${verb.slice(1)} ${leaf(path)}?`;
  const where = h("p", { class: "path" }, plain(path, 300));
  const parts = ask(title, [where, preview, reasonField()], `${verb[0].toUpperCase()}${verb.slice(1)}`, async (form) => {
    follow(verb, path, await post(actor(path, verb), { reason: form.elements.reason.value }));
  }, { risky: RISKY.has(verb) });
  parts.go.disabled = true;
  parts.form.elements.reason.focus();
  foresee(verb, path, preview, parts);
}

async function foresee(verb, path, preview, { go, problem }) {
  try {
    const run = await post(`${actor(path, verb)}?dry_run=1`);
    const others = [...new Set([...run.stops, ...run.starts])].filter((one) => one !== path);
    show(preview, h("p", { class: "foreseen" }, plain(run.is_possible ? run.text : run.why_not || run.text, 600)),
      others.length > 0 && h("p", { class: "dim" }, `Also affected: ${plural(others.length, "actor")}`),
      others.length > 0 && h("ul", { class: "affected" }, others.slice(0, 200).map((one) => h("li", {},
        h("b", {}, leaf(one)), " ", h("span", { class: "dim" }, happens(run, one))))));
    go.disabled = !run.is_possible;
    if (!run.is_possible) problem.textContent = "This cannot be done now.";
  } catch (error) {
    show(preview);
    problem.textContent = words(error);
  }
}

function happens(run, path) {
  const [stops, starts] = [run.stops.includes(path), run.starts.includes(path)];
  return stops && starts ? "restarts" : stops ? "stops" : "starts";
}

/** Say how an operation does until it has ended. */
export async function follow(verb, path, { operation_id: id, affected }) {
  const also = affected?.length > 1 ? ` and ${affected.length - 1} more` : "";
  const note = toast(`${verb} ${leaf(path)}${also}: under way …`, "busy");
  const began = performance.now();
  for (let failures = 0; failures < 20;) {
    try {
      const operation = await get(`api/v1/operations/${encodeURIComponent(id)}`);
      failures = 0;
      const took = duration(operation.ended_at ? operation.ended_at - operation.started_at : (performance.now() - began) / 1000);
      if (operation.state === "succeeded") {
        return note.become(`${leaf(path)}${also} ${DONE[verb] ?? verb} in ${took}: ${store.rows.get(path)?.state ?? "done"}`, "ok");
      }
      if (operation.state === "failed") return note.become(`${verb} ${leaf(path)} failed: ${plain(operation.error, 300)}`, "bad");
      note.become(`${verb} ${leaf(path)}${also}: under way for ${took} …`, "busy");
    } catch (error) {
      if (error instanceof Refusal && error.status !== 429 && error.status < 500) return note.become(`${verb} ${leaf(path)}: ${words(error)}`, "bad");
      failures += 1;
    }
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  return note.become(`${verb} ${leaf(path)}: the bot does not say what became of it`, "warn");
}

/** What can be done to an actor in its state. */
export function verbs(row) {
  const isDown = ["stopped", "finished", "failed"].includes(row.state);
  return [["restart", "r", true], isDown ? ["start", "s", true] : ["stop", "s", row.state !== "stopping"],
    row.is_suspended ? ["resume", "u", true] : ["suspend", "u", !isDown && row.kind !== "supervisor"]];
}

/** A button that acts, or says why it does not. */
export function button(label, run, { key = "", possible = true, tone = "" } = {}) {
  const may = mayAct();
  return h("button", { type: "button", class: tone, disabled: !may || !possible, title: may ? (key ? `${label} (${key})` : null) : whyNot(),
    onclick: run }, label, key && h("kbd", { "aria-hidden": "true" }, key));
}

export function breaker(verb, name) {
  if (!mayAct()) return toast(whyNot(), "warn");
  const means = {
    reset: "Close it and forget its window: calls pass again at once.",
    force_open: "Hold it open by hand: every call is refused until you reset it.",
    disable: "Let every call pass, whatever happens, until you reset it.",
  };
  const label = { reset: "Reset", force_open: "Force open", disable: "Disable" }[verb];
  return ask(`${label} breaker ${plain(name, 120)}?`, [h("p", { class: "foreseen" }, means[verb]), reasonField()], label, async (form) => {
    const row = await post(`api/v1/breakers/${encodeURIComponent(name)}/${verb}`, { reason: form.elements.reason.value });
    toast(`breaker ${plain(name, 120)} is now ${row.state.replace("_", " ")}`, "ok");
  }, { risky: verb !== "reset" });
}
