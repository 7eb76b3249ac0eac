// Servers on the left, their channels beside them.

import { h } from "./dom.js";
import { channelIcon, channelKind } from "./icons.js";
import { THREADS } from "./state.js";
import { firstChannel } from "./view.js";

/** Draws into the rail and the list; gives `draw()`, to be called when servers, people or choices changed. */
export function mountChannels({ rail, list, name }, state, view) {
  function draw() {
    const channel = state.channels.get(view.channelId);
    const server = state.servers.get(channel?.guild_id) ?? null;
    name.textContent = server?.name ?? "Direct messages";
    keepFocus(rail, () => rail.replaceChildren(...servers(server)));
    keepFocus(list, () => list.replaceChildren(channels(server)));
  }

  function servers(current) {
    const dm = state.people.get(view.personId).dm;
    const direct = railButton("dm", "Direct messages", "✉", current === null, view.unread.has(dm), () => open(dm));
    const others = [...state.servers.values()].map((server) => {
      const unread = server.channels.some((channel) => view.unread.has(channel.id) && sees(channel));
      const target = () => open(firstChannel(state, view.personId, server.id));
      return railButton(server.id, server.name, initials(server.name), server === current, unread, target);
    });
    return [direct, ...others];
  }

  function channels(server) {
    if (server === null) {
      return h("ul", {}, channelItem(state.channels.get(state.people.get(view.personId).dm)));
    }
    const seen = server.channels.filter(sees);
    const items = seen
      .filter((channel) => !THREADS.has(channel.type))
      .map((channel) => {
        const under = seen.filter((thread) => THREADS.has(thread.type) && thread.parent_id === channel.id);
        const threads = under.length > 0 ? h("ul", {}, ...under.map((thread) => channelItem(thread))) : null;
        return channelItem(channel, threads);
      });
    return h("ul", {}, ...items);
  }

  function channelItem(channel, below = null) {
    const unread = view.unread.has(channel.id);
    const button = h(
      "button",
      {
        class: unread ? "channel unread" : "channel",
        "aria-label": `${channel.name}, ${channelKind(channel)}${unread ? ", unread" : ""}`,
        "aria-current": channel.id === view.channelId ? "page" : null,
        "data-focus": channel.id,
        onclick: () => open(channel.id),
      },
      channelIcon(channel),
      h("span", { class: "name" }, channel.name),
    );
    return h("li", {}, button, below);
  }

  function sees(channel) {
    return state.sees(view.personId, channel);
  }

  function open(channelId) {
    view.change({ channelId });
  }

  return { draw };
}

function railButton(key, label, shown, isCurrent, unread, onclick) {
  return h(
    "button",
    {
      class: unread ? "server unread" : "server",
      title: label,
      "aria-label": unread ? `${label}, unread` : label,
      "aria-current": isCurrent ? "true" : null,
      "data-focus": key,
      onclick,
    },
    shown,
  );
}

function initials(name) {
  return name
    .split(/\s+/)
    .map((word) => word[0])
    .join("")
    .slice(0, 3);
}

/** Draw anew without losing the place of who uses the keyboard. */
export function keepFocus(container, draw) {
  const focused = container.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  draw();
  if (focused === undefined) return;
  container.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
}
