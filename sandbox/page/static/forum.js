// A forum: its posts, and a line to make another.

import { h } from "./dom.js";
import { THREADS } from "./state.js";

/** The forum's posts as an element, newest first by the id that `latest(thread)` gives; `post(title)` makes one, `open(channelId)` shows one. */
export function renderForum(channel, server, { mayPost, post, open, latest }) {
  const posts = server.channels
    .filter((thread) => THREADS.has(thread.type) && thread.parent_id === channel.id)
    .sort((one, other) => Number(BigInt(latest(other)) - BigInt(latest(one))));
  const title = h("input", { id: "post-title", maxlength: 100, required: true, placeholder: "Title of a new post", autocomplete: "off" });
  const form = h(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        post(title.value);
      },
    },
    h("label", { class: "unseen", for: "post-title" }, "Title of a new post"),
    title,
    h("button", { type: "submit" }, "Post"),
  );
  const items = posts.map((thread) =>
    h("li", {}, h("button", { class: "post", onclick: () => open(thread.id) }, h("b", {}, thread.name), h("span", { class: "dim" }, "Open the post"))),
  );
  return h("div", { class: "forum" }, mayPost ? form : null, h("ul", {}, ...items));
}
