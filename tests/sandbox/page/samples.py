"""Messages of every kind that Discord draws, as its JSON."""

from __future__ import annotations

from typing import Any

from tests.sandbox.page.harness import CAPTURED

USERS = {user["username"]: user for user in CAPTURED["users"]}
BOT = next(user for user in CAPTURED["users"] if user["bot"])
GENERAL = CAPTURED["channels"][0]
SENT = "2026-11-22T18:27:04.593795+00:00"
EPHEMERAL, LOADING, COMPONENTS_V2 = 1 << 6, 1 << 7, 1 << 15

_ids = iter(range(1, 10_000))


def message(**changes: Any) -> dict[str, Any]:
    """A message of the bot's with nothing in it."""
    return {
        "id": str(next(_ids)),
        "channel_id": GENERAL["id"],
        "author": BOT,
        "content": "",
        "timestamp": SENT,
        "edited_timestamp": None,
        "mention_everyone": False,
        "mentions": [],
        "attachments": [],
        "embeds": [],
        "components": [],
        "type": 0,
        "flags": 0,
        **changes,
    }


def row(*components: dict[str, Any]) -> dict[str, Any]:
    """An action row."""
    return {"type": 1, "components": list(components)}


def button(label: str, style: int = 2, **more: Any) -> dict[str, Any]:
    """A button whose custom id is its label."""
    return {"type": 2, "style": style, "label": label, "custom_id": label} | more


def link_button(label: str, url: str) -> dict[str, Any]:
    """A button that opens a page."""
    return {"type": 2, "style": 5, "label": label, "url": url}


def select(kind: int = 3, custom_id: str = "menu", **more: Any) -> dict[str, Any]:
    """A menu; of texts with three options."""
    options = [
        {"label": name.title(), "value": name, "description": f"All of {name}"} for name in ("red", "green", "blue")
    ]
    return {"type": kind, "custom_id": custom_id} | ({"options": options} if kind == 3 else {}) | more


def text(content: str) -> dict[str, Any]:
    """A text display."""
    return {"type": 10, "content": content}


FULL_EMBED = {
    "type": "rich",
    "provider": {"name": "A provider"},
    "author": {"name": "An author", "url": "https://example.com/author"},
    "title": "A **title**",
    "url": "https://example.com/title",
    "description": "Words with a [link](https://example.com) and `code`.",
    "color": 0x2FA572,
    "fields": [
        {"name": "One", "value": "1", "inline": True},
        {"name": "Two", "value": "2", "inline": True},
        {"name": "Three", "value": "3", "inline": True},
        {"name": "Alone", "value": "- a list\n- of two", "inline": False},
    ],
    "thumbnail": {"url": "https://example.com/small.png"},
    "image": {"url": "https://example.com/large.png", "description": "A chart of nothing"},
    "footer": {"text": "A footer"},
    "timestamp": "2026-11-22T18:00:00+00:00",
}

SECOND = message(
    flags=COMPONENTS_V2,
    attachments=[{"id": "9", "filename": "notes.txt", "size": 2048, "url": "/files/9/notes.txt"}],
    components=[
        text("# A heading\nOutside of the container"),
        {
            "type": 17,
            "accent_color": 0xE3A008,
            "components": [
                {
                    "type": 9,
                    "components": [text("**A section**"), text("-# with an accessory")],
                    "accessory": button("Open", 1),
                },
                {"type": 14, "divider": True, "spacing": 2},
                {
                    "type": 9,
                    "components": [text("With a thumbnail")],
                    "accessory": {"type": 11, "media": {"url": "https://a.example/t.png"}, "description": "Small"},
                },
                {"type": 12, "items": [{"media": {"url": "https://example.com/a.png"}, "description": "First"}]},
                {"type": 13, "file": {"url": "attachment://notes.txt"}},
                row(button("Primary", 1), button("Secondary", 2), button("Success", 3), button("Danger", 4)),
                row(button("Disabled", 1, disabled=True), link_button("A page", "https://example.com/page")),
                row(select(3, "texts", placeholder="A colour")),
                row(select(6, "roles", placeholder="A role")),
            ],
        },
    ],
)  # fmt: skip
