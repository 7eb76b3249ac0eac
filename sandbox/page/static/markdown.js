// Discord's markdown as DOM nodes. Reads a text once from left to right: what a mark that is never closed would make
// of the rest is looked for once only, so that no text makes it slow.

import { h, link, nameOf, webAddress } from "./dom.js";
import { timestampElement } from "./timestamps.js";

/** How far marks nest before the rest is shown as it is written. */
const DEEPEST = 12;
const LONGEST_LABEL = 1_000;

const MARKS = new Map([
  ["**", "strong"],
  ["__", "u"],
  ["~~", "s"],
  ["||", "spoiler"],
]);
const NEXT = /[\\`*_~|<[@]|https?:\/\//g;
const ESCAPED = /\\([^0-9A-Za-z\s])/y;
const BARE_LINK = /https?:\/\/[^\s<\]]+/y;
const TARGET = /\(\s*<?(https?:\/\/(?:\([^\s()<>]*\)|[^\s()<>])+)>?(?:\s+(?:"([^"\n]*)"|'([^'\n]*)'))?\s*\)/y;
const EVERYONE = /@(?:everyone|here)\b/y;
const ANGLED = [
  [/<@!?(\d{1,20})>/y, (match, state) => userMention(match[1], state)],
  [/<@&(\d{1,20})>/y, (match, state) => roleMention(match[1], state)],
  [/<#(\d{1,20})>/y, (match, state) => channelMention(match[1], state)],
  [/<t:(-?\d{1,17})(?::([tTdDfFRsS]))?>/y, (match, state) => stamp(match, state)],
  [/<a?:(\w{2,32}):\d{1,20}>/y, (match) => customEmoji(match[1])],
  [/<\/([^:<>\n]{1,100}):\d{1,20}>/y, (match, state) => commandMention(match[1], state)],
  [/<(https?:\/\/[^\s<>]+)>/y, (match, state) => bareLink(match[1], state)],
];

const HEADING = /(#{1,3})[ \t]+([^\n]+)(?:\n|$)/y;
const SUBTEXT = /-#[ \t]+([^\n]+)(?:\n|$)/y;
const QUOTE_LINE = / *>(?!>>) ([^\n]*)(?:\n|$)/y;
const QUOTE_REST = / *>>> ([\s\S]*)/y;
const ITEM = /( *)([-*]|\d{1,9}\.) +([^\n]+)(?:\n|$)/y;
const ITEM_GOES_ON = / {2,}(\S[^\n]*)(?:\n|$)/y;
const FENCE = /```(?:([\w+#.-]{1,40})\n)?\n*([\s\S]*?)\n*```\n?/y;

/**
 * `text` as a fragment. `inline`: headings, lists, quotes and code blocks are not read (titles, names of fields);
 * `everyone`: @everyone and @here are mentions.
 */
export function renderMarkdown(text, context, { inline = false, everyone = false } = {}) {
  const fragment = document.createDocumentFragment();
  const state = { context, depth: 0, inLink: false, inQuote: false, everyone };
  if (inline) appendInline(fragment, text, state);
  else appendBlocks(fragment, text.replaceAll("\r\n", "\n"), state);
  return fragment;
}

// -- blocks

function appendBlocks(parent, text, state) {
  let at = 0;
  let paragraph = 0;
  const flush = (until) => {
    const words = text.slice(paragraph, until).replace(/\n$/, "");
    if (words !== "") parent.append(inlineInto(h("div", { class: "md-p" }), words, state));
  };
  while (at < text.length) {
    const lineEnd = endOfLine(text, at);
    const block = readBlock(text, at, state) ?? readFenceInLine(text, at, lineEnd);
    if (block === null) {
      at = lineEnd + 1;
      continue;
    }
    flush(block.start ?? at);
    parent.append(block.node);
    at = paragraph = block.end;
  }
  flush(text.length);
}

function endOfLine(text, at) {
  const end = text.indexOf("\n", at);
  return end === -1 ? text.length : end;
}

function readBlock(text, at, state) {
  return readHeading(text, at, state) ?? readQuote(text, at, state) ?? readList(text, at, state);
}

function matchAt(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function readHeading(text, at, state) {
  const heading = matchAt(HEADING, text, at);
  if (heading !== null && heading[2].trim() !== "") {
    const level = heading[1].length;
    const node = h(`h${level + 3}`, { class: `md-heading md-h${level}` });
    return { node: inlineInto(node, heading[2].trim(), state), end: at + heading[0].length };
  }
  const subtext = matchAt(SUBTEXT, text, at);
  if (subtext === null) return null;
  return { node: inlineInto(h("small", { class: "md-subtext" }), subtext[1], state), end: at + subtext[0].length };
}

function readQuote(text, at, state) {
  if (state.inQuote) return null;
  const rest = matchAt(QUOTE_REST, text, at);
  if (rest !== null) return { node: quote(rest[1], state), end: text.length };
  const lines = [];
  let end = at;
  for (let line; end < text.length && (line = matchAt(QUOTE_LINE, text, end)) !== null; end += line[0].length) {
    lines.push(line[1]);
  }
  return lines.length === 0 ? null : { node: quote(lines.join("\n"), state), end };
}

function quote(text, state) {
  const node = h("blockquote", { class: "md-quote" });
  appendBlocks(node, text, { ...state, inQuote: true });
  return node;
}

function readList(text, at, state) {
  const items = [];
  let end = at;
  while (end < text.length) {
    const item = matchAt(ITEM, text, end);
    const goesOn = item === null && items.length > 0 ? matchAt(ITEM_GOES_ON, text, end) : null;
    if (item !== null) items.push({ indent: item[1].length, mark: item[2], text: item[3] });
    else if (goesOn !== null) items.at(-1).text += `\n${goesOn[1]}`;
    else break;
    end += (item ?? goesOn)[0].length;
  }
  return items.length === 0 ? null : { node: nestedList(items, state), end };
}

/** Lists within lists, as deep as the items are indented: two spaces a level. */
function nestedList(items, state) {
  const root = h("div", { class: "md-lists" });
  const levels = [{ indent: items[0].indent, into: root, list: null }];
  for (const item of items) {
    while (levels.length > 1 && item.indent < levels.at(-1).indent) levels.pop();
    const deeper = item.indent >= levels.at(-1).indent + 2 && levels.length < DEEPEST;
    if (deeper) levels.push({ indent: item.indent, into: levels.at(-1).list.lastElementChild, list: null });
    const level = levels.at(-1);
    const tag = item.mark.endsWith(".") ? "ol" : "ul";
    if (level.list?.localName !== tag) {
      level.list = h(tag, { class: "md-list", start: tag === "ol" ? Number.parseInt(item.mark, 10) : null });
      level.into.append(level.list);
    }
    level.list.append(inlineInto(h("li"), item.text, state));
  }
  return root;
}

function readFenceInLine(text, at, lineEnd) {
  const start = text.indexOf("```", at);
  if (start === -1 || start >= lineEnd || text[start - 1] === "\\") return null;
  const fence = matchAt(FENCE, text, start);
  if (fence === null || fence[2].trim() === "") return null;
  const code = h("code", fence[1] ? { "data-language": fence[1] } : {}, fence[2]);
  return { node: h("pre", { class: "md-code", tabindex: "0" }, code), start, end: start + fence[0].length };
}

// -- within a line

function inlineInto(parent, text, state) {
  appendInline(parent, text, state);
  return parent;
}

function appendInline(parent, text, state) {
  if (state.depth > DEEPEST) {
    parent.append(text);
    return;
  }
  const inner = { ...state, depth: state.depth + 1 };
  const unclosed = new Set();
  let plain = 0;
  let at = 0;
  for (;;) {
    NEXT.lastIndex = at;
    const next = NEXT.exec(text);
    if (next === null) break;
    at = next.index;
    const found = readInline(text, at, inner, unclosed);
    if (found === null) {
      at += 1;
      continue;
    }
    if (at > plain) parent.append(text.slice(plain, at));
    parent.append(found.node);
    at = plain = found.end;
  }
  if (plain < text.length) parent.append(text.slice(plain));
}

function readInline(text, at, state, unclosed) {
  switch (text[at]) {
    case "\\":
      return matched(matchAt(ESCAPED, text, at), at, (match) => match[1]);
    case "`":
      return readCode(text, at, unclosed);
    case "<":
      return readAngled(text, at, state);
    case "[":
      return state.inLink ? null : readMaskedLink(text, at, state);
    case "@":
      return state.everyone ? matched(matchAt(EVERYONE, text, at), at, (match) => mention(match[0])) : null;
    case "h":
      return state.inLink ? null : readBareLink(text, at, state);
    default:
      return readMarked(text, at, state, unclosed) ?? readEmphasis(text, at, state, unclosed);
  }
}

function matched(match, at, draw) {
  return match === null ? null : { node: draw(match), end: at + match[0].length };
}

function readMarked(text, at, state, unclosed) {
  const mark = text.slice(at, at + 2);
  const tag = MARKS.get(mark);
  if (tag === undefined || unclosed.has(mark)) return null;
  const end = endOfMarked(text, at + 2, mark);
  if (end === -1) {
    unclosed.add(mark);
    return null;
  }
  const inner = document.createDocumentFragment();
  appendInline(inner, text.slice(at + 2, end), state);
  return { node: tag === "spoiler" ? spoiler(inner) : h(tag, {}, inner), end: end + 2 };
}

/** Where `mark` stands next, after at least one character and not escaped; -1 where it does not. */
function endOfMarked(text, from, mark) {
  let at = from + (text[from] === "\\" ? 2 : 1);
  while (at < text.length) {
    if (text[at] === "\\") at += 2;
    else if (text.startsWith(mark, at) && text[at + 2] !== mark[0]) return at;
    else at += 1;
  }
  return -1;
}

/** `*a*` and `_a_`. Stars stand at a word's edge, underscores not within a word. */
function readEmphasis(text, at, state, unclosed) {
  const mark = text[at];
  if ((mark !== "*" && mark !== "_") || unclosed.has(mark)) return null;
  if (mark === "*" && /\s/.test(text[at + 1] ?? " ")) return null;
  if (mark === "_" && /\w/.test(text[at - 1] ?? " ")) return null;
  let end = at + 1;
  while (end < text.length) {
    if (text[end] === "\\" || (text[end] === mark && text[end + 1] === mark)) end += 2;
    else if (text[end] === mark) break;
    else end += 1;
  }
  if (end >= text.length) {
    unclosed.add(mark);
    return null;
  }
  const closes = mark === "*" ? !/\s/.test(text[end - 1]) : !/\w/.test(text[end + 1] ?? " ");
  if (!closes || end === at + 1) return null;
  const node = h("em");
  appendInline(node, text.slice(at + 1, end), state);
  return { node, end: end + 1 };
}

function readCode(text, at, unclosed) {
  let start = at;
  while (text[start] === "`") start += 1;
  const ticks = text.slice(at, start);
  if (!unclosed.has(ticks)) {
    for (let end = text.indexOf(ticks, start); end !== -1; ) {
      let after = end;
      while (text[after] === "`") after += 1;
      if (after - end === ticks.length) return { node: h("code", { class: "md-inline-code" }, code(text.slice(start, end))), end: after };
      end = text.indexOf(ticks, after);
    }
    unclosed.add(ticks);
  }
  return { node: document.createTextNode(ticks), end: start };
}

/** A code span's text: one space beside a tick belongs to the marks. */
function code(text) {
  return text.replace(/^ (?=`)/, "").replace(/(?<=`) $/, "");
}

function readAngled(text, at, state) {
  for (const [pattern, draw] of ANGLED) {
    const match = matchAt(pattern, text, at);
    if (match !== null) return { node: draw(match, state), end: at + match[0].length };
  }
  return null;
}

function readMaskedLink(text, at, state) {
  const close = endOfLabel(text, at);
  if (close === -1) return null;
  const target = matchAt(TARGET, text, close + 1);
  const label = text.slice(at + 1, close);
  // A label that is itself an address may be another one than the target: both are shown.
  if (target === null || label.trim() === "" || /https?:\/\//i.test(label) || webAddress(target[1]) === null) return null;
  const title = target[2] ?? target[3];
  const node = link(target[1], { class: "md-link", ...(title ? { title: `${title}\n${target[1]}` } : {}) });
  appendInline(node, label, { ...state, inLink: true });
  return { node, end: close + 1 + target[0].length };
}

function endOfLabel(text, at) {
  const last = Math.min(text.lastIndexOf("](") + 1, at + LONGEST_LABEL);
  let open = 0;
  for (let index = at; index < last; index += 1) {
    if (text[index] === "\\") index += 1;
    else if (text[index] === "[") open += 1;
    else if (text[index] === "]") {
      open -= 1;
      if (open === 0) return text[index + 1] === "(" ? index : -1;
    }
  }
  return -1;
}

function readBareLink(text, at, state) {
  const match = matchAt(BARE_LINK, text, at);
  if (match === null) return null;
  const address = withoutPunctuation(match[0]);
  if (webAddress(address) === null) return null;
  return { node: bareLink(address, state), end: at + address.length };
}

/** Without what ends a sentence rather than an address; a closing bracket stays where it was opened. */
function withoutPunctuation(address) {
  let unopened = address.split(")").length - address.split("(").length;
  let end = address.length;
  for (; end > 0 && /[.,:;"'\])!?*_~|]/.test(address[end - 1]); end -= 1) {
    if (address[end - 1] !== ")") continue;
    if (unopened <= 0) break;
    unopened -= 1;
  }
  return address.slice(0, end);
}

function bareLink(address, state) {
  return state.inLink ? document.createTextNode(address) : link(address, { class: "md-link" }, address);
}

// -- what stands for something else

function mention(text, attributes = {}) {
  return h("span", { class: "mention", ...attributes }, text);
}

function userMention(id, { context }) {
  const user = context.users?.get(id);
  return user === undefined ? mention(`<@${id}>`) : mention(`@${nameOf(user)}`, { title: user.username });
}

function roleMention(id, { context }) {
  const role = context.roles?.get(id);
  return mention(role === undefined ? "@unknown-role" : `@${role.name.replace(/^@/, "")}`);
}

function channelMention(id, { context, inLink }) {
  const channel = context.channels?.get(id);
  if (channel === undefined) return mention("#unknown");
  if (inLink || !context.onOpenChannel) return mention(`#${channel.name}`);
  return mentionButton(`#${channel.name}`, () => context.onOpenChannel(id));
}

function commandMention(name, { context, inLink }) {
  if (inLink || !context.onPrefill) return mention(`/${name}`);
  return mentionButton(`/${name}`, () => context.onPrefill(`/${name} `));
}

function mentionButton(text, onclick) {
  return h("button", { class: "mention", type: "button", onclick }, text);
}

function stamp(match, { context }) {
  return timestampElement(Number(match[1]), match[2] ?? "f", context.now());
}

/** Pictures of servers' own emoji are not here: their names stand for them. */
function customEmoji(name) {
  return h("span", { class: "md-emoji", role: "img", "aria-label": name }, `:${name}:`);
}

/** A cover over the nodes, until it is pressed: what is below can neither be read nor reached before. */
export function spoiler(...nodes) {
  const below = h("span", { class: "spoiler-below", inert: true }, ...nodes);
  const reveal = (event) => {
    if (!below.inert || (event.type === "keydown" && event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    event.stopPropagation();
    below.inert = false;
    cover.classList.add("spoiler-shown");
    for (const name of ["role", "tabindex", "aria-label"]) cover.removeAttribute(name);
  };
  const told = { role: "button", tabindex: "0", "aria-label": "Spoiler, press to show", onclick: reveal, onkeydown: reveal };
  const cover = h("span", { class: "spoiler", ...told }, below);
  return cover;
}
