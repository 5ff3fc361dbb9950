// Pictures: the draws, lines over time, the plan of a ramp. Each has its words next to it.

import { colour, percent, shape, short, span, tick } from "./words.js";

const DRAWS = 2 ** 32;
const [LEFT, RIGHT, TOP, BOTTOM] = [44, 100, 8, 22];

const widthOf = (place) => Math.max(280, Math.floor(place.clientWidth) || 600);

/** How long a dot that has moved is marked, in seconds. */
const FRESH = 20;

/**
 * Who owns which draws: from the first to the last. `marks` are visitors by name, `dots` visitors by what answered them last, `outs` the
 * names of subsets that the guard has removed, `moving` the parts that another subset will have.
 */
export function drawSpace(place, runs, names, { marks = [], dots = [], outs = [], moving = [], now = 0 } = {}) {
  const [width, height, top] = [widthOf(place), 48, marks.length ? 22 : 4];
  const rows = dots.length ? 56 : 0;
  const whole = top + height + rows + 18;
  const picture = shape("svg", { viewBox: `0 0 ${width} ${whole}`, height: whole, role: "img", "aria-label": drawWords(runs, names, outs) });
  const x = (draw) => (draw / DRAWS) * width;
  let from = 0;
  for (const [owner, draws] of merged(runs)) {
    const wide = x(draws);
    const out = outs.includes(names[owner]) ? " out" : "";
    picture.append(shape("rect", { class: `run f${colour(owner)}${out}`, "data-subset": names[owner], x: x(from), y: top, width: wide, height }));
    const label = out ? `${names[owner]} is out` : `${names[owner]} ${percent(draws / DRAWS, 1)}`;
    const fits = [label, names[owner]].find((text) => text.length * 7.5 + 10 < wide);
    // Not across the border of a part that moves.
    const [at, anchor] = moving.length ? [x(from) + 8, "start"] : [x(from) + wide / 2, "middle"];
    if (fits) picture.append(shape("text", { class: `run-name${out}`, x: at, y: top + height / 2 + 4, "text-anchor": anchor }, fits));
    from += draws;
  }
  for (const [begin, end] of moving) {
    picture.append(shape("rect", { class: "moving", x: x(begin) + 1, y: top + 1, width: Math.max(1, x(end - begin) - 2), height: height - 2 }));
  }
  dots.forEach(({ position, subset, failed, moved }, number) => {
    const [cx, cy] = [Math.min(width - 5, Math.max(5, x(position))), top + height + 10 + ((number * 7) % 5) * 10];
    const isMoving = moving.some(([begin, end]) => begin <= position && position < end);
    const isFresh = isMoving || (moved !== null && now - moved < FRESH);
    const own = names.indexOf(subset);
    const data = { "data-subset": subset, "data-position": position, "data-moving": String(isMoving) };
    if (isFresh) picture.append(shape("circle", { class: "ring", cx, cy, r: 6.5 }));
    picture.append(failed
      ? shape("path", { class: `dot cross l${colour(own)}`, ...data, "data-failed": true, d: `M${cx - 4} ${cy - 4}l8 8m0 -8l-8 8` })
      : shape("circle", { class: `dot f${colour(own)}`, ...data, cx, cy, r: 4 }));
  });
  for (const { position, name } of marks) {
    const at = x(position);
    const anchor = at < 90 ? "start" : at > width - 90 ? "end" : "middle";
    picture.append(
      shape("path", { class: "mark", "data-position": position, d: `M${at - 6} ${top - 8} h12 l-6 9 z` }),
      shape("line", { class: "now", x1: at, x2: at, y1: top, y2: top + height }),
      shape("text", { x: at, y: top - 11, "text-anchor": anchor }, short(name, 24)),
    );
  }
  picture.append(
    shape("text", { class: "scale", x: 0, y: whole - 4 }, "first draw"),
    shape("text", { class: "scale", x: width, y: whole - 4, "text-anchor": "end" }, "last draw"),
  );
  place.replaceChildren(picture);
}

/** Neighbours of one owner are one. */
function merged(runs) {
  const all = [];
  for (const [owner, draws] of runs) {
    if (all.at(-1)?.[0] === owner) all.at(-1)[1] += draws;
    else all.push([owner, draws]);
  }
  return all;
}

/** The dots in words. */
export function dotWords(dots, names, now) {
  const count = (is) => dots.filter(is).length;
  const each = names.map((name) => `${count((dot) => dot.subset === name)} got ${name}`).join(", ");
  const [failed, moved] = [count((dot) => dot.failed), count((dot) => dot.moved !== null)];
  const fresh = count((dot) => dot.moved !== null && now - dot.moved < FRESH);
  return `Dots: ${dots.length} visitors by their draws. Last, ${each}; ${failed} met an error (crosses). ${moved} moved since the dashboard was started, ${fresh} of them lately (rings).`;
}

/** The same in words. */
export function drawWords(runs, names, outs = []) {
  const parts = merged(runs).map(([owner, draws]) => `${names[owner]}${outs.includes(names[owner]) ? " (out)" : ""} ${percent(draws / DRAWS, 1)}`);
  return `From the first draw to the last: ${parts.join(", then ")}`;
}

/** The axes of a plot, and how its values become places. */
function axes(place, [from, to], highest, label, isShare = true) {
  const [width, height] = [widthOf(place), 170];
  const until = Math.max(to, from + 1);
  const x = (at) => LEFT + ((at - from) / (until - from)) * (width - LEFT - RIGHT);
  const y = (value) => height - BOTTOM - (value / highest) * (height - TOP - BOTTOM);
  const picture = shape("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": label });
  for (const part of [0, 0.5, 1]) {
    const text = isShare ? percent(part * highest, highest < 0.1 ? 1 : 0) : String(part * highest);
    picture.append(
      shape("line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1: y(part * highest), y2: y(part * highest) }),
      shape("text", { class: "scale", x: LEFT - 5, y: y(part * highest) + 4, "text-anchor": "end" }, text),
    );
  }
  picture.append(
    shape("text", { class: "scale", x: LEFT, y: height - 5 }, tick(from, until - from)),
    shape("text", { class: "scale", x: width - RIGHT, y: height - 5, "text-anchor": "end" }, tick(until, until - from)),
  );
  return { picture, x, y, width };
}

/** A path through the points that have a value. */
function path(points, x, y, isStep = false) {
  let text = "";
  let before = null;
  for (const [at, value] of points) {
    if (value === null || value === undefined) {
      before = null;
      continue;
    }
    if (before === null) text += `M${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    else text += (isStep ? `H${x(at).toFixed(1)}` : "") + `L${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    // A lonely point is seen too.
    if (before === null) text += "h0.01";
    before = value;
  }
  return text;
}

/** A name and its value, as there is room for at the end of a line. */
const atEnd = (name, value) => `${short(name, 11 - value.length)} ${value}`;

/** Names at the ends of lines, none on top of another. */
function ends(picture, texts, x) {
  let last = -Infinity;
  for (const { y, text, place } of texts.sort((one, other) => one.y - other.y)) {
    last = Math.max(y + 4, last + 14);
    picture.append(shape("text", { class: `f${colour(place)}`, x, y: last }, text));
  }
}

/** Lines over time. Each has `points` of `[second, value]`, a `place` for its colour, a `kind`; those with a `name` are named at their end. */
export function linesOverTime(place, lines, label, { highest = null, isShare = true } = {}) {
  const all = lines.flatMap((line) => line.points).filter(([, value]) => value !== null && value !== undefined);
  if (all.length === 0) {
    place.replaceChildren(shape("svg", { viewBox: "0 0 280 40", height: 40, role: "img", "aria-label": label }, shape("text", { class: "scale", x: 0, y: 24 }, "nothing counted yet")));
    return;
  }
  const times = lines.flatMap((line) => line.points.map(([at]) => at));
  const most = highest ?? nice(Math.max(...all.map(([, value]) => value)), isShare);
  const { picture, x, y, width } = axes(place, [Math.min(...times), Math.max(...times)], most, label, isShare);
  const named = [];
  for (const { points, place: own, kind, name, isStep } of lines) {
    picture.append(shape("path", { class: `line ${kind ?? ""} l${colour(own)}`, "data-points": points.length, "stroke-linecap": "round", d: path(points, x, y, isStep) }));
    const last = points.findLast(([, value]) => value !== null && value !== undefined);
    if (name && last) named.push({ y: y(last[1]), text: atEnd(name, isShare ? percent(last[1]) : String(last[1])), place: own });
  }
  ends(picture, named, width - RIGHT + 6);
  place.replaceChildren(picture);
}

/** The end of a scale: at least 1 %, or 4 of something. */
function nice(most, isShare) {
  const ends = isShare ? [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1] : [4, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];
  return ends.find((end) => most <= end) ?? most;
}

/** The plan of a ramp, and where it is now. */
export function rampPlan(place, plan, names, now) {
  const [first, end] = [plan.start, plan.steps.at(-1).at];
  const around = Math.max(60, (end - first) * 0.08);
  // What is long past or far ahead is said in words.
  const [from, to] = [Math.min(first, Math.max(now, first - 4 * around)) - around, Math.max(end, Math.min(now, end + 4 * around)) + around];
  const { picture, x, y, width } = axes(place, [from, to], 1, "The plan of the ramp");
  const named = [];
  names.forEach((name, own) => {
    const points = [[from, plan.before[own]]];
    if (plan.isLinear && plan.steps[0].at > plan.start) points.push([plan.start, plan.before[own]]);
    for (const [number, step] of plan.steps.entries()) {
      if (!plan.isLinear || number === 0 && step.at === plan.start) points.push([step.at, points.at(-1)[1]]);
      points.push([step.at, step.shares[own]]);
    }
    points.push([to, points.at(-1)[1]]);
    picture.append(shape("path", { class: `line l${colour(own)}`, d: path(points, x, y) }));
    named.push({ y: y(points.at(-1)[1]), text: atEnd(name, percent(points.at(-1)[1], 0)), place: own });
  });
  ends(picture, named, width - RIGHT + 6);
  const mark = (at, text, kind) => {
    const right = x(at) > width / 2;
    picture.append(
      shape("line", { class: "now", "data-mark": kind, x1: x(at), x2: x(at), y1: TOP, y2: 170 - BOTTOM }),
      shape("text", { x: x(at) + (right ? -5 : 5), y: kind === "now" ? TOP + 12 : TOP + 28, "text-anchor": right ? "end" : "start" }, text),
    );
  };
  if (plan.pausedAt !== null && plan.pausedAt <= now) mark(Math.min(Math.max(plan.pausedAt, from), to), "paused", "paused");
  const far = now > to ? `now, ${span(now - end)} after the end` : now < from ? `now, ${span(first - now)} before the start` : "now";
  mark(Math.min(Math.max(now, from), to), far, "now");
  place.replaceChildren(picture);
}
