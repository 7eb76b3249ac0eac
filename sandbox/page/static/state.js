// What the server told: servers, people, messages, commands, controls, and what the inspector shows.

const MESSAGES_KEPT = 500;
const EXCHANGES_KEPT = 40;
const FRAMES_KEPT = 100;
const SPANS_KEPT = 1500;

export const VIEW_CHANNEL = 1n << 10n;
export const SEND_MESSAGES = 1n << 11n;
export const SEND_IN_THREADS = 1n << 38n;
export const FORUM = 15;
export const THREADS = new Set([10, 11, 12]);

/** The state and who listens to it. Topics: servers, message, gone, commands, controls, inspector, modal, everything. */
export class State {
  constructor() {
    this.bot = null;
    this.servers = new Map();
    this.people = new Map();
    this.channels = new Map();
    this.messages = new Map();
    this.commands = {};
    this.controls = null;
    this.exchanges = new Map();
    this.frames = [];
    this.spans = [];
    this.aheadOfUs_ms = 0;
    this.listeners = new Map();
  }

  /** Call `listener(change)` for each change of that topic. */
  on(topic, listener) {
    if (!this.listeners.has(topic)) this.listeners.set(topic, []);
    this.listeners.get(topic).push(listener);
  }

  tell(topic, change = null) {
    for (const listener of this.listeners.get(topic) ?? []) listener(change);
  }

  /** The local Discord's time in milliseconds since 1970. */
  now() {
    return Date.now() + this.aheadOfUs_ms;
  }

  /** Everything anew. */
  replace(snapshot) {
    this.bot = snapshot.bot;
    this.messages = new Map(
      Object.entries(snapshot.messages).map(([id, list]) => [id, new Map(list.map((message) => [message.id, message]))]),
    );
    this.commands = snapshot.commands;
    this.exchanges = new Map(snapshot.inspector.exchanges.map((exchange) => [exchange.id, exchange]));
    this.frames = snapshot.inspector.frames;
    this.spans = snapshot.inspector.spans;
    this.setServers(snapshot);
    this.setControls(snapshot.controls);
    this.tell("everything");
  }

  /** One change, as the server names them. */
  apply(change) {
    switch (change.type) {
      case "message":
        this.putMessage(change.message);
        break;
      case "gone":
        this.messages.get(change.channel_id)?.delete(change.id);
        break;
      case "servers":
        this.setServers(change);
        break;
      case "commands":
        this.commands = change.commands;
        break;
      case "controls":
        this.setControls(change.controls);
        break;
      case "exchange":
        this.putExchange(change.exchange);
        break;
      case "entry":
        this.exchanges.get(change.exchange_id)?.entries.push(change.entry);
        break;
      case "frame":
        this.frames = [...this.frames, change.frame].slice(-FRAMES_KEPT);
        break;
      case "spans":
        this.spans = [...this.spans, ...change.spans].slice(-SPANS_KEPT);
        break;
    }
    const inspected = ["exchange", "entry", "frame", "spans"].includes(change.type);
    this.tell(inspected ? "inspector" : change.type, change);
  }

  setServers({ servers, people }) {
    this.servers = new Map(servers.map((server) => [server.id, server]));
    this.people = new Map(people.map((person) => [person.id, person]));
    this.channels = new Map();
    for (const server of servers) for (const channel of server.channels) this.channels.set(channel.id, channel);
    for (const person of people) {
      const name = this.bot.username;
      this.channels.set(person.dm, { id: person.dm, type: 1, name, recipients: [person], guild_id: null });
    }
  }

  setControls(controls) {
    this.controls = controls;
    this.aheadOfUs_ms = controls.now_ms - Date.now();
  }

  putMessage(message) {
    if (!this.messages.has(message.channel_id)) this.messages.set(message.channel_id, new Map());
    const known = this.messages.get(message.channel_id);
    known.set(message.id, message);
    if (known.size > MESSAGES_KEPT) known.delete(known.keys().next().value);
  }

  putExchange(exchange) {
    const known = this.exchanges.get(exchange.id);
    // A change of a known one comes without its entries: they were told one by one.
    this.exchanges.set(exchange.id, { ...exchange, entries: exchange.entries ?? known?.entries ?? [] });
    if (this.exchanges.size > EXCHANGES_KEPT) this.exchanges.delete(this.exchanges.keys().next().value);
  }

  // -- who may what

  /** What the person may do in the channel, as bits. */
  permissions(personId, channelId) {
    return BigInt(this.people.get(personId)?.permissions[channelId] ?? "0");
  }

  /** Whether the person sees the channel; direct messages are their own only. */
  sees(personId, channel) {
    if (channel.guild_id === null) return this.people.get(personId)?.dm === channel.id;
    return (this.permissions(personId, channel.id) & VIEW_CHANNEL) !== 0n;
  }

  /** Why the person cannot write there; null where they can. */
  whyNotWrite(personId, channel) {
    if (channel.type === FORUM) return "A forum holds posts: open one, or make one.";
    const needed = THREADS.has(channel.type) ? SEND_IN_THREADS : SEND_MESSAGES;
    const may = (this.permissions(personId, channel.id) & needed) !== 0n;
    return may ? null : `${this.people.get(personId).username} may not write in this channel.`;
  }

  /** The channel's messages that the person sees, oldest first. */
  visible(personId, channelId) {
    const all = this.messages.get(channelId)?.values() ?? [];
    return [...all].filter((message) => message.visible_to === null || message.visible_to === personId);
  }
}
