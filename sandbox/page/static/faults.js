// Beside the page: faults of Discord and of sources, the gateway, the clock, the bot's process.

import { keepFocus } from "./channels.js";
import { h } from "./dom.js";

const FAULTS = { slow: "be slow (5 s)", 500: "answer 500", 429: "answer 429", garbage: "answer garbage", dropped: "drop the connection" };
const PLACES = { everything: "everything", acknowledgements: "acknowledgements", edits: "edits of answers", posts: "posts in channels" };
const COUNTS = { 1: "the next request", 5: "the next 5", "": "until mended" };
const DROPS = { close: "Close it", cut: "Cut it", reconnect: "Ask to reconnect", invalid: "End the session" };
const ADVANCES = { "1 min": 60, "15 min": 900, "1 h": 3600, "1 day": 86_400, "1 week": 604_800 };

/** Draws into the container; `act(what, fields)` asks the server and tells a refusal. */
export function mountFaults(container, state, view, act) {
  const chosen = { what: "500", where: "everything", count: "1" };
  let drawn = "";

  function draw() {
    if (container.hidden || state.controls === null) return;
    count();
    const settings = JSON.stringify([state.controls, serverHere()], (key, value) => (key === "now_ms" || key === "requests" ? undefined : value));
    // Drawn anew only where something is set otherwise: a menu that is open would close.
    if (settings === drawn) return;
    drawn = settings;
    const parts = [bot(), workflow(), gateway(), discord(), sources(), clock(), server()];
    keepFocus(container, () => container.replaceChildren(...parts.filter((part) => part !== null)));
  }

  /** Ask for another value of something; where that is refused, what is shown goes back. */
  async function set(what, fields) {
    if ((await act(what, fields)) !== undefined) return;
    drawn = "";
    draw();
  }

  function count() {
    for (const [name, source] of Object.entries(state.controls.sources)) {
      const place = container.querySelector(`#requests-${CSS.escape(name)}`);
      if (place !== null) place.textContent = requests(source);
    }
  }

  function serverHere() {
    return state.servers.get(state.channels.get(view.channelId)?.guild_id);
  }

  function bot() {
    const { bot: is } = state.controls;
    return part(
      "Bot",
      h("p", {}, `The bot is ${is.state}. `, h("span", { class: "dim" }, `Its log: ${is.log}`)),
      is.can_restart ? button("Restart the bot", "restart_bot", {}, is.state === "starting") : null,
    );
  }

  function workflow() {
    if (!state.controls.bot.can_start_workflow) return null;
    const start = h("button", { "data-focus": "workflow", onclick: async () => tellResult(await act("start_workflow")) }, "Send workflow:started");
    return part("Workflow", h("p", { class: "dim" }, "Digests of the servers that have subscribed."), start);
  }

  function tellResult(result) {
    if (typeof result === "string") view.tell(result);
  }

  function gateway() {
    const count = state.controls.sessions;
    return part(
      "Gateway",
      h("p", {}, count > 0 ? "The bot is connected." : "The bot is not connected."),
      row(...Object.entries(DROPS).map(([how, label]) => button(label, "drop_gateway", { how }, count === 0))),
    );
  }

  function discord() {
    const active = state.controls.discord_faults;
    const choices = [
      select("Let Discord", "what", FAULTS, "What goes wrong"),
      select("for", "where", PLACES, "Which requests"),
      select("at", "count", COUNTS, "How many requests"),
    ];
    const fail = h(
      "button",
      {
        "data-focus": "fail_discord",
        onclick: async () => {
          const said = `Discord will ${FAULTS[chosen.what]} for ${PLACES[chosen.where]}: ${COUNTS[chosen.count]}.`;
          tellDone(await act("fail_discord", { ...chosen, count: chosen.count === "" ? null : Number(chosen.count) }), () => said);
        },
      },
      "Make it fail",
    );
    const list = active.map((fault) =>
      h("li", {}, `${FAULTS[fault.what] ?? fault.what}, ${PLACES[fault.where] ?? fault.where}: ${fault.left ?? "all"} left`),
    );
    return part(
      "Discord's API",
      row(...choices),
      row(fail, active.length > 0 ? button("Mend it", "mend_discord") : null),
      active.length > 0 ? h("ul", { class: "active" }, ...list) : h("p", { class: "dim" }, "Nothing is made to fail."),
    );
  }

  function select(label, name, options, described) {
    const id = `fault-${name}`;
    const element = h(
      "select",
      { id, "aria-label": described, "data-focus": id, onchange: (event) => (chosen[name] = event.target.value) },
      ...Object.entries(options).map(([value, text]) => h("option", { value, selected: value === chosen[name] }, text)),
    );
    return h("label", { for: id }, `${label} `, element);
  }

  function sources() {
    const rows = Object.entries(state.controls.sources).map(([name, source]) => {
      const id = `source-${name}`;
      const badge = h("span", { class: source.sample ? "origin sample" : "origin live" }, source.sample ? "sample" : "live");
      if (!source.sample) return h("li", {}, h("span", {}, source.title), badge, h("span", { class: "dim" }, "cannot be made to fail"));
      const faults = h(
        "select",
        { id, "data-focus": id, onchange: (event) => set("fail_source", { source: name, what: event.target.value }) },
        ...source.faults.map((fault) => h("option", { value: fault, selected: fault === source.fault }, fault === "none" ? "works" : fault)),
      );
      return h("li", {}, h("label", { for: id }, source.title), badge, faults, h("span", { id: `requests-${name}`, class: "dim" }, requests(source)));
    });
    return part(
      "Sources",
      h("p", { class: "dim" }, "An answer that is kept hides a fault: ask for something new, such as query:rust."),
      h("ul", { class: "sources" }, ...rows),
    );
  }

  function clock() {
    const ahead = state.controls.ahead_s;
    const bots = state.controls.bot.shares_clock ? "Digests of the bot come due by it too; stories keep their real times." : "The bot has its own.";
    return part(
      state.controls.bot.shares_clock ? "Clock" : "Discord's clock",
      h("p", { class: "dim" }, `It is ${ahead === 0 ? "right" : `${span(ahead)} ahead`}. Tokens of interactions and times on this page follow it. ${bots}`),
      row(...Object.entries(ADVANCES).map(([label, seconds]) => advance(`+ ${label}`, seconds))),
    );
  }

  function advance(label, seconds) {
    const pass = async () => tellDone(await act("advance", { seconds }), () => `The clock is ${span(state.controls.ahead_s)} ahead.`);
    return h("button", { "data-focus": `advance-${label}`, onclick: pass }, label);
  }

  /** What was done shows elsewhere in the panel, where readers of the screen do not hear it. */
  function tellDone(result, said) {
    if (result !== undefined) view.tell(said());
  }

  function server() {
    const known = serverHere();
    if (known === undefined) return null;
    const open = h("input", {
      type: "checkbox",
      checked: known.commands_for_all,
      "data-focus": "open_commands",
      onchange: (event) => set("open_commands", { guild_id: known.id, for_all: event.target.checked }),
    });
    return part(
      known.name,
      h("label", { class: "check" }, open, "Every member finds every command, as server settings can allow"),
    );
  }

  function button(label, what, fields = {}, disabled = false) {
    return h("button", { disabled, "data-focus": `${what}-${label}`, onclick: () => act(what, fields) }, label);
  }

  return { draw };
}

function requests({ requests: count }) {
  return count === 1 ? "1 request" : `${count} requests`;
}

function part(title, ...children) {
  return h("section", { class: "part" }, h("h3", {}, title), ...children);
}

function row(...children) {
  return h("div", { class: "row" }, ...children);
}

function span(seconds) {
  for (const [unit, size] of [["days", 86_400], ["hours", 3600], ["minutes", 60]]) {
    if (seconds >= 2 * size) return `${Math.round(seconds / size)} ${unit}`;
  }
  return `${Math.round(seconds)} s`;
}
