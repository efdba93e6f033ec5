// What the page knows: the last header, the rows, the last events. Bounded, and told to the views once a frame.

export const MOST_EVENTS = 1000;

export const store = {
  header: null,
  rows: new Map(),
  order: [],
  events: [],
  seen: 0,          // id of the last event
  received: 0,      // performance.now() of the last news
  frozen: false,    // whether the clock stands because the bot is out of reach
};

const views = [];
let changed = null;

/** Call *view* once a frame with what changed: `header` (names), `rows` (paths), `order`, `events` (new ones),
 * `whole` (a snapshot came), `anew` (of a bot not seen before). */
export function whenChanged(view) { views.push(view); }

function touch() {
  if (changed !== null) return changed;
  changed = { header: new Set(), rows: new Set(), order: false, events: [], missed: 0, whole: false, anew: false };
  if (document.hidden) setTimeout(flush, 1000); // no frames are drawn, but the title of the tab is read
  else requestAnimationFrame(flush);
  return changed;
}

document.addEventListener("visibilitychange", flush);

function flush() {
  const news = changed;
  changed = null;
  if (news === null || store.header === null) return;
  for (const view of views) {
    try {
      view(news);
    } catch (error) { // what one view cannot show, perhaps of a newer bot, the others do
      reportError(error);
    }
  }
}

let bot = "";
export function takeSnapshot({ header, rows }) {
  const news = touch();
  const which = `${header.bot.pid} ${header.bot.started_at}`;
  news.whole = true;
  if (bot !== which) { // its events, too, are others, and are counted from 1 again
    if (bot !== "") forgetEvents(news);
    news.anew = true;
    bot = which;
  }
  store.header = header;
  store.rows = new Map(rows.map((row) => [row.path, row]));
  store.order = sorted(rows.map((row) => row.path));
  news.order = true;
  for (const name of Object.keys(header)) news.header.add(name);
  for (const path of store.rows.keys()) news.rows.add(path);
  live();
}

/** Apply what changed; return false where it does not follow what we have. */
export function takeDelta({ base, header, rows, order }) {
  if (store.header === null || base > store.header.id) return false;
  if (base < store.header.id) return true;
  const news = touch();
  Object.assign(store.header, header);
  for (const name of Object.keys(header)) news.header.add(name);
  for (const row of rows) {
    store.rows.set(row.path, row);
    news.rows.add(row.path);
  }
  if (order) {
    const stay = new Set(order);
    for (const path of store.rows.keys()) if (!stay.has(path)) store.rows.delete(path);
    store.order = sorted(order.filter((path) => store.rows.has(path)));
    news.order = true;
  }
  live();
  return true;
}

/** The bot's own tree first, the runtime's below it. */
function sorted(order) {
  const inner = (path) => path === "/system" || path.startsWith("/system/");
  return [...order.filter((path) => !inner(path)), ...order.filter(inner)];
}

export function takeEvents(events) {
  const fresh = events.filter((event) => event.id > store.seen);
  if (fresh.length === 0) return;
  store.seen = fresh.at(-1).id;
  store.events.push(...fresh.slice(-MOST_EVENTS));
  if (store.events.length > MOST_EVENTS) store.events.splice(0, store.events.length - MOST_EVENTS);
  const news = touch();
  news.events.push(...fresh.slice(-MOST_EVENTS));
  if (news.events.length > MOST_EVENTS) news.events.splice(0, news.events.length - MOST_EVENTS);
}

function forgetEvents(news) {
  store.seen = 0;
  store.events.length = 0;
  news.events.length = 0;
}

export function missed(events) { touch().missed += events; }

export function live() {
  store.received = performance.now();
  store.frozen = false;
}

/** Seconds since the last word of the bot. */
export const silence = () => (performance.now() - store.received) / 1000;

let stopped = 0;
export function freeze() {
  if (store.frozen) return;
  stopped = silence();
  store.frozen = true;
}

/** The bot's clock, at this moment; it stands still while the bot is out of reach. */
export function now() {
  return store.header === null ? 0 : store.header.now + (store.frozen ? stopped : Math.min(silence(), 30));
}

/** A time of the bot's clock in seconds since 1970. */
export const wall = (time) => store.header.at + (time - store.header.now);
