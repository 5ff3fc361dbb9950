// Moves weights: shows who would move before anybody does, asks, and waits until every gateway has it.

import { drawSpace, drawWords } from "./plots.js";
import { element, percent, say } from "./words.js";

export class Mover {
  constructor(rule) {
    this.rule = rule;
    this.sliders = element("div", { class: "weights" });
    this.picture = { place: element("div"), words: element("figcaption") };
    this.figure = element("figure", { hidden: true }, element("h4", {}, "Then"), this.picture.place, this.picture.words);
    this.words = element("p", { role: "status", class: "moves" });
    this.heading = element("h3");
    this.actions = element("div", { class: "actions" });
    this.part = element("section", { class: "mover", "aria-label": "Move weights", hidden: true }, this.heading, this.sliders, this.figure, this.words, this.actions);
    this.inputs = new Map();
    this.order = null;
    this.preview = null;
    this.asked = 0;
  }

  /** Follows the state; what somebody is trying stays. */
  show(state) {
    const { view, reading } = this.rule;
    this.state = state;
    const canaries = reading.subsets.filter((own) => !own.stable && own.weight !== null);
    this.part.hidden = view.space.length === 0 || canaries.length === 0;
    if (this.part.hidden) return;
    say(this.heading, state.isWritable ? "Move weights" : "Who would move?");
    const names = canaries.map((own) => own.name).join();
    if (this.names !== names) {
      this.names = names;
      this.inputs.clear();
      this.sliders.replaceChildren(...canaries.flatMap((own) => this.slider(own.name)));
    }
    const sum = reading.subsets.reduce((all, own) => all + own.weight, 0);
    // What was said of other weights holds no longer.
    const now = JSON.stringify(reading.subsets.map((own) => [own.name, own.weight, own.tripped]));
    if (this.order && !this.isBusy && this.weights !== now) this.ask(this.order);
    this.weights = now;
    if (!this.order) for (const own of canaries) this.set(own.name, sum ? (own.weight / sum) * 100 : 0);
    this.showActions();
  }

  /** A slider and a field for the share of a canary. */
  slider(name) {
    const range = element("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": `Share of ${name} in percent` });
    const field = element("input", { type: "number", min: 0, max: 100, step: "any", "aria-label": `${name}, in percent`, inputmode: "decimal" });
    const change = (input) => () => {
      if (input.value === "" || !input.checkValidity()) return;
      this.set(name, Number(input.value), input);
      this.ask({ what: "set", weights: [`${name}=${Number(input.value)}%`] });
    };
    range.addEventListener("input", change(range));
    field.addEventListener("input", change(field));
    this.inputs.set(name, [range, field]);
    return [element("label", {}, `${name}, share in percent`, range), field];
  }

  set(name, share, except = null) {
    for (const input of this.inputs.get(name) ?? []) {
      const value = String(Math.round(share * 1e4) / 1e4);
      if (input !== except && input !== document.activeElement && input.value !== value) input.value = value;
      else if (input !== except && this.order && input.value !== value) input.value = value;
    }
  }

  /** Asks who would move. Of several answers the last counts. */
  async ask(order) {
    const { view } = this.rule;
    this.order = { plugin: view.plugin, rule: view.rule, ...order };
    const number = ++this.asked;
    const answer = await fetch(`preview?${new URLSearchParams({ order: JSON.stringify(this.order) })}`).catch(failed);
    const [isGood, shown] = answer.ok ? [true, await answer.json()] : [false, await answer.text()];
    if (number !== this.asked) return;
    this.preview = isGood ? shown : null;
    say(this.words, isGood ? [inWords(shown, view), shown.edits.length ? endedTrips(view) : ""].join(" ").trim() : `✗ ${shown}`);
    this.draw();
    this.showActions();
  }

  /** Forgets what was tried. */
  forget(words) {
    [this.order, this.preview] = [null, null];
    this.asked += 1;
    say(this.words, words);
    this.figure.hidden = true;
    if (this.state) this.show(this.state);
  }

  /** Who will own what, with the parts that move. */
  draw() {
    const diff = this.preview && diffOf(this.preview, this.rule.view);
    this.figure.hidden = !diff?.picture.new.length;
    if (this.figure.hidden) return;
    const { picture } = diff;
    // Colours and names are those of the rule, even if a subset is gone then.
    const names = this.rule.names;
    const place = (number) => names.indexOf(diff.subsets[number].subset);
    const [runs, moving] = [[], []];
    let from = 0;
    picture.new.forEach(([owner, draws], number) => {
      runs.push([place(owner), draws]);
      if (picture.isComparable && picture.old[number]?.[0] !== owner) moving.push([from, from + draws]);
      from += draws;
    });
    drawSpace(this.picture.place, runs, names, { dots: this.rule.dots, moving, now: this.state.at });
    const who = this.rule.dots.filter(({ position }) => moving.some(([begin, end]) => begin <= position && position < end)).length;
    const dots = this.rule.dots.length ? ` Of the dots, ${who} of ${this.rule.dots.length} move (rings).` : "";
    say(this.picture.words, `${drawWords(runs, names)}. What moves has a dashed border.${dots}`);
  }

  showActions() {
    const { rule, state } = this;
    const button = (text, action, isEnabled = true) => {
      const made = element("button", { type: "button", disabled: !isEnabled }, text);
      made.addEventListener("click", action);
      return made;
    };
    const edits = this.preview?.edits.length ?? 0;
    const wanted = [];
    if (this.order) wanted.push(["Reset", () => this.forget("")]);
    if (state.isWritable && !this.isBusy) {
      const at = (order) => async () => {
        await this.ask(order);
        if (this.preview) this.confirm();
      };
      wanted.unshift(["Write …", () => this.confirm(), edits > 0]);
      const ramp = rule.reading.ramp?.state;
      if (ramp === "running" || ramp === "ahead") wanted.push(["Pause the ramp …", at({ what: "pause" })]);
      if (ramp === "paused") wanted.push(["Resume the ramp …", at({ what: "resume" })]);
      wanted.push(["Roll back …", at({ what: "rollback" })]);
    }
    const now = JSON.stringify(wanted.map(([text, , isEnabled]) => [text, isEnabled]));
    // A button that has the focus keeps it.
    if (this.offered === now) {
      [...this.actions.children].forEach((made, number) => (made.replacedBy = wanted[number][1]));
      return;
    }
    this.offered = now;
    this.actions.replaceChildren(...wanted.map(([text, action, isEnabled]) => {
      const made = button(text, () => made.replacedBy(), isEnabled);
      made.replacedBy = action;
      return made;
    }));
  }

  /** Asks whoever is there, writes, and waits. */
  confirm() {
    const { preview, order, rule } = this;
    const plugin = this.state.status.plugins.find((own) => `${own.namespace}/${own.name}` === rule.view.plugin);
    const ends = endedTrips(rule.view);
    const yes = element("button", { value: "yes" }, "Write it");
    const dialog = element(
      "dialog", { "aria-labelledby": "ask" },
      element("h3", { id: "ask" }, `Write this to ${rule.view.object}?`),
      element("p", {}, `Rule ${rule.view.rule}: ${inWords(preview, rule.view)}`),
      ...preview.notes.map((note) => element("p", {}, `Note: ${note}.`)),
      ends ? element("p", {}, ends) : null,
      plugin?.managedBy ? element("p", {}, `${plugin.managedBy} manages it, and may undo this: make the edit in its repository too.`) : null,
      element("form", { method: "dialog", class: "actions" }, yes, element("button", { value: "no" }, "Cancel")),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (dialog.returnValue === "yes") this.write({ ...order, agreed: { old: preview.old, new: preview.new } });
    });
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector("button[value=no]").focus();
  }

  async write(order) {
    this.isBusy = true;
    say(this.words, "Writing, and waiting for every gateway …");
    this.showActions();
    const sent = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(order) };
    const answer = await fetch("change", sent).catch(failed);
    const words = answer.ok ? reached(await answer.json()) : `✗ ${await answer.text()}`;
    this.isBusy = false;
    this.forget(words);
  }
}

const failed = (error) => ({ ok: false, text: async () => error.message });

const diffOf = (preview, view) => preview.diff.plugins.flatMap((plugin) => plugin.rules).find((rule) => rule.rule === view.rule);

/** What would be done, and who moves. */
function inWords(preview, view) {
  const weights = Object.entries(preview.old).map(([name, old]) => {
    const after = preview.new[name];
    return after === old ? `${name} ${old}` : `${name} ${old ?? "?"} → ${after ?? "gone"}`;
  });
  if (preview.edits.length === 0) return `${weights.join(", ")}: nothing changes.`;
  const moved = [];
  for (const { who, moves, moved: all, least } of diffOf(preview, view)?.visitors ?? []) {
    if (!all) continue;
    const ways = moves.filter(({ from, to }) => from !== to).map(({ from, to, share }) => `${from} → ${to} ${percent(share, 2)}`);
    const isLeast = least && all.share <= least.share ? ", the least possible" : least ? `, the least possible is ${percent(least.share, 2)}` : "";
    moved.push(all.share > 0 ? `Of the ${who} ${percent(all.share, 2)} move${isLeast}: ${ways.join(", ")}.` : `None of the ${who} move.`);
  }
  if (!view.cookie && view.keys.length === 0) moved.push("Each request draws again: nobody stays.");
  return `${weights.join(", ")}. ${moved.join(" ")}`;
}

/** A canary that is out comes back. */
function endedTrips(view) {
  const out = view.trips.map((trip) => trip.subset).join(", ");
  return out && `This edit ends the trip of ${out}.`;
}

function reached({ gateways, tookMs, written }) {
  const { current, total, behind } = gateways;
  if (total === 0) return "✗ It is on no gateway: nothing is in force.";
  const done = written ? "Written" : "Nothing to write";
  const seconds = (tookMs / 1000).toFixed(1);
  return behind.length
    ? `✗ ${done}, but in force on ${current} of ${total} gateways after ${seconds} s; not on: ${behind.join("; ")}`
    : `✓ ${done}: in force on ${current} of ${total} gateways after ${seconds} s.`;
}
