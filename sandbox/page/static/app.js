// Puts the page together: what the server tells goes to the parts, what people do goes to the server.

import { commandsOnMessages, mountApps } from "./apps.js";
import { mountChannels } from "./channels.js";
import { mountComposer } from "./composer.js";
import { mountFaults } from "./faults.js";
import { renderForum } from "./forum.js";
import { channelKind } from "./icons.js";
import { mountInspector } from "./inspector.js";
import { mountLog } from "./log.js";
import { openModal } from "./modal.js";
import { mountPanel } from "./panel.js";
import { mountPeople } from "./people.js";
import { Refused, connect } from "./socket.js";
import { FORUM, State } from "./state.js";
import { mountTheme } from "./theme.js";
import { View } from "./view.js";

const ACKNOWLEDGE_MS = 3000;
const TOLD_MS = 6000;
const NO_ANSWER = "The application did not respond";
const ATTACHMENT = 11;

const at = (id) => document.getElementById(id);
const state = new State();
const view = new View();
view.tell = tell;

let isConnected = true;
let context = null;
let composer = null;
let aheadShown_s = 0;
const forms = new Map();
const mine = new Set();

const server = connect({
  onSnapshot: (snapshot) => state.replace(snapshot),
  onChange: (change) => state.apply(change),
  onStatus: (status) => {
    isConnected = status === "open";
    drawStatus();
  },
});

const channels = mountChannels({ rail: at("rail"), list: at("channels"), name: at("server-name") }, state, view);
const people = mountPeople(at("people"), state, view);
const log = mountLog({ scroll: at("scroll"), list: at("log"), newer: at("newer") }, () => state.now());
const panel = mountPanel({ panel: at("panel"), button: at("open-panel") }, view);
const inspector = mountInspector(panel.inspector, state, view);
const faults = mountFaults(panel.faults, state, view, act);
const apps = mountApps(onMessageCommand);
mountTheme(document.querySelectorAll(".theme"), view);

// -- what the server tells

state.on("everything", () => {
  view.settle(state);
  drawAll();
});
state.on("servers", () => {
  view.settle(state);
  drawAround();
  if (state.channels.get(view.channelId).type === FORUM) drawMessages();
});
state.on("commands", renewContext);
state.on("message", ({ message }) => {
  if (message.visible_to !== null && message.visible_to !== view.personId) return;
  if (message.channel_id === view.channelId) {
    if (!view.dismissed.has(message.id)) log.put(message);
  } else if (message.author.id !== view.personId && !view.unread.has(message.channel_id)) {
    view.unread.add(message.channel_id);
    channels.draw();
  }
});
state.on("gone", ({ id }) => log.remove(id));
state.on("inspector", () => inspector.draw());
state.on("controls", () => {
  if (state.controls.ahead_s !== aheadShown_s) log.tick();
  aheadShown_s = state.controls.ahead_s;
  faults.draw();
  drawSamples();
  drawStatus();
});
state.on("modal", ({ modal }) => {
  forms.set(modal.exchange_id, modal);
  openMine(modal.exchange_id);
});

view.onChange((choices) => {
  if (state.controls === null) return;
  view.name(state);
  drawAround();
  if ("channelId" in choices || "personId" in choices) {
    drawMessages();
    closeNav();
  }
  inspector.draw();
  faults.draw();
});

// -- drawing

function drawAll() {
  drawAround();
  drawMessages();
  inspector.draw();
  faults.draw();
  drawSamples();
  drawStatus();
}

function drawAround() {
  channels.draw();
  people.draw();
  const channel = state.channels.get(view.channelId);
  at("channel-name").textContent = channel.name;
  at("topic").textContent = channel.topic ?? channelKind(channel);
  document.title = `${channel.name}: Signals Scout demo`;
  renewContext();
}

function drawSamples() {
  const sources = Object.values(state.controls.sources);
  const live = sources.filter((source) => !source.sample).map((source) => source.title);
  const said = live.length === 0 ? "All stories are samples" : `Live: ${live.join(", ")}. All else is samples`;
  at("samples").textContent = said;
}

/** What people should know before they wonder. */
function drawStatus() {
  const bot = state.controls?.bot.state ?? "running";
  const wanting = { starting: "The bot is starting: its commands come in a moment.", ended: "The bot has ended. Its log tells why; under Try it can be started again." };
  at("connection").textContent = isConnected ? wanting[bot] ?? "" : "The page has lost its server. It goes on by itself when that is back.";
}

function drawMessages() {
  const channel = context.channel;
  const isForum = channel.type === FORUM;
  at("scroll").classList.toggle("holds-posts", isForum);
  log.show(
    state.visible(view.personId, channel.id).filter((message) => !view.dismissed.has(message.id)),
    context,
  );
  at("scroll").querySelector(".forum")?.remove();
  if (isForum) at("scroll").prepend(forum(channel));
}

function forum(channel) {
  return renderForum(channel, state.servers.get(channel.guild_id), {
    mayPost: true,
    latest: (thread) => [...(state.messages.get(thread.id)?.keys() ?? [])].at(-1) ?? thread.id,
    open: (channelId) => view.change({ channelId }),
    post: async (title) => {
      const made = await act("post", { channel_id: channel.id, title });
      if (made !== undefined) view.change({ channelId: made.id });
    },
  });
}

/** Everything that messages and the composer need to know; renewed with every change of it. */
function renewContext() {
  const channel = state.channels.get(view.channelId);
  const known = state.servers.get(channel.guild_id) ?? null;
  const person = state.people.get(view.personId);
  const why = state.whyNotWrite(view.personId, channel);
  const fresh = {
    me: { ...person, permissions: person.permissions[channel.id] ?? "0" },
    bot: state.bot,
    guild: known,
    channel,
    channels: new Map((known?.channels ?? []).map((other) => [other.id, other])),
    roles: new Map((known?.roles ?? []).map((role) => [role.id, role])),
    users: usersOf(known, person),
    commands: (person.finds[channel.id] ?? []).map((id) => state.commands[id]).filter((found) => found !== undefined),
    mayWrite: why === null,
    whyNotWrite: why ?? "",
    messages: state.messages.get(channel.id) ?? new Map(),
    now: () => state.now(),
    onCommand,
    onAutocomplete,
    onComponent,
    onModalSubmit,
    onSay,
    onOpenChannel: openChannel,
    onDismiss: dismiss,
    onApps: (message, button, pointer) => apps.open(commandsOnMessages(context), message, button, pointer),
    onPrefill: (line) => {
      composer.prefill(line);
      composer.focus();
    },
  };
  // The same object for good: elements keep it, and read it when they are used.
  context = Object.assign(context ?? {}, fresh);
  at("scroll").classList.toggle("with-apps", commandsOnMessages(context).length > 0);
  if (composer === null) composer = mountComposer(at("composer"), context);
  else composer.setContext(context);
}

function usersOf(known, person) {
  const users = known === null ? [person, state.bot] : known.members.map((member) => ({ ...member.user, nick: member.nick }));
  return new Map(users.map((user) => [user.id, user]));
}

// -- what people do

/** Ask as the person who is chosen; rejects with Refused. */
function ask(what, fields = {}) {
  return server.ask(what, { as: view.personId, ...fields });
}

/** Ask, and tell a refusal where everybody sees it; undefined then. */
async function act(what, fields = {}) {
  try {
    return (await ask(what, fields)) ?? null;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    tell(error.message);
    return undefined;
  }
}

/** Who sends something is taken to it, as in Discord, wherever they were reading. */
async function onSay(text) {
  await ask("say", { channel_id: view.channelId, text });
  log.toNewest();
}

async function onCommand(command, options) {
  const channelId = view.channelId;
  const sent = await ask("command", { channel_id: channelId, command_id: command.id, options: await uploaded(options) });
  log.toNewest();
  awaitAnswer(sent.exchange_id, channelId, { user: context.me, name: pathOf(command, options), command_type: command.type });
}

async function onMessageCommand(message, command) {
  const channelId = message.channel_id;
  const used = { user: context.me, name: command.name, command_type: command.type };
  const sent = await act("message_command", { channel_id: channelId, message_id: message.id, command_id: command.id });
  if (sent === undefined) return;
  log.toNewest();
  awaitAnswer(sent.exchange_id, channelId, used);
}

function awaitAnswer(exchangeId, channelId, used) {
  own(exchangeId);
  setTimeout(() => tellSilence(exchangeId, channelId, used), ACKNOWLEDGE_MS);
}

/** Suggestions; rejects where the bot gave none in time, as in Discord. */
async function onAutocomplete(command, options, _focused) {
  const fields = { channel_id: view.channelId, command_id: command.id, options: withoutFiles(options) };
  const choices = await ask("autocomplete", fields);
  if (choices === null) throw new Refused(NO_ANSWER);
  return choices;
}

async function onComponent(message, component, values) {
  const fields = { channel_id: message.channel_id, message_id: message.id, custom_id: component.custom_id, values };
  own((await ask("component", fields)).exchange_id);
}

async function onModalSubmit(modal, fields) {
  const sent = {};
  for (const [name, value] of Object.entries(fields)) {
    const isFiles = Array.isArray(value) && value.some((one) => one instanceof File);
    sent[name] = isFiles ? await Promise.all(value.map(upload)) : value;
  }
  own((await ask("modal", { exchange_id: modal.exchange_id, fields: sent })).exchange_id);
}

/** An interaction of this browser's: a form that it opens is opened here. */
function own(exchangeId) {
  mine.add(exchangeId);
  openMine(exchangeId);
}

function openMine(exchangeId) {
  const form = forms.get(exchangeId);
  if (form === undefined || !mine.has(exchangeId)) return;
  forms.delete(exchangeId);
  mine.delete(exchangeId);
  openModal(form, context);
}

/** What Discord shows where a bot did not acknowledge in time; only who asked sees it. */
function tellSilence(exchangeId, channelId, used) {
  if (state.exchanges.get(exchangeId)?.acknowledged_ms !== null) return;
  if (channelId !== view.channelId) return;
  log.put({
    id: `local-${exchangeId}`,
    channel_id: channelId,
    author: state.bot,
    content: "",
    timestamp: new Date(state.now()).toISOString(),
    edited_timestamp: null,
    embeds: [],
    components: [],
    attachments: [],
    mentions: [],
    mention_roles: [],
    flags: 64,
    type: 20,
    visible_to: used.user.id,
    interaction_metadata: { id: exchangeId, type: 2, ...used },
    failed: NO_ANSWER,
  });
}

function dismiss(message) {
  view.dismissed.add(message.id);
  log.remove(message.id);
}

function openChannel(channelId) {
  const channel = state.channels.get(channelId);
  if (channel !== undefined && state.sees(view.personId, channel)) view.change({ channelId });
}

function pathOf(command, options) {
  const parts = [command.name];
  for (let inner = options; inner?.[0]?.options !== undefined; inner = inner[0].options) parts.push(inner[0].name);
  return parts.join(" ");
}

/** The options with each file in the server's hands, and its id in its place. */
async function uploaded(options) {
  const sent = [];
  for (const option of options) {
    if (option.options !== undefined) sent.push({ ...option, options: await uploaded(option.options) });
    else if (option.type === ATTACHMENT && option.value instanceof File) sent.push({ ...option, value: await upload(option.value) });
    else sent.push(option);
  }
  return sent;
}

function withoutFiles(options) {
  return options
    .filter((option) => !(option.value instanceof File))
    .map((option) => (option.options === undefined ? option : { ...option, options: withoutFiles(option.options) }));
}

async function upload(file) {
  const headers = { "Content-Type": file.type || "application/octet-stream", "X-Filename": encodeURIComponent(file.name) };
  const answer = await fetch("/upload", { method: "POST", headers, body: file });
  if (!answer.ok) throw new Refused(`${file.name} was not taken: ${answer.status === 413 ? "it is too large" : answer.statusText}`);
  return (await answer.json()).id;
}

// -- the rest of the page

/** Whoever begins to type without having chosen where writes a message, as in Discord. */
document.addEventListener("keydown", (event) => {
  const isCharacter = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
  const hasPlace = event.target.closest("select, textarea, dialog, [contenteditable], input:not([type=radio], [type=checkbox])");
  if (isCharacter && hasPlace === null) composer?.focus();
});

let toldAt = 0;

function tell(sentence) {
  at("told").textContent = sentence;
  toldAt = performance.now();
  setTimeout(() => {
    if (performance.now() - toldAt >= TOLD_MS) at("told").textContent = "";
  }, TOLD_MS + 50);
}

const nav = at("nav");
at("open-nav").addEventListener("click", () => setNav(!nav.classList.contains("open")));
nav.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeNav();
});

function setNav(open) {
  nav.classList.toggle("open", open);
  at("open-nav").setAttribute("aria-expanded", String(open));
  if (open) nav.querySelector("[aria-current=page]")?.focus();
}

function closeNav() {
  if (!nav.classList.contains("open")) return;
  setNav(false);
  at("open-nav").focus();
}
