// The page: reads the state once, then follows each look.

import { RuleView } from "./rule.js";
import { LEVELS, clock, element, say, span, table, update, visible, zone } from "./words.js";

const place = (id) => document.getElementById(id);
/** Between two questions of a tab that nobody sees, in milliseconds. */
const HIDDEN = 10_000;
const rules = new Map();
let state = null;
let isConnected = false;
let isOld = false;
let lastHeard = Date.now();
let looks = 0;

/** The state and everything counted so far. */
async function begin() {
  const before = looks;
  const answer = await fetch("state");
  if (!answer.ok) throw new Error(await answer.text());
  const { state: whole, history } = await answer.json();
  // A look that was faster is newer.
  show(before === looks ? whole : state, (view, key) => view.begin(history[key] ?? []));
}

/** Shows a state; `count` tells a rule what was counted. */
function show(next, count) {
  state = next;
  lastHeard = Date.now();
  // In the same order.
  const readings = state.status.plugins.flatMap((plugin) => plugin.rules);
  const seen = new Set();
  for (const [number, own] of state.rules.entries()) {
    seen.add(own.key);
    if (!rules.has(own.key)) {
      rules.set(own.key, new RuleView(own.key));
      place("rules").append(rules.get(own.key).article);
    }
    const view = rules.get(own.key);
    count(view, own.key);
    view.show(own, readings[number], state);
  }
  for (const [key, view] of rules) {
    if (!seen.has(key)) {
      view.article.remove();
      rules.delete(key);
    }
  }
  showVerdicts();
  showButtons();
  showFindings();
  showGateways();
  showList("events", state.events.map(({ at, text }) => element("li", {}, element("span", { class: "quiet" }, `${clock(at, state.at)} `), text)), "nothing but requests");
  const notes = [...state.status.notes, ...(state.visitorsUnknown ? [`visitors are not shown: ${state.visitorsUnknown}`] : [])];
  place("notes").hidden = notes.length === 0;
  update(place("notes-list"), notes.map((note) => element("li", {}, note)));
  say(place("source"), state.source);
  heartbeat();
}

function showList(id, items, nothing) {
  update(place(id), items.length ? items : element("li", { class: "quiet" }, nothing));
}

function showVerdicts() {
  // Nobody knows how a rule is now if the state is old.
  const levelOf = (rule) => (isOld ? "bad" : rule.verdict.level);
  const items = state.rules.map((rule) =>
    element("li", { class: `verdict ${levelOf(rule)}` },
      element("span", { class: `level ${levelOf(rule)}` }, LEVELS[levelOf(rule)]), " ",
      element("a", { href: `#${rules.get(rule.key).id}` }, rule.verdict.text)));
  showList("verdicts", items, "no rule: no plugin of this filter has any");
  const worst = ["bad", "warning", "good"].map((level) => state.rules.find((rule) => levelOf(rule) === level)).find(Boolean);
  document.title = visible(worst ? `${LEVELS[levelOf(worst)][0]} ${isOld ? "Old: " : ""}${worst.verdict.text}` : "canary-split");
}

/** Buttons of whoever has started the dashboard: the same as long as it runs. */
function showButtons() {
  if (place("buttons").childElementCount === state.buttons.length) return;
  place("buttons").replaceChildren(...state.buttons.map((label, number) => {
    const button = element("button", { type: "button" }, label);
    button.addEventListener("click", async () => {
      button.disabled = true;
      const answer = await fetch("press", { method: "POST", body: String(number) }).catch((error) => ({ ok: false, text: async () => error.message }));
      say(place("pressed"), answer.ok ? `Done: ${label}` : `✗ ${await answer.text()}`);
      button.disabled = false;
    });
    return button;
  }));
}

function showFindings() {
  const errors = state.status.findings.filter(({ severity }) => severity === "error");
  // The worst first.
  const findings = [...errors, ...state.status.findings.filter((found) => !errors.includes(found))];
  place("findings").hidden = findings.length === 0;
  const [bad, rest] = [errors.length, findings.length - errors.length].map((count, is) => count && `${count} ${["error", "warning"][is]}${count > 1 ? "s" : ""}`);
  say(place("findings-title"), `Findings: ${[bad, rest].filter(Boolean).join(", ")}`);
  update(place("findings-list"), findings.map((found) =>
    element("div", { class: `finding ${found.severity}` },
      element("p", {}, element("strong", { class: `level ${found.severity === "error" ? "bad" : "warning"}` }, `${found.severity}[${found.code}]`), ` ${found.message}`),
      element("p", { class: "quiet" }, `${found.why}. ${found.file}`),
      element("p", {}, `Fix: ${found.fix}`))));
}

function showGateways() {
  const rows = [];
  const several = state.status.plugins.length > 1;
  for (const plugin of state.status.plugins) {
    const title = `${plugin.namespace}/${plugin.name}`;
    const whose = several ? ` (${title})` : "";
    for (const gateway of plugin.gateways) {
      const said = gateway.silent ? `does not answer: ${gateway.silent}`
        : !gateway.hasFilter ? "does not run the filter"
        : gateway.current ? "has this config" : "has another config";
      rows.push([
        `${gateway.namespace}/${gateway.pod}${whose}`,
        { text: said, bad: said !== "has this config" },
        { text: gateway.faults ?? "–", bad: (gateway.faults ?? 0) > 0 },
        { text: gateway.rejected ?? "–", bad: (gateway.rejected ?? 0) > 0 },
      ]);
    }
    for (const gone of state.gone.filter((gone) => gone.plugin === title)) {
      rows.push([`${gone.pod}${whose}`, { text: `went away at ${clock(gone.since, state.at)}`, bad: false }, "–", "–"]);
    }
    if (plugin.managedBy) rows.push([title, `managed by ${plugin.managedBy}`, "–", "–"]);
  }
  update(place("gateways"), rows.length
    ? table("Who has the config, and what is wrong with it there.", ["Gateway", "State", "Faults", "Rejected pushes"], rows)
    : element("p", {}, "No gateway has the filter."));
}

/** How old this is. */
function heartbeat() {
  const silent = (Date.now() - lastHeard) / 1000;
  const isSilent = state && !document.hidden && silent > 3 * state.interval + 10;
  const line = place("heartbeat");
  let text = state ? `Looked at ${clock(state.at)} ${zone()}, again every ${span(state.interval)}` : "Reading the state …";
  if (state?.lost) text = `Nothing could be read since ${clock(state.lost.since, state.at)}: ${state.lost.why}. This is the state of before.`;
  if (!isConnected || isSilent) text = `The dashboard does not answer: is it still running? This is the state of ${state ? clock(state.at) : "nothing"}.`;
  const isBad = Boolean(state?.lost) || !isConnected || isSilent;
  if (state && isBad !== isOld) {
    isOld = isBad;
    showVerdicts();
  }
  line.classList.toggle("bad", isBad);
  say(line, text);
}

let events = null;

/** Hears of each look from now on. */
function follow() {
  events = new EventSource("events");
  events.addEventListener("open", () => {
    isConnected = true;
    // What happened before is in the state.
    catchUp();
  });
  events.addEventListener("error", () => {
    isConnected = false;
    heartbeat();
  });
  events.addEventListener("look", ({ data }) => {
    isConnected = true;
    looks += 1;
    const { state: next, latest } = JSON.parse(data);
    show(next, (view, key) => latest[key] && view.add(latest[key]));
  });
}

async function catchUp() {
  try {
    await begin();
    isConnected = true;
  } catch (error) {
    isConnected = false;
    heartbeat();
    if (!state) say(place("heartbeat"), error.message);
  }
}

/** A browser has six connections for all tabs together: one that nobody sees asks now and then, for its title. */
function see() {
  if (document.hidden) {
    events?.close();
    events = null;
  } else if (!events) {
    lastHeard = Date.now();
    follow();
  }
}
document.addEventListener("visibilitychange", see);
see();
if (!events) catchUp();
setInterval(() => document.hidden && catchUp(), HIDDEN);
setInterval(heartbeat, 2000);

let isWaiting = false;
addEventListener("resize", () => {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(() => {
    isWaiting = false;
    for (const view of rules.values()) view.draw();
  });
});
