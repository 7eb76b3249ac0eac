// Points in time as Discord shows them, in the reader's own time zone; relative ones are kept current by the page.

const LOCALE = navigator.language.startsWith("en") ? navigator.language : "en-GB";
const DATE = { day: "2-digit", month: "2-digit", year: "numeric" };
const LONG_DATE = { day: "numeric", month: "long", year: "numeric" };
const TIME = { hour: "numeric", minute: "2-digit" };
const SECONDS = { ...TIME, second: "2-digit" };
const FORMATS = {
  t: TIME,
  T: SECONDS,
  d: DATE,
  D: LONG_DATE,
  f: { ...LONG_DATE, ...TIME },
  F: { weekday: "long", ...LONG_DATE, ...TIME },
  s: { ...DATE, ...TIME },
  S: { ...DATE, ...SECONDS },
};
const FORMATTERS = new Map(
  Object.entries(FORMATS).map(([style, options]) => [style, new Intl.DateTimeFormat(LOCALE, options)]),
);
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "always" });
const UNITS = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
/** The last moment that a Date can hold, in seconds. */
const LAST = 8_640_000_000_000;

/** A moment (seconds since 1970) in one of Discord's styles; null for one that no calendar has. */
export function formatTimestamp(seconds, style, nowMs) {
  if (Math.abs(seconds) > LAST) return null;
  if (style === "R") return relative(seconds - nowMs / 1000);
  return (FORMATTERS.get(style) ?? FORMATTERS.get("f")).format(seconds * 1000);
}

function relative(seconds) {
  const distance = Math.abs(seconds);
  const [unit, size] = UNITS.find(([, size]) => distance >= size) ?? ["second", 1];
  return RELATIVE.format(Math.sign(seconds) * Math.floor(distance / size), unit);
}

/** `<t:seconds:style>` as an element. */
export function timestampElement(seconds, style, nowMs) {
  const text = formatTimestamp(seconds, style, nowMs);
  const element = document.createElement("time");
  element.className = "timestamp";
  if (text === null) {
    element.textContent = "Invalid Date";
    return element;
  }
  element.dateTime = new Date(seconds * 1000).toISOString();
  element.title = formatTimestamp(seconds, "F", nowMs);
  element.textContent = text;
  if (style === "R") element.dataset.relative = String(seconds);
  return element;
}

/** When a message was sent, as its header tells it. */
export function messageTime(iso, nowMs) {
  const at = new Date(iso);
  const element = document.createElement("time");
  element.dateTime = iso;
  element.title = formatTimestamp(at.getTime() / 1000, "F", nowMs);
  element.dataset.sent = iso;
  element.textContent = sentText(at, nowMs);
  return element;
}

function sentText(at, nowMs) {
  const seconds = at.getTime() / 1000;
  const today = new Date(nowMs);
  if (sameDay(at, today)) return formatTimestamp(seconds, "t", nowMs);
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  if (sameDay(at, yesterday)) return `Yesterday at ${formatTimestamp(seconds, "t", nowMs)}`;
  return formatTimestamp(seconds, "s", nowMs);
}

function sameDay(one, other) {
  return one.toDateString() === other.toDateString();
}

/** Bring every time under `root` that depends on the present up to date; touches only what reads differently. */
export function tickTimestamps(root, nowMs) {
  for (const element of root.querySelectorAll("time[data-relative]")) {
    setText(element, formatTimestamp(Number(element.dataset.relative), "R", nowMs));
  }
  for (const element of root.querySelectorAll("time[data-sent]")) {
    setText(element, sentText(new Date(element.dataset.sent), nowMs));
  }
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
