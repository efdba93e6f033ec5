// The top bar, what needs you, and the banner that says how old all this is.

import { mayAct } from "./access.js";
import { act, breaker, button } from "./actions.js";
import { severityKey, sparkline } from "./charts.js";
import { $, h, icon, keyed, mark, say, show, turn } from "./dom.js";
import { now, silence, store, wall, whenChanged } from "./store.js";
import { link, retryNow } from "./stream.js";
import { age, clock, day, lag, leaf, overall, plain, plural, rate, severity } from "./words.js";

const HALF_A_DAY = 43_200; // seconds for which a time of day needs no date

let go = () => {};
let spoken = "";
let overallShape = null;

export function start(select) {
  go = select;
  overallShape = icon("pending");
  show($("overall"), overallShape, h("span", {}, "connecting"));
  show($("link"), icon("pending"), h("span", {}));
  $("link").addEventListener("click", retryNow);
  show($("rates-key"), severityKey());
  show($("calm"), h("span"), h("small"));
  whenChanged((news) => {
    const { header } = store;
    if (news.header.has("bot")) who(header.bot);
    if (news.header.has("overall")) status(header.overall);
    if (news.header.has("errors")) errors(header.errors);
    if (news.header.has("breakers")) breakers(header.breakers);
    if (news.header.has("loop")) loop(header.loop);
    if (news.header.has("needs") || news.header.has("overall")) needs(header.needs);
  });
}

function who(bot) {
  say($("bot"), plain(bot.name, 60));
  say($("version"), plain(bot.version, 30));
  mark($("bot"), "title", plain(`pid ${bot.pid} on ${bot.host}, duenna ${bot.duenna}, Python ${bot.python}, trio ${bot.trio}`, 300));
  say($("trading"), bot.trading);
  mark($("trading-box"), "data-tone", bot.trading === "live" ? "ok" : bot.trading_why ? "warn" : "off");
  mark($("trading-box"), "title", bot.trading_why ? plain(bot.trading_why, 300) : null);
}

/** How the bot is; what it was, while nobody knows. */
function status(word, isLost = false) {
  const [tone, shape] = isLost ? ["off", "pending"] : overall(word);
  turn(overallShape, shape, tone);
  say($("overall").lastChild, isLost ? `was ${word}` : word);
  mark($("overall"), "data-tone", tone);
  const title = `${{ ok: "●", warn: "▲", bad: "✕" }[tone] ?? "○"} ${plain(store.header.bot.name, 40)} ${isLost ? "lost" : word}`;
  if (document.title !== title) document.title = title;
}

function errors(found) {
  const sign = found.rate > 0 ? { rising: " ↗", falling: " ↘" }[found.trend] ?? "" : "";
  say($("errors"), `${rate(found.rate).replace(/\.0$/, "")}/min${sign}`);
  mark($("errors"), "title", `${plural(found.total, "error")} in all, ${found.trend}`);
  const key = found.sparkline.join();
  if ($("spark").dataset.key === key) return;
  $("spark").dataset.key = key;
  show($("spark"), sparkline(found.sparkline, `${found.sparkline.reduce((sum, one) => sum + one, 0)} errors in the last five minutes, ${found.trend}`));
}

function breakers(rows) {
  const open = rows.filter((row) => row.state !== "closed" && row.state !== "metrics_only");
  say($("open"), open.length === 0 ? "all closed" : `${open.length} ${open.every((row) => row.state === "open") ? "open" : "not closed"}`);
  mark($("open-box"), "data-tone", open.length > 0 ? "bad" : "ok");
  mark($("open-box"), "title", open.map((row) => plain(`${row.name} ${row.state}`, 80)).join(", ") || null);
}

function loop(found) {
  const wasBad = (found.lag_max ?? 0) > 0.25; // what was matters more than what is again
  say($("lag"), wasBad ? `max ${lag(found.lag_max)}` : lag(found.lag));
  const isBad = (found.lag ?? 0) > 0.25;
  mark($("lag-box"), "data-tone", isBad ? "bad" : wasBad ? "warn" : "ok");
  const blocked = found.blocked ? `; blocked ${plural(found.blocked, "time")}, last by ${plain(found.blocked_by, 100) || "no actor"}` : "";
  mark($("lag-box"), "title", `now ${lag(found.lag)}, at most ${lag(found.lag_max)} in the last minute${blocked}`);
}

const LABELS = { restart: "Restart", resume: "Resume", start: "Start", reset: "Reset" };

function needs(list) {
  const times = new Map(); // one place may need two things
  const keyOf = (need) => {
    const key = `${need.path} ${need.severity} ${need.actions} ${mayAct()}`;
    times.set(key, (times.get(key) ?? 0) + 1);
    return `${key} ${times.get(key)}`;
  };
  keyed($("needs-list"), list, keyOf, makeNeed, (part, need) => {
    say(part.text, plain(need.text, 300));
    mark(part.text, "title", plain(need.text, 300));
    part.since = need.since ?? null;
    dated(part);
  });
  const isWell = list.length === 0;
  mark($("calm"), "data-tone", store.header.overall === "healthy" ? "ok" : "off");
  $("needs").classList.toggle("well", isWell);
  if (isWell) {
    say($("calm").firstChild, store.header.overall === "healthy" ? "Nothing. All is well." : "Nothing that you could do: the bot is at it.");
  }
  speak(list);
}

function makeNeed(need) {
  const shape = { critical: "failed", warning: "backoff" }[need.severity] ?? "starting";
  const text = h("button", { type: "button", class: "sentence", onclick: () => go(need.path) });
  const since = h("time");
  const isBreaker = !store.rows.has(need.path);
  const help = need.actions.map((verb) => button(LABELS[verb] ?? verb,
    () => (isBreaker || verb === "reset" ? breaker(verb, need.path) : act(verb, need.path))));
  for (const one of help) mark(one, "aria-label", `${one.textContent} ${leaf(need.path)}`);
  const tone = severity(need.severity);
  return { node: h("li", { "data-tone": tone }, icon(shape, tone), h("span", { class: `severity t-${tone}` }, need.severity), text, since, help), text, since: null, time: since };
}

/** Tell a screen reader what is new, once. */
function speak(list) {
  const text = list.map((need) => need.text.replace(/\d+/g, "#")).join();
  if (text === spoken) return;
  const first = spoken === "";
  spoken = text;
  if (list.length > 0) say($("spoken"), `${first ? "" : "Changed. "}${plural(list.length, "thing")} need${list.length === 1 ? "s" : ""} you. ${plain(list[0].text, 300)}`);
  else if (!first) say($("spoken"), "Nothing needs you any more.");
}

/** Once a second: clocks and ages. */
export function tick() {
  linked();
  if (store.header === null) return;
  const { header } = store;
  const at = header.at + (now() - header.now);
  say($("clock"), clock(at));
  say($("calm").lastChild, `${plural(store.rows.size, "actor")} watched, ${plural(header.breakers.length, "breaker")}, up ${age(at - header.bot.started_at)}`);
  say($("uptime"), age(at - header.bot.started_at));
  for (const part of $("needs-list").keyedParts?.values() ?? []) {
    dated(part);
  }
}

/** When it began, as the logs have it; how long that is ago, where a time of day would not say which day. */
function dated(part) {
  if (part.since === null) return say(part.time, "");
  const lasts = now() - part.since;
  say(part.time, lasts < HALF_A_DAY ? clock(wall(part.since)) : `for ${age(lasts)}`);
  return mark(part.time, "title", `since ${day(wall(part.since))}, for ${age(lasts)}`);
}

/** The state of the page's own connection, in the bar and, if it is bad, across the page. */
export function linked() {
  const silent = store.header === null ? 0 : silence();
  const late = link.state === "live" && silent > Math.max(4, 6 * (store.header?.interval ?? 0));
  const left = Math.max(0, Math.ceil((link.until - performance.now()) / 1000));
  const [tone, shape, text] = {
    live: late ? ["warn", "backoff", `silent ${age(silent)}`] : ["ok", "running", "live"],
    connecting: ["busy", "starting", "connecting"],
    waiting: ["bad", "failed", `reconnecting in ${left} s`],
    refused: ["bad", "stopped", "stopped"],
  }[link.state];
  turn($("link").firstChild, shape, tone);
  say($("link").lastChild, text);
  mark($("link"), "data-tone", tone);
  const isLost = link.state !== "live" && store.header !== null && (link.state !== "connecting" || link.why !== "");
  document.body.classList.toggle("lost", isLost || late);
  if (store.header !== null) status(store.header.overall, isLost);
  if (isLost) {
    banner(`Connection lost: ${plain(link.why, 200) || "stopped"}. What you see is ${age(silent)} old.`,
      link.state === "waiting" ? `Trying again in ${left} s.` : link.state === "connecting" ? "Trying now …" : "");
  } else if (late) banner(`The bot has said nothing for ${age(silent)}. Its loop may be blocked; the page waits.`, "");
  else if (store.header === null && link.state === "waiting") banner(`${plain(link.why, 200)}.`, `Trying again in ${left} s.`);
  else if ($("banner").firstChild) show($("banner"));
}

function banner(text, next) {
  const box = $("banner");
  if (!box.firstChild) {
    show(box, icon("backoff", "warn"), h("span"), h("span", { class: "dim", "aria-live": "off" }), h("button", { type: "button", onclick: retryNow }, "Try now"));
  }
  say(box.children[1], text);
  say(box.children[2], next);
}
