// Small drawings for channels, as SVG elements of 18 by 18.

const PATHS = {
  text: "M7 2 5 16M13 2l-2 14M2.500 6.500h13M2 11.500h13",
  announcement: "M3 7v4h3l6 4V3L6 7zM15 6.500a4 4 0 0 1 0 5",
  forum: "M3 3.500h12v8H8l-3 3v-3H3zM6 6.500h6M6 9h4",
  thread: "M5 2v7a3 3 0 0 0 3 3h6M11 9l3 3-3 3",
  direct: "M3 4h12v9H8l-4 3v-3H3z",
  restricted: "M9 2 1.500 15.500h15zM9 7v4M9 13.200v.1",
};

const BY_TYPE = { 0: "text", 1: "direct", 5: "announcement", 10: "thread", 11: "thread", 12: "thread", 15: "forum" };

/** The channel's drawing; what it means is said in words beside it. */
export function channelIcon(channel) {
  return icon(channel.nsfw ? "restricted" : BY_TYPE[channel.type] ?? "text");
}

/** What kind of channel it is, for those who do not see the drawing. */
export function channelKind(channel) {
  const kind = { 1: "direct messages", 5: "announcement channel", 15: "forum", 10: "thread", 11: "post", 12: "thread" };
  return `${channel.nsfw ? "age-restricted " : ""}${kind[channel.type] ?? "text channel"}`;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 18 18");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
