// Who we are to the bot, and the one way to ask it: relative addresses only, so any host, port or tunnel will do.

const KEY = "duenna-token";
export const caller = { name: "", role: "" };
let token = "";
let refused = () => {};

/** Take the token from the address, where `duenna` puts it for one moment, or from this tab's memory. */
export function findToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given !== null) {
    history.replaceState(null, "", location.pathname + location.search);
    remember(given.trim());
  } else {
    try { token = sessionStorage.getItem(KEY) ?? ""; } catch { token = ""; }
  }
  return token !== "";
}

export function remember(given) {
  token = given;
  try {
    if (given === "") sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, given);
  } catch { /* it lasts as long as the page, then */ }
}

export function whenRefused(then) { refused = then; }

/** An answer that is no success, in the words of the bot. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `the bot answered ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

/** Ask. Throws a `Refusal`, or a TypeError where nobody answers. */
export async function open(path, options = {}) {
  // A header holds Latin-1 only; a token never has anything else, a slip of the keyboard may.
  if (/[^\x21-\x7e]/.test(token)) {
    const wrong = new Refusal(401, { title: "the token has characters that no token has" });
    refused(wrong);
    throw wrong;
  }
  const headers = { Authorization: `Bearer ${token}`, ...options.headers };
  const answer = await fetch(path, { cache: "no-store", credentials: "omit", redirect: "error", ...options, headers });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  const refusal = new Refusal(answer.status, problem ?? {});
  if (answer.status === 401) refused(refusal);
  throw refusal;
}

export async function get(path, signal) {
  return (await open(path, { signal, headers: { Accept: "application/json" } })).json();
}

export async function send(method, path, body) {
  const answer = await open(path, {
    method,
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: method === "DELETE" ? undefined : JSON.stringify(body ?? {}),
  });
  const text = await answer.text();
  return text === "" ? null : JSON.parse(text);
}

export const post = (path, body) => send("POST", path, body);

/** The address of an actor; a name may hold anything. */
export const actor = (path, what = "") =>
  `api/v1/actors/${path.split("/").filter(Boolean).map(encodeURIComponent).join("/")}${what && `/${what}`}`;

export const mayAct = () => caller.role === "operate";
export const whyNot = () => `Read-only: the token “${caller.name}” may look, not act.`;

/** Hand a document of the bot to the person as a file. */
export async function download(path, name) {
  const url = URL.createObjectURL(await (await open(path)).blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
