// As whom one acts, and what they may do.

import { keepFocus } from "./channels.js";
import { h } from "./dom.js";

const NAMES = {
  3: "Administrator", 4: "Manage Channels", 5: "Manage Server", 10: "View Channel", 11: "Send Messages",
  13: "Manage Messages", 14: "Embed Links", 15: "Attach Files", 16: "Read History", 17: "Mention Everyone",
  28: "Manage Roles", 31: "Use Commands", 38: "Send in Threads",
};

/** Draws the choice of people; gives `draw()`, to be called when servers, people or choices changed. */
export function mountPeople(container, state, view) {
  function draw() {
    keepFocus(container, () => container.replaceChildren(choice(), rights()));
  }

  function choice() {
    const channel = state.channels.get(view.channelId);
    const people = [...state.people.values()].map((person) => {
      const standing = person.standing[channel?.guild_id] ?? "person";
      const input = h("input", {
        type: "radio",
        name: "person",
        value: person.id,
        checked: person.id === view.personId,
        "data-focus": person.id,
        onchange: () => choose(person.id),
      });
      const text = h("span", {}, h("b", {}, person.username), ` ${standing || "not a member"}`);
      return h("label", { class: "person" }, input, avatar(person.username), text);
    });
    return h("fieldset", {}, h("legend", {}, "Act as"), ...people);
  }

  function rights() {
    const bits = state.permissions(view.personId, view.channelId);
    const has = Object.entries(NAMES).filter(([bit]) => bits & (1n << BigInt(bit)));
    const open = container.querySelector("details")?.open ?? false;
    return h(
      "details",
      { open },
      h("summary", { "data-focus": "rights" }, `What ${state.people.get(view.personId).username} may do here`),
      h("ul", {}, ...has.map(([, name]) => h("li", {}, name))),
    );
  }

  function choose(personId) {
    view.change({ personId });
    view.settle(state);
  }

  return { draw };
}

/** A disc with the first letter of the name, in a colour of the name's own. */
function avatar(name) {
  const disc = h("span", { class: "disc", "aria-hidden": "true" }, name[0]);
  const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
  disc.style.setProperty("--hue", String(hue));
  return disc;
}
