// The page's end of the websocket: comes back by itself, and goes on where it left off.
//
// From the server, one JSON object a frame:
//   {kind: "snapshot", epoch, seq, state}      everything, in place of what was known
//   {kind: "resumed", epoch, seq}              nothing was lost: what was missed follows
//   {kind: "change", seq, change: {type, …}}   one change; see Show and Inspector on the server
//   {kind: "answer", id, ok, value | error, option}
// To the server: {id, do, …}; sandbox/page/actions.py has the list.

const PAUSES_MS = [200, 500, 1000, 2000, 3000];

/** A refusal of the sandbox: its message is a sentence for people; `option` names the option to blame, if one is. */
export class Refused extends Error {
  constructor(message, option = null) {
    super(message);
    this.option = option;
  }
}

/**
 * Connect and stay connected. Calls onSnapshot(state), onChange(change) and onStatus("open" | "closed" | "refused").
 * Gives ask(what, fields): a promise of the answer's value, which rejects with Refused.
 */
export function connect({ onSnapshot, onChange, onStatus }) {
  let socket = null;
  let epoch = null;
  let seq = 0;
  let failures = 0;
  let lastId = 0;
  const waiting = new Map();

  function open() {
    const address = new URL("/ws", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (epoch !== null) address.search = new URLSearchParams({ epoch, seq: String(seq) });
    socket = new WebSocket(address);
    socket.onmessage = (event) => take(JSON.parse(event.data));
    socket.onclose = lost;
  }

  function take(frame) {
    switch (frame.kind) {
      case "snapshot":
        epoch = frame.epoch;
        seq = frame.seq;
        greeted();
        onSnapshot(frame.state);
        break;
      case "resumed":
        greeted();
        break;
      case "change":
        seq = frame.seq;
        onChange(frame.change);
        break;
      case "answer":
        answered(frame);
        break;
    }
  }

  function greeted() {
    failures = 0;
    onStatus("open");
  }

  function answered({ id, ok, value, error, option }) {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (asked === undefined) return;
    if (ok) asked.resolve(value);
    else asked.reject(new Refused(error, option));
  }

  function lost() {
    onStatus("closed");
    for (const asked of waiting.values()) asked.reject(new Refused("The page lost its connection. Try again."));
    waiting.clear();
    setTimeout(open, PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)]);
    failures += 1;
  }

  function ask(what, fields = {}) {
    if (socket.readyState !== WebSocket.OPEN) return Promise.reject(new Refused("The page is not connected."));
    lastId += 1;
    const id = lastId;
    socket.send(JSON.stringify({ ...fields, id, do: what }));
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  }

  open();
  return { ask };
}
