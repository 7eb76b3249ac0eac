"""Messages as a person sees them in a terminal."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sandbox.cells import width_of
from sandbox.clock import Clock
from sandbox.guilds import Channel, ChannelKind, User
from sandbox.markdown import relative
from sandbox.messages import Attachment, Message
from sandbox.server import LocalDiscord
from sandbox.terminal import draw_message, pressed

from .clients import settle

NOW = 1_800_000_000.0


def message(**fields: Any) -> Message:
    channel = Channel(1, ChannelKind.TEXT, "general")
    return Message(5, channel, User(2, "Scout", is_bot=True), Clock().utc(), **fields)


def drawn(width: int = 60, **fields: Any) -> str:
    return draw_message(message(**fields), width, colour=False, now=NOW)


def body(**fields: Any) -> list[str]:
    return [row.removeprefix("  ") for row in drawn(**fields).split("\n")[1:]]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"time\_zone and 2 \* 3", "time_zone and 2 * 3"),
        ("**bold** _slanted_ __under__ ~~gone~~ `co*de*`", "bold slanted under gone co*de*"),
        (r"\*not\* \[a\]\(b\) snake_case_name", "*not* [a](b) snake_case_name"),
        ("[Rust \\[1\\]](https://www.reddit.com/r/rust)", "Rust [1] (reddit.com)"),
        ("[**bold** link](<https://example.com/a_b_c>)", "bold link (example.com)"),
        ("<https://example.com>", "https://example.com"),
        (f"<t:{int(NOW) - 7200}:R> <t:{int(NOW) + 90}:R>", "2 hours ago in 1 minute"),
        ("<t:0:d> <t:99999999999999:R>", "01/01/1970 <t:99999999999999:R>"),
        ("<@2> <#9> </help:5> <:wave:7>", "@Scout #unknown /help :wave:"),
        ("# Heading", "Heading"),
        ("-# small", "small"),
        ("> quoted", "▏ quoted"),
        ("- item", "• item"),
        ("a\x1b[31mb\u202ec\x07", "a[31mbc"),
    ],
)
def test_markdown(text: str, shown: str) -> None:
    assert body(content=text) == [shown]


def test_code_blocks_stand_apart() -> None:
    assert body(content="a\n```py\n**x**\n```\nb") == ["a", "  **x**", "b"]


@pytest.mark.parametrize("width", [40, 61, 100])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    text = "日本語のとても長いテキスト " * 9 + "x" * 150 + " 👍🏽 " * 30 + "\n- " + "word " * 40
    fields = [{"name": "name " * 9, "value": text, "inline": n % 3 < 2} for n in range(5)]
    buttons = [{"type": 2, "style": n % 5 + 1, "label": "label" * 3, "custom_id": str(n)} for n in range(5)]
    rows = drawn(
        width,
        content=text,
        embeds=[{"title": text, "description": text, "fields": fields, "footer": {"text": text}}],
        components=[{"type": 1, "components": buttons}],
    ).split("\n")
    assert max(map(width_of, rows)) <= width
    assert "".join(rows).count("x") > 500


def test_wrapped_lists_stay_indented() -> None:
    rows = body(width=40, content="- " + "word " * 12)
    assert rows[0].startswith("• word")
    assert rows[1].startswith("  word")
    assert not any(row.startswith("   ") for row in rows)


def test_an_embed_with_everything() -> None:
    shown = body(
        embeds=[
            {
                "author": {"name": "Author"},
                "title": "Title",
                "url": "https://example.com/x",
                "description": "Text",
                "color": 0xFF4500,
                "fields": [
                    {"name": "a", "value": "1", "inline": True},
                    {"name": "b", "value": "2", "inline": True},
                    {"name": "c", "value": "3"},
                ],
                "footer": {"text": "Foot"},
            }
        ]
    )
    assert shown == [
        "▌ Author",
        "▌",
        "▌ Title (example.com)",
        "▌",
        "▌ Text",
        "▌",
        "▌ a                           b",
        "▌ 1                           2",
        "▌",
        "▌ c",
        "▌ 3",
        "▌",
        "▌ Foot",
    ]


def test_numbers_are_those_that_click_takes() -> None:
    components = [
        {
            "type": 1,
            "components": [
                {"type": 2, "style": 5, "label": "Open", "url": "https://www.example.com"},
                {"type": 2, "style": 1, "label": "Next", "emoji": {"name": "▶"}, "custom_id": "a"},
                {"type": 2, "style": 1, "label": "Off", "custom_id": "b", "disabled": True},
            ],
        },
        {
            "type": 1,
            "components": [
                {
                    "type": 3,
                    "custom_id": "c",
                    "placeholder": "Pick",
                    "options": [
                        {"label": "A", "value": "a", "description": "first"},
                        {"label": "B", "default": True},
                    ],
                }
            ],
        },
    ]
    assert body(content="x", components=components)[1:] == [
        "Open ↗ example.com  [1 ▶ Next]  (2 Off)",
        "[3 Pick ▾]",
        "   ○ A  first",
        "   ● B",
    ]


def test_components_v2() -> None:
    inside = [
        {"type": 10, "content": "# Big"},
        {"type": 14},
        {
            "type": 9,
            "components": [{"type": 10, "content": "text"}],
            "accessory": {"type": 2, "style": 1, "label": "Go", "custom_id": "g"},
        },
    ]
    shown = body(width=40, components=[{"type": 17, "accent_color": 255, "components": inside}])
    assert shown == ["▌ Big", "▌ " + "─" * 36, "▌ text", "▌ [1 Go]"]


def test_thinking_ephemeral_edited_and_files() -> None:
    assert body(flags=128) == ["● ● ●  Scout is thinking…"]
    assert body(content="x", flags=64)[-1] == "◌ Only you can see this"
    assert "(edited)" in drawn(content="x", edited_at=Clock().utc())
    file = Attachment(1, "a.txt", "text/plain", b"x" * 2048, "", "a file")
    assert body(attachments=(file,)) == ["▤ a.txt (2.0 KiB): a file"]
    used = {"name": "signals reddit", "user": {"username": "ada"}}
    assert drawn(content="x", legacy_interaction=used).startswith("╭─ ada used /signals reddit\nScout [APP]")
    chosen = drawn(content="x", legacy_interaction=used | {"name": "Why"}, metadata={"command_type": 3})
    assert chosen.startswith("╭─ ada used Why\n")


def test_colours_change_nothing_but_colours() -> None:
    full = message(
        content="**b** [l](https://x.com)",
        embeds=[{"title": "t", "color": 0x00FF00, "fields": [{"name": "a", "value": "1", "inline": True}] * 3}],
        flags=64,
    )
    painted = draw_message(full, 60, colour=True, now=NOW)
    bare = draw_message(full, 60, colour=False, now=NOW)
    assert re.sub(r"\x1b\[[\d;]*m", "", painted).replace(" APP ", "[APP]") == bare
    assert "\x1b[38;5;46m▌" in painted
    assert "\x1b[m" not in painted


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "1 second ago"), (0.4, "now"), (3600, "in 1 hour"), (-86_400 * 400, "1 year ago")]
)
def test_relative_times(seconds: float, words: str) -> None:
    assert relative(seconds) == words


async def test_what_was_pressed_is_told_by_its_label(local: LocalDiscord) -> None:
    place = settle(local)
    buttons = [{"type": 2, "style": 1, "label": "Next", "custom_id": "n"}]
    shown = message(content="x", components=[{"type": 1, "components": buttons}])
    shown.channel = place.channel
    assert pressed(await local.click(place.user, shown, 1)) == "Next"
