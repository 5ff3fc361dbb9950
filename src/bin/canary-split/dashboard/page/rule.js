// A rule: its verdict, who owns what, what is counted, its ramp, its trips, and its visitors.

import { dotWords, drawSpace, drawWords, linesOverTime, rampPlan } from "./plots.js";
import { Mover } from "./weights.js";
import { LEVELS, clock, element, percent, say, short, span, subsetName, table, update } from "./words.js";

/** Points that the page keeps; the server has its own limit, and merges them. */
const MOST = 1500;
/** So many hosts are named. */
const MOST_HOSTS = 8;
/** No good name of a rule or subset has more letters. */
const LONGEST = 63;
const nameOf = (own) => short(own.name, LONGEST);

export class RuleView {
  constructor(key) {
    this.key = key;
    this.points = [];
    this.marks = [];
    // Names have no slash: no two keys make the same one.
    const id = `rule-${encodeURI(key.replace(" ", "/"))}`;
    this.id = id;
    const part = (name) => (this[name] = element("div", { class: name }));
    const section = (title, ...children) => element("section", { "aria-label": title }, element("h3", {}, title), ...children);
    const figure = (name) => (this[name] = { place: element("div"), words: element("figcaption") });
    const drawn = ({ place, words }, name) => element("figure", { class: name }, place, words);
    this.title = element("h2", { id: `${id}-title` });
    this.hosts = element("p", { class: "hosts" });
    this.rampPart = section("Ramp", drawn(figure("ramp")), part("steps"));
    this.failingPart = section("Visitors who began to fail", drawn(figure("failing")));
    this.finder = finder(this);
    this.mover = new Mover(this);
    this.article = element(
      "article", { class: "rule", id, "aria-labelledby": `${id}-title`, tabindex: "-1" },
      this.title, this.hosts, part("trips"),
      (this.spacePart = section("Who owns what", drawn(figure("space"), "space"))),
      section("Subsets", part("subsets")),
      this.mover.part,
      element(
        "div", { class: "plots" },
        section("Shares of the requests", drawn(figure("shares"))),
        section("5xx of the responses", drawn(figure("errors"))),
        this.failingPart, this.rampPart,
      ),
      section("Find a visitor", this.finder.part),
    );
  }

  /** What was counted so far; a look that was faster has added its point already. */
  begin(points) {
    const last = points.at(-1)?.at ?? 0;
    this.points = [...points, ...this.points.filter(({ at }) => at > last)];
  }

  add(point) {
    this.points.push(point);
    if (this.points.length > MOST) this.points.shift();
  }

  /** Shows a state; `reading` is the rule in `status -o json`. */
  show(view, reading, state) {
    const now = state.at;
    [this.view, this.reading, this.now] = [view, reading, now];
    this.dots = state.visitors?.[this.key] ?? [];
    say(this.title, short(view.rule, LONGEST));
    const [hosts, more] = [reading.hosts.slice(0, MOST_HOSTS), reading.hosts.length - MOST_HOSTS];
    const whose = hosts.map((host) => short(host, 253)).concat(more > 0 ? `and ${more} more` : []).join(", ") || "every host";
    say(this.hosts, `${whose} · ${view.object}`);
    this.names = reading.subsets.map((subset) => subset.name);
    update(this.trips, view.trips.map((trip) => tripOf(trip, now)));
    update(this.subsets, this.subsetTable());
    this.finder.offer(view);
    this.mover.show(state);
    this.draw();
  }

  /** The pictures, as wide as there is room. */
  draw() {
    const { view, reading, names, now } = this;
    if (!view || !this.article.isConnected) return;
    const outs = reading.subsets.filter((subset) => subset.tripped).map((subset) => subset.name);
    this.spacePart.hidden = view.space.length === 0;
    if (view.space.length) {
      drawSpace(this.space.place, view.space, names, { marks: this.marks, dots: this.dots, outs, now });
      const dots = this.dots.length ? ` ${dotWords(this.dots, names, now)}` : "";
      say(this.space.words, `${drawWords(view.space, names, outs)}. ${whoStays(view)}${dots}`);
      this.mover.draw();
    }
    const numbers = (value) => names.map((name) => this.points.map(({ at, subsets }) => [at, value(subsets.find((own) => own.name === name), subsets)]));
    const share = (own, sum) => (own !== undefined && own !== null && sum > 0 ? own / sum : null);
    const total = (subsets, what) => subsets.reduce((sum, own) => sum + (own[what] ?? 0), 0);
    const decided = numbers((own, all) => share(own?.decided, total(all, "decided")));
    const arrived = numbers((own, all) => share(own?.arrived, total(all, "arrived")));
    const weights = numbers((own) => own?.inForce ?? null);
    const failed = numbers((own) => share(own?.failed, own?.responses));
    const failing = numbers((own) => own?.failing ?? null);
    const lines = names.flatMap((name, place) => [
      { points: arrived[place], place, kind: "arrived" },
      { points: weights[place], place, kind: "weight", isStep: true },
      { points: decided[place], place, kind: "decided", name },
    ]);
    linesOverTime(this.shares.place, lines, "The shares of the requests over time", { highest: 1 });
    say(this.shares.words, `Line: decided. Broad: arrived. Dashed: the weights in force. Last: ${sharesInWords(reading)}.`);
    linesOverTime(this.errors.place, names.map((name, place) => ({ points: failed[place], place, name })), "The share of 5xx over time");
    say(this.errors.words, `Last: ${reading.subsets.map((own) => `${nameOf(own)} ${percent(own.errors)}`).join(", ")} of its responses.`);
    this.failingPart.hidden = !view.guard;
    if (view.guard) {
      linesOverTime(this.failing.place, names.map((name, place) => ({ points: failing[place], place, name })), "Visitors who began to fail, between two looks", { isShare: false });
      const all = names.map((name, place) => `${view.failing[place] ?? 0} of ${name}`).join(", ");
      say(this.failing.words, `${guardInWords(view.guard)} Since the gateways started: ${all}.`);
    }
    this.rampPart.hidden = !view.ramp;
    if (view.ramp) {
      rampPlan(this.ramp.place, view.ramp, names, now);
      say(this.ramp.words, `The ramp: ${reading.ramp?.text ?? "it has a plan"}.`);
      update(this.steps, stepsOf(view.ramp, names, now));
    }
  }

  subsetTable() {
    const { reading, view } = this;
    const heads = ["Subset", "Weight", "In force", "Decided", "Arrived", "5xx", "Failing visitors", "Pods ready", "Route"];
    const rows = reading.subsets.map((own, place) => {
      const inForce = own.inForce ?? (Object.entries(own.inForceByGateway).map(([pod, weight]) => `${weight} on ${pod}`).join(", ") || "–");
      return [
        subsetName(nameOf(own), place, own.stable ? " (stable)" : own.tripped ? " (out)" : ""),
        own.weight ?? "–",
        { text: inForce, bad: own.inForce === null && Object.keys(own.inForceByGateway).length > 1 },
        percent(own.decided),
        percent(own.arrived),
        { text: percent(own.errors, 2), bad: (own.errors ?? 0) >= 0.01 },
        view.failing[place] ?? "–",
        own.pods ? { text: `${own.pods.ready} of ${own.pods.total}`, bad: own.pods.ready === 0 } : "–",
        own.route ?? "–",
      ];
    });
    return table("Shares are of the requests between the last two looks; – is not known, or none.", heads, rows);
  }
}

function whoStays(view) {
  if (!view.cookie && view.keys.length === 0) return "Each request draws again: nobody stays.";
  return view.keeps ? "Each visitor has a draw; whoever has a cookie stays, whatever the weights are." : "Each visitor has a draw, and keeps it.";
}

const sharesInWords = (reading) =>
  reading.subsets.map((own) => `${nameOf(own)} ${percent(own.decided)} decided, ${percent(own.arrived)} arrived`).join("; ");

function guardInWords(guard) {
  const does = guard.onlyObserves ? "says so" : guard.holdFor ? `removes it for ${span(guard.holdFor)}` : "removes it until the rule is edited";
  return `If a canary fails more than stable by ${percent(guard.margin)}, the guard ${does}.`;
}

function tripOf(trip, now) {
  const since = trip.since === null ? "before the dashboard was started" : `at ${clock(trip.since, now)}`;
  return element(
    "div", { class: "trip" },
    element("p", {}, element("span", { class: "level bad" }, LEVELS.bad), ` The guard of ${trip.pods.join(", ")} removed ${trip.subset} ${since}.`),
    element("p", {}, `Evidence: ${trip.evidence}.`),
    trip.log ? element("p", {}, "The gateway's own words: ", element("code", {}, trip.log)) : null,
  );
}

function stepsOf(plan, names, now) {
  const current = plan.pausedAt !== null && plan.pausedAt <= now ? plan.pausedAt : now;
  const reached = plan.steps.filter((step) => step.at <= current).length;
  const state = (place) => (place < reached - 1 ? "reached" : place === reached - 1 ? "now" : "ahead");
  const rows = plan.steps.map((step, place) => [clock(step.at, now), state(place), ...names.map((_, own) => percent(step.shares[own], 2))]);
  return element("details", {}, element("summary", {}, "Steps"), table("From this time on, in local time.", ["Time", "State", ...names], rows));
}

/** The form that finds a visitor. */
function finder(rule) {
  const url = element("input", { name: "url", required: true, autocomplete: "off", spellcheck: "false" });
  const by = element("select", { name: "by" });
  const value = element("input", { name: "value", autocomplete: "off", spellcheck: "false" });
  const result = element("div", { class: "found", role: "status" });
  const field = (text, input) => element("label", {}, text, input);
  const form = element("form", {}, field("URL", url), field("Known by", by), field("Value", value), element("button", { type: "submit" }, "Find"));
  let offered = "";
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = new URLSearchParams([["plugin", rule.view.plugin], ["url", url.value]]);
    try {
      addVisitor(query, by.value, value.value);
    } catch (error) {
      result.replaceChildren(element("p", { class: "level bad" }, error.message));
      return;
    }
    const answer = await fetch(`explain?${query}`).catch((error) => ({ ok: false, text: async () => error.message }));
    if (!answer.ok) {
      result.replaceChildren(element("p", { class: "level bad" }, `✗ ${await answer.text()}`));
      return;
    }
    const { explain, text, position } = await answer.json();
    rule.marks = position === null || explain.rule !== rule.view.rule ? [] : [{ position, name: value.value || "visitor" }];
    rule.draw();
    result.replaceChildren(element("p", { class: "found-verdict" }, verdictOf(explain)), element("pre", {}, text));
  });
  return {
    part: element("div", {}, form, result),
    /** Offers what the rule knows visitors by. */
    offer(view) {
      const options = [];
      if (view.cookie) options.push(["cookie", `cookie ${view.cookie}`, [view.cookie]]);
      for (const { kind, path } of view.keys) options.push([kind, `${WORDS[kind]} ${path.join(".")}`.trim(), path]);
      options.push(["any-header", "another header, as NAME: VALUE", []], ["nobody", "nothing: a first visit", []]);
      const now = JSON.stringify([options, view.url]);
      if (now === offered) return;
      if (!url.value) url.value = view.url;
      offered = now;
      by.replaceChildren(...options.map(([kind, text, path]) => element("option", { value: JSON.stringify([kind, path]) }, text)));
    },
  };
}

const WORDS = { header: "header", claim: "claim", queryParam: "query parameter", cookie: "cookie", remoteIp: "client address" };

/** What is known of a visitor, as parameters of the question. */
function addVisitor(query, chosen, text) {
  const [kind, path] = JSON.parse(chosen);
  const [name] = path;
  const value = text.trim();
  if (kind === "nobody") return;
  if (!value) throw new Error("Which value? Or choose a first visit.");
  if (kind === "cookie") query.append("cookie", value.startsWith(`${name}=`) ? value : `${name}=${value}`);
  else if (kind === "header") query.append("header", `${name}: ${value}`);
  else if (kind === "any-header") query.append("header", value);
  else if (kind === "remoteIp") query.append("address", value);
  else if (kind === "queryParam") {
    const url = query.get("url");
    // Names are compared as they are written, values are decoded.
    query.set("url", `${url}${url.includes("?") ? "&" : "?"}${name}=${encodeURIComponent(value)}`);
  } else if (kind === "claim") query.append("claims", JSON.stringify(path.reduceRight((inner, step) => ({ [step]: inner }), value)));
}

/** The answer in a sentence. */
function verdictOf(explain) {
  if (!explain.rule) return "No rule decides: the default route takes the request.";
  const whose = explain.from ? `, by ${explain.from}` : "";
  if (explain.subset) return `${explain.subset}, by rule ${explain.rule}${whose}.`;
  const shares = explain.shares.map(({ subset, share }) => `${subset} ${percent(share)}`).join(", ");
  return shares ? `Chance decides, by rule ${explain.rule}: ${shares}.` : `Rule ${explain.rule} decides${whose}.`;
}
