// The live stream: server-sent events read with fetch, for EventSource cannot carry a token.

import { open, Refusal } from "./access.js";
import { freeze, live, missed, silence, store, takeDelta, takeEvents, takeSnapshot } from "./store.js";

const WAITS = [0.5, 1, 2, 3, 5, 8];
const SILENT = 35; // seconds: two pings and a bit
const DRIFTED = 10_000; // milliseconds within which a second drift is no chance
const LONGEST = 64 * 1024 * 1024;

/** State of the page's own connection: connecting | live | waiting | refused, with why and until when. */
export const link = { state: "connecting", why: "", until: 0, lost: 0 };

let abort = null;
let failures = 0;
let wake = () => {};
let tell = () => {};
let round = 0;
let drifted = -Infinity;

export function whenLinked(then) { tell = then; }

function become(state, why = "") {
  if (state !== "live" && link.state === "live") link.lost = performance.now();
  Object.assign(link, { state, why });
  if (state !== "live") freeze();
  tell(link);
}

/** Read for ever, after *prepare* each time; after a loss try again, soon at first, then every few seconds, never all viewers at once. */
export async function run(prepare) {
  const mine = ++round;
  abort?.abort();
  while (mine === round) {
    become("connecting", link.why);
    const why = await once(prepare);
    if (mine !== round) break;
    if (why === AGAIN.message) {
      const since = performance.now() - drifted;
      drifted = performance.now();
      if (since > DRIFTED) continue; // at once, but never again and again
    }
    const wait = WAITS[Math.min(failures++, WAITS.length - 1)] * (0.8 + 0.4 * Math.random());
    link.until = performance.now() + wait * 1000;
    become("waiting", why);
    await new Promise((resolve) => { wake = resolve; setTimeout(resolve, wait * 1000); });
  }
}

export function stop() {
  round += 1;
  abort?.abort();
  wake();
  become("refused");
}

export const retryNow = () => wake();

async function once(prepare) {
  const mine = (abort = new AbortController());
  const first = performance.now();
  const watch = setInterval(() => { if (Math.min(silence(), (performance.now() - first) / 1000) > SILENT) mine.abort(); }, 1000);
  try {
    await prepare(mine.signal);
    const answer = await open("api/v1/live", { signal: mine.signal, headers: { Accept: "text/event-stream" } });
    store.received = performance.now();
    return await read(answer.body.getReader(), () => {
      if (link.state !== "live" && mine === abort) become("live", "");
      failures = 0;
    });
  } catch (error) {
    if (error instanceof Refusal || error === AGAIN) return error.message;
    if (error instanceof SyntaxError) return "the bot sent what makes no sense";
    return mine.signal.aborted ? "the bot has been silent" : "the bot does not answer";
  } finally {
    clearInterval(watch);
    mine.abort();
  }
}

const END = /\r?\n\r?\n/;
const AGAIN = new Error("the stream and the page have drifted apart");

async function read(reader, arrived) {
  const decoder = new TextDecoder();
  let rest = "";
  let seam = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return "the stream has ended";
    live();
    const text = decoder.decode(value, { stream: true });
    rest += text;
    if (rest.length > LONGEST) throw AGAIN;
    seam += text; // a large frame comes in many pieces: only the new one is searched for its end
    const isWhole = END.test(seam);
    seam = seam.slice(-3);
    if (!isWhole) continue;
    const parts = rest.split(END);
    rest = parts.pop();
    for (const part of parts) {
      const ended = take(part);
      if (ended) return ended;
    }
    if (store.header !== null && parts.length > 0) arrived();
  }
}

function take(part) {
  let type = "message";
  const data = [];
  for (const line of part.split(/\r?\n/)) {
    if (line.startsWith("event:")) type = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
  }
  if (type === "bye") return "the bot has closed its console";
  if (data.length === 0) return "";
  const value = JSON.parse(data.join("\n"));
  if (type === "snapshot") takeSnapshot(value);
  else if (type === "delta" && !takeDelta(value)) throw AGAIN;
  else if (type === "events") takeEvents(value);
  else if (type === "dropped") missed(value.events ?? value.count ?? 0);
  return "";
}
