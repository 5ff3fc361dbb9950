// Numbers and times in words, and the elements that hold them.

const SVG = "http://www.w3.org/2000/svg";
const SUBSETS = 8;

/** An element with attributes and children; texts stay texts. */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same of a picture. */
export function shape(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** Attributes that are read as texts. */
const READ = ["aria-label", "data-label"];

function fill(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : READ.includes(key) ? visible(value) : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined).map((child) => (child instanceof Node ? child : visible(child))));
  return made;
}

/** What others wrote, without what is not seen but changes what is: a character that turns the direction of a text, as an example. */
export const visible = (text) => String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (each) => (each === "\n" ? each : `\\u{${each.codePointAt(0).toString(16)}}`));

/** Gives an element this text; what says the same already is not touched. */
export function say(place, text) {
  const shown = visible(text);
  if (place.textContent !== shown) place.textContent = shown;
}

/** A text that fits into so many letters. */
export function short(text, most) {
  const letters = [...text];
  return letters.length <= most ? text : `${letters.slice(0, Math.max(1, most - 1)).join("")}…`;
}

/**
 * Gives an element these children, and changes those that are there instead of replacing them: the focus, what is open and what is
 * selected stay. For what nobody listens to.
 */
export function update(place, ...children) {
  become(place, element("div", {}, ...children));
}

function become(own, next) {
  const [old, wanted] = [[...own.childNodes], [...next.childNodes]];
  old.slice(wanted.length).forEach((node) => node.remove());
  wanted.forEach((node, at) => {
    const before = old[at];
    if (!before) own.append(node);
    else if (before.nodeName !== node.nodeName) before.replaceWith(node);
    else if (node instanceof Text) {
      if (before.data !== node.data) before.data = node.data;
    } else {
      // Whether it is open is up to the reader.
      for (const { name } of [...before.attributes]) if (name !== "open" && !node.hasAttribute(name)) before.removeAttribute(name);
      for (const { name, value } of node.attributes) if (before.getAttribute(name) !== value) before.setAttribute(name, value);
      become(before, node);
    }
  });
}

/** `0.2` is `20.0 %`. */
export function percent(share, digits = 1) {
  return share === null || share === undefined ? "–" : `${(share * 100).toFixed(digits)} %`;
}

/** The time of day; with the day if it is another one. */
export function clock(second, now = second) {
  const moment = new Date(second * 1000);
  const time = moment.toLocaleTimeString([], { hourCycle: "h23" });
  const isToday = moment.toDateString() === new Date(now * 1000).toDateString();
  return isToday ? time : `${moment.toLocaleDateString()} ${time}`;
}

/** A time on an axis that is so many seconds long. */
export function tick(second, length) {
  const isLong = length > 12 * 3600;
  const form = isLong ? { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit", second: "2-digit" };
  return new Date(second * 1000).toLocaleString([], { ...form, hourCycle: "h23" });
}

/** Where these times are those of the day. */
export const zone = () => new Intl.DateTimeFormat([], { timeZoneName: "short" }).formatToParts().find(({ type }) => type === "timeZoneName").value;

/** As in `2 min 5 s`. */
export function span(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(seconds)} s`;
}

/** The number of a subset's colour; one that the rule has not has none. */
export const colour = (place) => (place < 0 ? "none" : place % SUBSETS);

/** How bad something is, in a sign and a word. */
export const LEVELS = { good: "✓ Good", warning: "! Look", bad: "✗ Bad" };

/** A table whose cells say what they are; a cell is a text, an element, or `{text, bad}`. */
export function table(caption, heads, rows) {
  const cell = (value, place) => {
    const { text, bad } = value !== null && typeof value === "object" && "text" in value ? value : { text: value, bad: false };
    const isShort = !(text instanceof Node) && String(text).length < 12;
    const shown = text instanceof Node ? text : element("span", { class: isShort ? "short" : null }, String(text));
    return place === 0
      ? element("th", { scope: "row" }, shown)
      : element("td", { "data-label": heads[place], class: bad ? "bad" : null }, shown);
  };
  return element(
    "table", {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, rows.map((row) => element("tr", {}, row.map(cell)))),
  );
}

/** The name of a subset next to its colour. */
export function subsetName(name, place, more = "") {
  return element("span", {}, element("span", { class: `swatch b${colour(place)}`, "aria-hidden": "true" }), name + more);
}
