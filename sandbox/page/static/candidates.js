// What can be chosen where a person, a role or a channel is asked for.

import { nameOf } from "./dom.js";

const MOST = 25;
const CHANNEL_ICONS = new Map([
  [0, "#"],
  [2, "🔊"],
  [4, "▾"],
  [5, "📣"],
  [10, "🧵"],
  [11, "🧵"],
  [12, "🧵"],
  [13, "🎙"],
  [15, "💬"],
  [16, "🖼"],
]);
const CHANNEL_KINDS = new Map([
  [2, "voice"],
  [4, "category"],
  [5, "announcements"],
  [10, "thread"],
  [11, "thread"],
  [12, "private thread"],
  [13, "stage"],
  [15, "forum"],
  [16, "media"],
]);

/** The character before a channel's name. */
export function channelIcon(type) {
  return CHANNEL_ICONS.get(type) ?? "#";
}

/**
 * The users, roles and channels whose names hold `typed`, as items of a list; those that begin with it first.
 * `kinds` is some of "user", "role", "channel"; `channelTypes` narrows the channels, empty or missing does not.
 */
export function candidates(kinds, context, typed, channelTypes = []) {
  const wanted = typed.trim().replace(/^[@#]/, "").toLowerCase();
  const everyone = kinds.flatMap((kind) => everyItem(kind, context, channelTypes ?? []));
  const fitting = everyone.filter((item) => item.names.some((name) => name.includes(wanted)));
  const begins = (item) => Number(item.names.some((name) => name.startsWith(wanted)));
  return fitting.sort((one, other) => begins(other) - begins(one)).slice(0, MOST);
}

/** The item with this id, or null. */
export function candidate(kinds, context, id) {
  return kinds.flatMap((kind) => everyItem(kind, context, [])).find((item) => item.key === id) ?? null;
}

/** The item that is called exactly so, or null where none or several are. */
export function named(kinds, context, name, channelTypes = []) {
  const wanted = name.trim().replace(/^[@#]/, "").toLowerCase();
  const mentioned = /^<(?:@[!&]?|#)(\d{1,20})>$/.exec(name.trim())?.[1];
  const fitting = kinds
    .flatMap((kind) => everyItem(kind, context, channelTypes ?? []))
    .filter((item) => item.key === mentioned || item.names.includes(wanted));
  return fitting.length === 1 ? fitting[0] : null;
}

function everyItem(kind, context, channelTypes) {
  if (kind === "user") return [...(context.users?.values() ?? [])].map(userItem);
  if (kind === "role") return [...(context.roles?.values() ?? [])].map(roleItem);
  const channels = [...(context.channels?.values() ?? [])].filter((channel) => channel.name);
  return channels.filter((channel) => channelTypes.length === 0 || channelTypes.includes(channel.type)).map(channelItem);
}

function userItem(user) {
  const label = nameOf(user);
  return {
    key: user.id,
    label,
    icon: "@",
    hint: label === user.username ? "" : user.username,
    tag: user.bot ? "app" : "",
    names: [label.toLowerCase(), user.username.toLowerCase()],
    mention: `<@${user.id}>`,
  };
}

function roleItem(role) {
  const label = role.name.replace(/^@/, "");
  return { key: role.id, label, icon: "@", tag: "role", names: [label.toLowerCase()], mention: `<@&${role.id}>` };
}

function channelItem(channel) {
  return {
    key: channel.id,
    label: channel.name,
    icon: channelIcon(channel.type),
    hint: channel.nsfw ? "age-restricted" : "",
    tag: CHANNEL_KINDS.get(channel.type) ?? "",
    names: [channel.name.toLowerCase()],
    mention: `<#${channel.id}>`,
  };
}
