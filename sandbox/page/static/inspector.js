// What went over the wire for each interaction, and the bot's spans as a waterfall, while it happens.

import { keepFocus } from "./channels.js";
import { h } from "./dom.js";

const ACKNOWLEDGE_MS = 3000;
const LATEST = 40;

/** Draws into the container; gives `draw()`, cheap to call often. */
export function mountInspector(container, state, view) {
  const shown = { id: null, autocomplete: false, open: new Set() };
  let asked = false;

  function draw() {
    if (asked || container.hidden) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      if (!container.hidden) keepFocus(container, drawNow);
    });
  }

  function drawNow() {
    const traces = byTrace(state.spans);
    const entries = listed(traces);
    const current = entries.find((entry) => entry.id === shown.id) ?? entries[0];
    const scrolled = container.querySelector(".exchanges")?.scrollTop ?? 0;
    container.replaceChildren(
      exchanges(entries, current),
      current === undefined ? h("p", { class: "dim" }, "Nothing yet: send a command.") : detail(current),
      gateway(),
    );
    container.querySelector(".exchanges").scrollTop = scrolled;
  }

  /** Interactions and traces of their own, newest first. */
  function listed(traces) {
    const ofInteractions = new Map();
    for (const trace of traces.values()) if (trace.interactionId !== null) ofInteractions.set(trace.interactionId, trace);
    const found = [...state.exchanges.values()]
      .filter((exchange) => shown.autocomplete || exchange.kind !== "autocomplete")
      .map((exchange) => ({ id: exchange.id, at_ms: exchange.at_ms, exchange, trace: ofInteractions.get(exchange.id) }));
    const others = [...traces.values()]
      .filter((trace) => trace.interactionId === null)
      .map((trace) => ({ id: trace.id, at_ms: trace.start_ms, exchange: null, trace }));
    return [...found, ...others].sort((a, b) => b.at_ms - a.at_ms).slice(0, LATEST);
  }

  function exchanges(entries, current) {
    const items = entries.map((entry) =>
      h(
        "li",
        {},
        h(
          "button",
          {
            class: "exchange",
            "aria-pressed": String(entry === current),
            "data-focus": entry.id,
            onclick: () => choose(entry.id),
          },
          h("b", {}, entry.exchange?.title ?? entry.trace.name),
          h("span", { class: "dim" }, entry.exchange === null ? "no interaction" : `${entry.exchange.user} · ${fate(entry.exchange)}`),
        ),
      ),
    );
    const autocomplete = h("input", {
      type: "checkbox",
      checked: shown.autocomplete,
      "data-focus": "autocomplete",
      onchange: (event) => {
        shown.autocomplete = event.target.checked;
        draw();
      },
    });
    return h(
      "section",
      { "aria-label": "Interactions" },
      h("label", { class: "check" }, autocomplete, "Show autocomplete too"),
      h("ol", { class: "exchanges" }, ...items),
    );
  }

  function choose(id) {
    shown.id = id;
    draw();
  }

  function detail({ exchange, trace }) {
    return h(
      "section",
      { "aria-label": "What happened" },
      exchange === null ? null : traffic(exchange),
      h("h3", {}, "Spans"),
      trace === undefined ? h("p", { class: "dim" }, "None has arrived.") : waterfall(trace, exchange),
    );
  }

  function traffic(exchange) {
    const rows = exchange.entries.map((entry) => {
      const key = `${exchange.id}-${entry.n}`;
      const head = [
        h("span", { class: "when" }, `+${Math.round(entry.at_ms - exchange.at_ms)} ms`),
        h("span", { class: "way", title: entry.towards === "bot" ? "Discord to bot" : "bot to Discord" }, entry.towards === "bot" ? "→ bot" : "← bot"),
        entry.status === undefined ? null : h("span", { class: `status s${Math.floor(entry.status / 100)}` }, entry.status === 0 ? "no answer" : String(entry.status)),
        h("span", { class: "what" }, entry.what, entry.fault ? h("span", { class: "fault" }, ` ${made(entry.fault)}`) : null),
      ];
      if (!entry.body) return h("li", { class: "entry" }, ...head);
      const details = h("details", { open: shown.open.has(key) }, h("summary", { "data-focus": key }, ...head), h("pre", { tabindex: "0" }, entry.body));
      details.addEventListener("toggle", () => (details.open ? shown.open.add(key) : shown.open.delete(key)));
      return h("li", { class: "entry" }, details);
    });
    return h("div", {}, h("h3", {}, "Traffic"), h("ol", { class: "traffic" }, ...rows));
  }

  function gateway() {
    const rows = state.frames
      .slice(-LATEST)
      .reverse()
      .map((frame) =>
        h(
          "li",
          {},
          h("span", { class: "when" }, new Date(frame.at_ms).toLocaleTimeString()),
          h("span", { class: "way" }, frame.sender === "bot" ? "← bot" : "→ bot"),
          h("span", { class: "what" }, frame.what),
          frame.s === null ? null : h("span", { class: "dim" }, `#${frame.s}`),
        ),
      );
    const details = h("details", { open: shown.open.has("gateway") }, h("summary", { "data-focus": "gateway" }, "Gateway, newest first"), h("ol", { class: "traffic" }, ...rows));
    details.addEventListener("toggle", () => (details.open ? shown.open.add("gateway") : shown.open.delete("gateway")));
    return h("section", { "aria-label": "Gateway" }, details);
  }

  return { draw };
}

/** What was wrong with a request on purpose; a status speaks for itself. */
function made(fault) {
  return fault === "status" ? "made to fail" : `made to fail: ${fault.replaceAll("_", " ")}`;
}

/** How an interaction has ended up so far. */
function fate(exchange) {
  if (exchange.acknowledged_ms !== null) return `acknowledged in ${Math.round(exchange.acknowledged_ms)} ms`;
  return Date.now() - exchange.at_ms > ACKNOWLEDGE_MS ? "not acknowledged" : "waiting";
}

/** Spans gathered by trace: when it began and ended, its first span's name, the interaction that it answers. */
function byTrace(spans) {
  const traces = new Map();
  for (const span of spans) {
    const trace = traces.get(span.trace_id) ?? { id: span.trace_id, spans: [], interactionId: null, start_ms: Infinity, end_ms: 0, name: span.name };
    trace.spans.push(span);
    if (span.attributes.interaction_id !== undefined) trace.interactionId = span.attributes.interaction_id;
    if (span.start_ms < trace.start_ms) {
      trace.start_ms = span.start_ms;
      trace.name = span.name;
    }
    trace.end_ms = Math.max(trace.end_ms, span.end_ms);
    traces.set(span.trace_id, trace);
  }
  return traces;
}

function waterfall(trace, exchange) {
  const whole = Math.max(1, trace.end_ms - trace.start_ms);
  const rows = inOrder(trace.spans).map(({ span, depth }) => {
    const bar = h("span", { class: span.error ? "bar failed" : "bar" });
    bar.style.setProperty("left", `${((span.start_ms - trace.start_ms) / whole) * 100}%`);
    bar.style.setProperty("width", `${Math.max(0.6, ((span.end_ms - span.start_ms) / whole) * 100)}%`);
    const about = Object.entries(span.attributes)
      .filter(([name]) => name !== "interaction_id")
      .map(([name, value]) => `${name}=${value}`)
      .join(" ");
    const label = h("span", { class: "span-name" }, span.name, h("span", { class: "dim" }, ` ${about}`));
    label.style.setProperty("padding-left", `${depth * 10}px`);
    const took = `${(span.end_ms - span.start_ms).toFixed(span.end_ms - span.start_ms < 10 ? 1 : 0)} ms`;
    return h(
      "tr",
      { title: about },
      h("td", {}, label, span.error ? h("span", { class: "fault" }, ` ${span.error}`) : null),
      h("td", { class: "lane" }, bar),
      h("td", { class: "when" }, took),
    );
  });
  const began = exchange === null ? "" : `, ${Math.round(trace.start_ms - exchange.at_ms)} ms after the interaction`;
  return h(
    "table",
    { class: "waterfall" },
    h("caption", {}, `Trace ${trace.id.slice(0, 8)}: ${Math.round(whole)} ms${began}`),
    h("colgroup", {}, h("col", { class: "wide" }), h("col", {}), h("col", { class: "narrow" })),
    h("thead", {}, h("tr", {}, ...["Span", "When", "Took"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, ...rows),
  );
}

/** Spans under their parents, each level by time; one whose parent has not arrived stands at the top. */
function inOrder(spans) {
  const known = new Set(spans.map((span) => span.id));
  const below = new Map();
  for (const span of [...spans].sort((a, b) => a.start_ms - b.start_ms)) {
    const parent = known.has(span.parent_id) ? span.parent_id : null;
    below.set(parent, [...(below.get(parent) ?? []), span]);
  }
  const rows = [];
  const add = (parent, depth) => {
    for (const span of below.get(parent) ?? []) {
      rows.push({ span, depth });
      add(span.id, depth + 1);
    }
  };
  add(null, 0);
  return rows;
}
