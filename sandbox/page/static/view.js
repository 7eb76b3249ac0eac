// What this browser looks at: as whom, where, and how. Others who have the page open choose for themselves.

const KEY = "signals-scout-page";

/** The choices, kept for the next visit where the browser allows it; `change` tells whoever listens. */
export class View {
  constructor() {
    const kept = read();
    this.personId = kept.personId ?? null;
    this.channelId = kept.channelId ?? null;
    this.names = kept.names ?? {};
    this.theme = kept.theme ?? "auto";
    this.panel = kept.panel ?? (matchMedia("(min-width: 1150px)").matches ? "inspector" : "");
    this.tab = kept.tab ?? "inspector";
    this.unread = new Set();
    this.dismissed = new Set();
    this.listeners = [];
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  /** Set some of the choices. */
  change(choices) {
    Object.assign(this, choices);
    this.unread.delete(this.channelId);
    this.keep();
    for (const listener of this.listeners) listener(choices);
  }

  keep() {
    const { personId, channelId, names, theme, panel, tab } = this;
    write({ personId, channelId, names, theme, panel, tab });
  }

  /** Remember what is chosen by its names too: a server that was started anew has other ids for the same. */
  name(state) {
    const channel = state.channels.get(this.channelId);
    const server = state.servers.get(channel?.guild_id);
    this.names = { person: state.people.get(this.personId)?.username, server: server?.name, channel: channel?.name };
    this.keep();
  }

  /** Choose somebody and somewhere that there is, where what was chosen is gone or hidden. */
  settle(state) {
    const people = [...state.people.values()];
    const person = state.people.get(this.personId) ?? people.find((one) => one.username === this.names.person) ?? people[0];
    const personId = person.id;
    const channel = state.channels.get(this.channelId) ?? this.namesake(state);
    const fits = channel !== undefined && state.sees(personId, channel);
    const channelId = fits ? channel.id : firstChannel(state, personId, channel?.guild_id);
    if (personId !== this.personId || channelId !== this.channelId) this.change({ personId, channelId });
  }

  namesake(state) {
    const { server, channel } = this.names;
    const known = [...state.servers.values()].find((one) => one.name === server);
    return known?.channels.find((one) => one.name === channel);
  }
}

/** The first channel that the person sees, in that server or else in any. */
export function firstChannel(state, personId, serverId = null) {
  const servers = [...state.servers.values()].sort((a, b) => (b.id === serverId) - (a.id === serverId));
  for (const server of servers) {
    const found = server.channels.find((channel) => state.sees(personId, channel));
    if (found !== undefined) return found.id;
  }
  return state.people.get(personId).dm;
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

function write(choices) {
  try {
    localStorage.setItem(KEY, JSON.stringify(choices));
  } catch {
    // A browser that keeps nothing: the choices last as long as the page.
  }
}
