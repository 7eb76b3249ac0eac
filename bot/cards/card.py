"""What a message is made of, as plain values, and the body that Discord's API takes."""

from dataclasses import dataclass
from enum import IntEnum


class Colour(IntEnum):
    """The bar at an embed's left: how the question went, at a glance."""

    PENDING = 0x5865F2
    ANSWERED = 0x2FA572
    PARTLY = 0xE3A008
    NONE = 0xC0453B
    NOTICE = 0x7A828E


class ButtonStyle(IntEnum):
    """Discord's button styles; a button with an address is always ``LINK``."""

    PRIMARY = 1
    SECONDARY = 2
    DANGER = 4
    LINK = 5


@dataclass(frozen=True, slots=True)
class Button:
    """One button: with a ``custom_id`` it comes back to the bot, with a ``url`` it opens a page; never both."""

    label: str
    custom_id: str | None = None
    url: str | None = None
    emoji: str | None = None
    """A Unicode emoji."""
    style: ButtonStyle = ButtonStyle.SECONDARY
    disabled: bool = False

    def payload(self) -> dict[str, object]:
        """As Discord's API takes it."""
        body: dict[str, object] = {"type": 2, "style": int(self.style), "label": self.label}
        if self.custom_id is not None:
            body["custom_id"] = self.custom_id
        if self.url is not None:
            body["url"] = self.url
        if self.emoji is not None:
            body["emoji"] = {"name": self.emoji}
        if self.disabled:
            body["disabled"] = True
        return body


class SelectKind(IntEnum):
    """What a menu offers: texts of ours, or what the server has."""

    TEXT = 3
    ROLE = 6
    CHANNEL = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a menu of texts: plain, without markdown."""

    label: str
    value: str
    description: str = ""
    chosen: bool = False

    def payload(self) -> dict[str, object]:
        """As Discord's API takes it."""
        body: dict[str, object] = {"label": self.label, "value": self.value, "default": self.chosen}
        if self.description:
            body["description"] = self.description
        return body


@dataclass(frozen=True, slots=True)
class Select:
    """A menu that fills a row: ``choices`` for texts, else ``chosen`` ids of channels or roles."""

    custom_id: str
    kind: SelectKind
    placeholder: str
    choices: tuple[Choice, ...] = ()
    chosen: tuple[int, ...] = ()
    least: int = 1
    most: int = 1
    channel_types: tuple[int, ...] = ()
    """Which channels are offered, by Discord's numbers; empty: all."""

    def payload(self) -> dict[str, object]:
        """As Discord's API takes it."""
        body: dict[str, object] = {
            "type": int(self.kind),
            "custom_id": self.custom_id,
            "placeholder": self.placeholder,
            "min_values": self.least,
            "max_values": self.most,
        }
        if self.kind is SelectKind.TEXT:
            body["options"] = [choice.payload() for choice in self.choices]
        elif self.chosen:
            of_type = "role" if self.kind is SelectKind.ROLE else "channel"
            body["default_values"] = [{"id": str(one), "type": of_type} for one in self.chosen]
        if self.channel_types:
            body["channel_types"] = list(self.channel_types)
        return body


@dataclass(frozen=True, slots=True)
class Field:
    """A titled paragraph of an embed."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Embed:
    """One embed; its texts are escaped and within the limits already (see ``limits.Budget``)."""

    title: str
    description: str
    colour: Colour
    fields: tuple[Field, ...] = ()
    footer: str = ""
    image: str = ""
    """The address of a picture below the texts; ``attachment://…`` for a file that is sent along."""

    def payload(self) -> dict[str, object]:
        """As Discord's API takes it."""
        body: dict[str, object] = {"type": "rich", "title": self.title, "color": int(self.colour)}
        if self.description:
            body["description"] = self.description
        if self.fields:
            body["fields"] = [{"name": field.name, "value": field.value, "inline": False} for field in self.fields]
        if self.footer:
            body["footer"] = {"text": self.footer}
        if self.image:
            body["image"] = {"url": self.image}
        return body


@dataclass(frozen=True, slots=True)
class Card:
    """One message: an embed over menus over rows of buttons (at most five rows in all, of at most five buttons)."""

    embed: Embed
    rows: tuple[tuple[Button, ...], ...] = ()
    selects: tuple[Select, ...] = ()

    def payload(self) -> dict[str, object]:
        """The body of a create or edit request, the caller's own to add to (a nonce, flags).

        It replaces embeds, menus and buttons of what it edits, and can mention nobody.
        """
        rows: list[tuple[Button | Select, ...]] = [*((select,) for select in self.selects), *self.rows]
        return {
            "embeds": [self.embed.payload()],
            "components": [{"type": 1, "components": [one.payload() for one in row]} for row in rows],
            "allowed_mentions": {"parse": []},
        }
