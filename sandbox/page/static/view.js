// What this browser looks at: as whom, where, and how. Others who have the page open choose for themselves.

const KEY = "signals-scout-page";

/** The choices, kept for the next visit where the browser allows it; `change` tells whoever listens. */
export class View {
  constructor() {
    const kept = read();
    this.personId = kept.personId ?? null;
    this.channelId = kept.channelId ?? null;
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
    const { personId, channelId, theme, panel, tab } = this;
    write({ personId, channelId, theme, panel, tab });
    for (const listener of this.listeners) listener(choices);
  }

  /** Choose somebody and somewhere that there is, where what was chosen is gone or hidden. */
  settle(state) {
    const personId = state.people.has(this.personId) ? this.personId : state.people.keys().next().value;
    const channel = state.channels.get(this.channelId);
    const fits = channel !== undefined && state.sees(personId, channel);
    const channelId = fits ? this.channelId : firstChannel(state, personId, channel?.guild_id);
    if (personId !== this.personId || channelId !== this.channelId) this.change({ personId, channelId });
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
