// Numbers, times and states in words.

const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
const INVISIBLE = /[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** Make foreign text harmless to the eye: control characters are seen, none turns the line round, it has an end. */
export function plain(text, most = 2000) {
  const cut = String(text ?? "").slice(0, most).toWellFormed();
  const seen = cut.replace(CONTROL, (one) => {
    const code = one.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "\u2421" : "\ufffd";
  });
  return seen.replace(INVISIBLE, "\u00b7") + (String(text ?? "").length > most ? " …" : "");
}

const two = (number) => String(number).padStart(2, "0");

export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 0) return "0 s";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 10 ? `${seconds.toFixed(1)} s` : age(seconds);
}

/** Whole units only, so that it does not flicker. */
export function age(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} m`;
  return `${Math.floor(whole / 86400)} d ${two(Math.floor((whole % 86400) / 3600))} h`;
}

/** One unit, for where there is little room. */
export function brief(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.round(whole / 60)} m`;
  return whole < 86400 ? `${Math.round(whole / 3600)} h` : `${Math.round(whole / 86400)} d`;
}

export function lag(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const ms = seconds * 1000;
  return ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${Math.round(ms)} ms` : `${seconds.toFixed(1)} s`;
}

export function count(number) {
  if (number < 1000) return String(number);
  if (number < 1e6) return `${trim(number / 1e3)}k`;
  return `${trim(number / 1e6)}M`;
}

const trim = (number) => (number < 100 ? number.toFixed(1).replace(/\.0$/, "") : String(Math.round(number)));

export function rate(number) {
  return number === 0 ? "0" : number < 10 ? number.toFixed(1) : count(Math.round(number));
}

export function bytes(number) {
  return number < 1000 ? `${number} B` : number < 1e6 ? `${trim(number / 1e3)} kB` : `${trim(number / 1e6)} MB`;
}

/** Time of day in UTC, as the logs have it. */
export function clock(at) {
  return Number.isFinite(at) ? `${new Date(at * 1000).toISOString().slice(11, 19)}Z` : "–";
}

export function day(at) {
  return new Date(at * 1000).toISOString().slice(0, 19).replace("T", " ") + "Z";
}

export const plural = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** Colour, shape and word of a state, always all three. */
const STATES = {
  running: ["ok", "running"], starting: ["busy", "starting"], pending: ["off", "pending"],
  suspended: ["held", "suspended"], stopping: ["busy", "stopping"], backoff: ["warn", "backoff"],
  stopped: ["off", "stopped"], finished: ["off", "finished"], failed: ["bad", "failed"],
};
const OVERALL = { healthy: ["ok", "running"], degraded: ["warn", "backoff"], unhealthy: ["bad", "failed"] };
const LINKS = { recovering: "warn", degraded: "warn", cooldown: "warn", failed: "bad", connecting: "busy" };

export function look(row) {
  let [tone, shape] = STATES[row.state] ?? ["busy", "pending"];
  let word = row.state === "failed" ? "parked" : row.state;
  if (row.is_suspended && row.state === "running") [tone, shape, word] = ["held", "suspended", "suspended"];
  if (row.state === "running" && LINKS[row.link]) {
    tone = LINKS[row.link];
    word = row.link;
    shape = tone === "bad" ? "failed" : tone === "warn" ? "backoff" : "starting";
  }
  if (tone === "ok" && (row.data?.is_stale || row.status === "degraded" || row.breakers.length > 0)) {
    [tone, shape] = ["warn", "backoff"];
    word = row.data?.is_stale ? "stale" : row.status === "degraded" ? "degraded" : "breaker";
  }
  if (tone === "ok" && row.status === "unavailable") [tone, shape, word] = ["bad", "failed", "unavailable"];
  return { tone, shape, word };
}

export const overall = (word) => OVERALL[word] ?? ["busy", "pending"];
export const stateLook = (state) => STATES[state] ?? ["busy", "pending"];
export const isTrouble = (row) => ["warn", "bad"].includes(look(row).tone) || row.why !== "";

const SEVERITY = { CRITICAL: "bad", HIGH: "bad", MEDIUM: "warn", LOW: "busy" };
export const severity = (word) => SEVERITY[word] ?? { critical: "bad", warning: "warn", notice: "busy" }[word] ?? "off";

const OUTCOMES = { open: ["busy", "starting"], recovered: ["ok", "finished"], survived: ["ok", "finished"],
  failed: ["bad", "failed"], gave_up: ["bad", "failed"], stopped: ["off", "stopped"], unknown: ["off", "pending"] };
export const outcome = (word) => OUTCOMES[word] ?? ["off", "pending"];

const BREAKERS = { closed: ["ok", "running"], open: ["bad", "failed"], half_open: ["warn", "backoff"],
  forced_open: ["bad", "stopped"], disabled: ["off", "pending"], metrics_only: ["off", "pending"] };
export const breaker = (word) => BREAKERS[word] ?? ["off", "pending"];

export function budget(row) {
  const { left, of, period } = row.budget ?? {};
  if (left === undefined) return "no limit";
  if (left <= 0) return period === null ? "the next failure is the last: it gives up" : "the next crash stops it and all below it";
  return period === null ? `${left} of ${of} failures in a row left` : `${left} of ${of} restarts left in ${age(period)}`;
}

export const leaf = (path) => plain(path.split("/").filter(Boolean).pop() ?? path, 120);
