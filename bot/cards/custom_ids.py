"""What buttons carry: compact, versioned, parsed strictly; anyone can send any custom id, so a wrong one is None.

The patterns are templates for discord.py's ``DynamicItem`` (matched from start to end).
"""

import re
from dataclasses import dataclass
from typing import Literal

PAGE_PATTERN = r"s1:p:(?P<answer_id>[0-9a-f]{20}):(?P<page>[0-9]{1,2}):(?P<owner_id>[0-9]{1,20})"
AGAIN_PATTERN = r"s1:a:(?P<answer_id>[0-9a-f]{20})"
CONFIG_FAMILY = "c1:"
"""What the ids of everything that configures a server begin with."""
PRIVACY_FAMILY = "p1:"
"""What the ids of everything that deletes begin with."""
DIGEST_FAMILY = "d1:"
"""What the ids of everything under a digest begin with."""
PLAN_FAMILY = "e1:"
"""What the ids of everything that makes or changes a digest begin with."""

_PAGE = re.compile(PAGE_PATTERN, re.ASCII)
_AGAIN = re.compile(AGAIN_PATTERN, re.ASCII)
_CONFIG = re.compile(r"c1:(?P<verb>[a-z]{2,8}):(?P<guild_id>[1-9][0-9]{0,19}):(?P<detail>[a-z0-9_.]{0,60})", re.ASCII)
_DIGEST = re.compile(r"d1:(?P<verb>[a-z]{2,8}):(?P<nonce>[0-9A-Za-z_-]{1,25}):(?P<answer_id>[0-9a-f]{20})", re.ASCII)
_PLAN = re.compile(
    r"e1:(?P<verb>[a-z]{2,8}):(?P<guild_id>[1-9][0-9]{0,19}):(?P<detail>[A-Za-z0-9_./+-]{0,66})", re.ASCII
)
_PRIVACY = re.compile(r"p1:(?P<whose>guild|user):(?P<id>[0-9]{1,20})", re.ASCII)


@dataclass(frozen=True, slots=True)
class PageButton:
    """Show a page of an answer; pressed by another than its owner, it gives that person a copy."""

    answer_id: str
    page: int
    """From 0."""
    owner_id: int
    """The user whose message the button stands under."""

    def __str__(self) -> str:
        return f"s1:p:{self.answer_id}:{self.page}:{self.owner_id}"


@dataclass(frozen=True, slots=True)
class AgainButton:
    """Ask the question of an answer again."""

    answer_id: str

    def __str__(self) -> str:
        return f"s1:a:{self.answer_id}"


@dataclass(frozen=True, slots=True)
class ConfigControl:
    """A button, menu or form that shows or changes a server's settings."""

    verb: str
    """What it does, 2 to 8 small letters."""
    guild_id: int
    """Whose settings; anywhere else it does nothing."""
    detail: str = ""
    """At most 60 small letters, digits, underscores and dots."""

    def __str__(self) -> str:
        return f"{CONFIG_FAMILY}{self.verb}:{self.guild_id}:{self.detail}"


def parse_config(custom_id: str) -> ConfigControl | None:
    """What a custom id configures; None when it is none of ours, or forged."""
    found = _CONFIG.fullmatch(custom_id)
    return None if found is None else ConfigControl(found["verb"], int(found["guild_id"]), found["detail"])


@dataclass(frozen=True, slots=True)
class DigestControl:
    """A button under a digest, or what it opens. Its nonce marks the message: by it a digest is found again."""

    verb: str
    """What it does, 2 to 8 small letters."""
    nonce: str
    """Of the message: at most 25 letters, digits, dashes and underscores."""
    answer_id: str
    """Of the answer that holds everything new."""

    def __str__(self) -> str:
        return f"{DIGEST_FAMILY}{self.verb}:{self.nonce}:{self.answer_id}"


def parse_digest(custom_id: str) -> DigestControl | None:
    """What a custom id under a digest does; None when it is none of ours, or forged."""
    found = _DIGEST.fullmatch(custom_id)
    return None if found is None else DigestControl(found["verb"], found["nonce"], found["answer_id"])


@dataclass(frozen=True, slots=True)
class PlanControl:
    """A button, menu or form that makes, changes or lists a server's digests."""

    verb: str
    """What it does, 2 to 8 small letters."""
    guild_id: int
    """Whose digests; anywhere else it does nothing."""
    detail: str = ""
    """At most 66 ASCII letters, digits and characters of ``_./+-``."""

    def __str__(self) -> str:
        return f"{PLAN_FAMILY}{self.verb}:{self.guild_id}:{self.detail}"


def parse_plan(custom_id: str) -> PlanControl | None:
    """What a custom id does to digests; None when it is none of ours, or forged."""
    found = _PLAN.fullmatch(custom_id)
    return None if found is None else PlanControl(found["verb"], int(found["guild_id"]), found["detail"])


@dataclass(frozen=True, slots=True)
class PrivacyControl:
    """A button that deletes all that is kept about a server, or the answers that somebody was given directly."""

    whose: Literal["guild", "user"]
    id: int
    """Of the server or of the user; for anybody else it does nothing."""

    def __str__(self) -> str:
        return f"{PRIVACY_FAMILY}{self.whose}:{self.id}"


def parse_privacy(custom_id: str) -> PrivacyControl | None:
    """What a custom id deletes; None when it is none of ours, or forged."""
    found = _PRIVACY.fullmatch(custom_id)
    if found is None:
        return None
    return PrivacyControl("guild" if found["whose"] == "guild" else "user", int(found["id"]))


def parse(custom_id: str) -> PageButton | AgainButton | None:
    """The button that a custom id stands for; None when it is none of ours, or forged."""
    if page := _PAGE.fullmatch(custom_id):
        return PageButton(page["answer_id"], int(page["page"]), int(page["owner_id"]))
    if again := _AGAIN.fullmatch(custom_id):
        return AgainButton(again["answer_id"])
    return None
