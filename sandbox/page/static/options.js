// Commands as the bot registered them: what can be typed, what an option takes, and what is wrong with a value.

import { candidates, named } from "./candidates.js";

const CHAT = 1;
const NESTED = [1, 2];
const STRING = 3;
const INTEGER = 4;
const BOOLEAN = 5;
const NUMBER = 10;
const ATTACHMENT = 11;
const KINDS = new Map([
  [6, ["user"]],
  [7, ["channel"]],
  [8, ["role"]],
  [9, ["user", "role"]],
]);
const LARGEST = 2 ** 53;
const LONGEST_TEXT = 6_000;

/**
 * Everything that can be sent, in the order of the definitions: `{command, path, line, holder}`, where `line` is
 * "/signals reddit" and `holder` has the description and the options.
 */
export function sendable(commands) {
  return commands.filter((command) => (command.type ?? CHAT) === CHAT).flatMap((command) => leaves(command, command, []));
}

function leaves(command, holder, path) {
  const nested = (holder.options ?? []).filter((option) => NESTED.includes(option.type));
  if (nested.length === 0) return [{ command, path, holder, line: `/${[command.name, ...path].join(" ")}` }];
  return nested.flatMap((inner) => leaves(command, inner, [...path, inner.name]));
}

/** Those that fit what is typed after the slash: by how they begin, then by their words, then by what is in them. */
export function fitting(all, typed) {
  const wanted = typed.trimStart().toLowerCase();
  const rank = ({ line, holder }) => {
    const name = line.slice(1).toLowerCase();
    if (name.startsWith(wanted)) return 0;
    if (name.split(" ").some((word) => word.startsWith(wanted))) return 1;
    if (name.includes(wanted)) return 2;
    return wanted.length > 2 && holder.description.toLowerCase().includes(wanted) ? 3 : 4;
  };
  const ranked = all.map((leaf) => [rank(leaf), leaf]).filter(([ranking]) => ranking < 4);
  return ranked.sort(([one], [other]) => one - other).map(([, leaf]) => leaf);
}

/** The command whose whole name the text begins with, and the rest of the text; null while a name is being typed. */
export function begun(all, text) {
  const leaf = all.filter(({ line }) => text.startsWith(`${line} `)).sort((one, other) => other.line.length - one.line.length)[0];
  return leaf === undefined ? null : { leaf, rest: text.slice(leaf.line.length + 1) };
}

/** `text` cut at each `name:` of one of the options: what stands before, and `[option, text]` for each. */
export function cutAtOptions(text, options) {
  const byName = new Map(options.map((option) => [option.name, option]));
  const found = [];
  let before = text;
  let last = null;
  for (const match of text.matchAll(/(^|\s)([-'\w\u00a0-\uffff]+):/g)) {
    const option = byName.get(match[2]);
    if (option === undefined) continue;
    byName.delete(match[2]);
    if (last === null) before = text.slice(0, match.index);
    else last[1] = text.slice(last[2], match.index).trim();
    last = [option, "", match.index + match[0].length];
    found.push(last);
  }
  if (last !== null) last[1] = text.slice(last[2]).trimStart();
  return { before, found: found.map(([option, value]) => [option, value]) };
}

/** What an option takes, in words. */
export function takes(option) {
  const { type, min_value: least, max_value: most, min_length: shortest, max_length: longest } = option;
  if (option.choices?.length || option.autocomplete) return "";
  if (type === STRING && (shortest || longest)) return `${range(shortest, longest)} characters`;
  if (type === INTEGER || type === NUMBER) {
    const bounds = least === undefined && most === undefined ? "" : `, ${range(least, most)}`;
    return `${type === INTEGER ? "a whole number" : "a number"}${bounds}`;
  }
  return type === ATTACHMENT ? "a file" : "";
}

function range(least, most) {
  if (least === undefined || least === null || (least === 0 && most !== undefined)) return `at most ${most}`;
  return most === undefined || most === null ? `at least ${least}` : `${least} to ${most}`;
}

/** What can be picked for an option that is not completed by the bot; null where anything may be typed. */
export function pickable(option, typed, context) {
  if (option.choices?.length) return option.choices.filter((choice) => includes(choice.name, typed)).map(choiceItem);
  if (option.type === BOOLEAN) {
    return [choiceItem({ name: "True", value: true }), choiceItem({ name: "False", value: false })].filter((item) => includes(item.label, typed));
  }
  const kinds = KINDS.get(option.type);
  return kinds === undefined ? null : candidates(kinds, context, typed, option.channel_types).map(entityItem);
}

function includes(text, typed) {
  return text.toLowerCase().includes(typed.trim().toLowerCase());
}

/** A choice as an item of a list; `value` is what is sent for it. */
export function choiceItem({ name, value }) {
  return { key: String(value), label: String(name), value };
}

function entityItem(item) {
  const sigil = item.icon === "#" || item.mention.startsWith("<#") ? "#" : "@";
  return { ...item, value: item.key, shown: `${sigil}${item.label}` };
}

/**
 * What is sent for an option: `{value}`, or `{error}`, a sentence that says how to mend it. `picked` is the item that
 * was picked for exactly this text, or null; `file` what was chosen for an attachment.
 */
export function checked(option, typed, { picked = null, file = null, context }) {
  if (option.type === ATTACHMENT) return file === null ? { error: "Choose a file." } : { value: file };
  if (picked !== null) return { value: picked.value };
  if (typed.trim() === "") return { error: "This option is required. Give it a value." };
  if (option.choices?.length || option.type === BOOLEAN) return fromList(option, typed, context);
  const kinds = KINDS.get(option.type);
  if (kinds !== undefined) return fromServer(option, kinds, typed, context);
  return option.type === STRING ? text(option, typed) : number(option, typed);
}

function fromList(option, typed, context) {
  const wanted = typed.trim().toLowerCase();
  const fits = pickable(option, "", context).find((item) => item.label.toLowerCase() === wanted || item.key.toLowerCase() === wanted);
  return fits === undefined ? { error: "Choose one of the list." } : { value: fits.value };
}

function fromServer(option, kinds, typed, context) {
  const item = named(kinds, context, typed, option.channel_types);
  if (item !== null) return { value: item.key };
  return { error: `Choose a ${kinds.join(" or ")} of the list.` };
}

function text(option, typed) {
  const value = typed.trim();
  const length = [...value].length;
  const [shortest, longest] = [option.min_length ?? 0, option.max_length ?? LONGEST_TEXT];
  if (length >= shortest && length <= longest) return { value };
  return { error: `Write ${range(shortest, longest)} characters; these are ${length}.` };
}

function number(option, typed) {
  const [least, most] = [option.min_value ?? -LARGEST, option.max_value ?? LARGEST];
  const value = Number(typed.trim());
  const whole = option.type === INTEGER;
  if (!Number.isFinite(value) || (whole && !Number.isInteger(value))) return { error: `Write a ${whole ? "whole " : ""}number.` };
  if (value >= least && value <= most) return { value };
  return { error: `Write a number, ${range(least, most)}.` };
}

/** Options as an interaction carries them, under the names of group and subcommand. */
export function nested(path, options) {
  const kinds = path.length === 2 ? [2, 1] : [1];
  return path.reduceRight((inner, name, depth) => [{ name, type: kinds[depth], options: inner }], options);
}
