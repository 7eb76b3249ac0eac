// The panel on the right: the inspector and what can be tried, one at a time.

import { h } from "./dom.js";

const TABS = { inspector: "Inspect", faults: "Try" };

/** Gives the two places to draw into; the choice of tab and whether it is open are the view's. */
export function mountPanel({ panel, button }, view) {
  const places = { inspector: place("inspector"), faults: place("faults") };
  const tabs = Object.entries(TABS).map(([name, label]) =>
    h("button", { role: "tab", id: `tab-${name}`, "aria-controls": `place-${name}`, onclick: () => view.change({ tab: name }) }, label),
  );
  const close = h("button", { class: "quiet close", "aria-label": "Close the panel", onclick: () => toggle(false) }, "✕");
  const list = h("div", { role: "tablist", "aria-label": "Inspect and try", onkeydown: move }, ...tabs);
  panel.append(h("div", { class: "tabs" }, list, close), ...Object.values(places));
  button.addEventListener("click", () => toggle(panel.hidden));
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") toggle(false);
  });

  function toggle(open) {
    view.change({ panel: open ? "open" : "" });
    if (open) tabs[Object.keys(TABS).indexOf(view.tab)].focus();
    else button.focus();
  }

  function move(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const names = Object.keys(TABS);
    const next = (names.indexOf(view.tab) + step + names.length) % names.length;
    view.change({ tab: names[next] });
    tabs[next].focus();
  }

  function draw() {
    panel.hidden = view.panel === "";
    button.setAttribute("aria-expanded", String(!panel.hidden));
    document.body.classList.toggle("with-panel", !panel.hidden);
    for (const tab of tabs) {
      const isShown = tab.id === `tab-${view.tab}`;
      tab.setAttribute("aria-selected", String(isShown));
      tab.tabIndex = isShown ? 0 : -1;
    }
    for (const [name, element] of Object.entries(places)) element.hidden = panel.hidden || name !== view.tab;
  }

  view.onChange(draw);
  draw();
  return places;
}

function place(name) {
  return h("div", { id: `place-${name}`, role: "tabpanel", "aria-labelledby": `tab-${name}`, class: "place" });
}
