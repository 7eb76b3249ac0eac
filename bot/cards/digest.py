"""A digest as its channel sees it: what is new, in as few messages as hold it, each within Discord's limits.

Every message carries its nonce in the id of at least one button: by it the outbox finds a message again whose sending
ended in doubt.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from agents.events import SourceReport, SourceStatus
from agents.signal import Signal
from bot.cards import limits
from bot.cards.answer import PER_PAGE, status_fields
from bot.cards.card import Button, ButtonStyle, Card, Colour, Embed
from bot.cards.custom_ids import DigestControl, PageButton
from bot.cards.limits import shorten
from bot.cards.story import DETAILS, Detail, story
from bot.cards.text import clean, quoted
from bot.subscription import Grouping, Subscription

CHART_NAME = "chart.png"
LONGEST_POST_NAME = 100
MOST_KEPT = 50
"""Signals of the kept answer behind a digest, which “more” turns over; what is left comes with the next one too."""
LONGEST_ALT = 1024
"""Characters that the description of an attachment has at most."""
_PLACES_FIRST = (
    *DETAILS[:2],
    Detail(title=80, excerpt=0, also=3, url=400),
    Detail(title=80, excerpt=0, also=1, url=300),
    *DETAILS[3:],
)
"""Of a digest by story, where other places of a story matter more than the whole of its title."""
_STARTS = ("**", "-#", "###")
"""How lines of a digest begin; an excerpt, which is escaped, begins with none of them."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What is new for one subscription."""

    subscription: Subscription
    signals: tuple[Signal, ...]
    """New, best first, at most as many as the plan's limit."""
    left: int
    """New beyond these: they come with the next digest."""
    reports: tuple[SourceReport, ...]
    titles: Mapping[str, str]
    """The sources' names as written, by name."""
    answer_id: str
    """Of the kept answer that holds what is new, ``signals`` first and in this order; at most ``MOST_KEPT``."""
    since: datetime
    until: datetime
    """The period, UTC."""
    forum: bool = False
    """Each digest is a post of its own in a forum: one message, so what has no room stays unseen."""
    chart_alt: str = ""
    """What the chart says, in words; empty: there is none."""


@dataclass(frozen=True, slots=True)
class Body:
    """One message of a digest."""

    body: dict[str, Any]
    """As Discord's API takes it, without nonce; for a forum what makes a post."""
    shown: tuple[Signal, ...]


@dataclass(frozen=True, slots=True)
class _Page:
    text: str
    shown: tuple[Signal, ...]


def parts(digest: Digest, nonce_of: Callable[[int], str]) -> tuple[Body, ...]:
    """The messages, in the order in which they are sent; none when nothing is new and that is not to be told.

    What none of them shows (in a forum there is but one) is to be counted as left.
    """
    if not digest.signals:
        return (_nothing_new(digest, nonce_of(0)),) if digest.subscription.plan.when_empty else ()
    pages = _pages(digest)
    shown = sum(len(page.shown) for page in pages)
    left = digest.left + len(digest.signals) - shown
    return tuple(
        _body(digest, nonce_of(number), page, number, len(pages), shown, left) for number, page in enumerate(pages)
    )


def smaller(body: str) -> str | None:
    """A body that Discord refused, as plain as can be: stories without excerpts, chart, tag and menus.

    None when it is so already. Raises ``ValueError`` when it is no body of a digest.
    """
    whole: dict[str, Any] = json.loads(body)
    message: dict[str, Any] = whole.get("message", whole)
    (embed,) = message["embeds"]
    blocks = str(embed.get("description", "")).split("\n\n")
    plain: dict[str, Any] = {
        "embeds": [{**_without(embed, "image", "fields", "footer"), "description": "\n\n".join(map(_bare, blocks))}],
        "components": [{"type": 1, "components": message["components"][0]["components"][:1]}],
        "allowed_mentions": message["allowed_mentions"],
    }
    if "content" in message:
        plain["content"] = message["content"]
    rebuilt = {"name": whole["name"], "message": plain} if "message" in whole else plain
    return None if rebuilt == whole else json.dumps(rebuilt, ensure_ascii=False)


def _bare(block: str) -> str:
    """A story without its excerpt; any other paragraph as it is."""
    return "\n".join(line for line in block.split("\n") if line.startswith(_STARTS)) or block


def _without(body: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


# -- one message


def _body(digest: Digest, nonce: str, page: _Page, number: int, of: int, shown: int, left: int) -> Body:
    first, last = number == 0, number == of - 1
    budget = limits.Budget()
    title = _title(digest) if of == 1 else f"{_title(digest)} · {number + 1}/{of}"
    title = budget.fit((title,), limits.TITLE)
    footer = budget.fit((_footer(digest),), limits.FOOTER) if last else ""
    text = f"{_intro(digest, shown, left)}\n\n{page.text}" if first else page.text
    description = budget.fit((text,), limits.DESCRIPTION)
    fields = status_fields(_telling(digest.reports), digest.titles, budget) if last else ()
    image = f"attachment://{CHART_NAME}" if first and _alt(digest) else ""
    embed = Embed(title, description, _colour(digest), fields, footer, image)
    return Body(_message(digest, embed, _buttons(digest, nonce, shown, left, last=last), first=first), page.shown)


def _nothing_new(digest: Digest, nonce: str) -> Body:
    budget = limits.Budget()
    title = budget.fit((_title(digest),), limits.TITLE)
    answered = any(report.status.answered for report in digest.reports)
    text = "Nothing new" if answered else "No source could answer, so nobody knows what is new"
    description = budget.fit((f"{text} since {_moment(digest.since)}.",), limits.DESCRIPTION)
    fields = status_fields(_telling(digest.reports), digest.titles, budget)
    embed = Embed(title, description, Colour.NOTICE if answered else Colour.NONE, fields)
    why = Button("Why?", str(DigestControl("why", nonce, digest.answer_id)), emoji="🔎")
    return Body(_message(digest, embed, (why,), first=True, mention=False), ())


def _message(
    digest: Digest, embed: Embed, buttons: tuple[Button, ...], *, first: bool, mention: bool = True
) -> dict[str, Any]:
    """The body; only the first message of a digest mentions the role, brings the chart and makes a forum's post."""
    plan = digest.subscription.plan
    body = Card(embed, (buttons,)).payload()
    if first and mention and plan.role_id is not None:
        body["content"] = f"<@&{plan.role_id}>"
        body["allowed_mentions"] = {"parse": [], "roles": [str(plan.role_id)]}
    if embed.image:
        body["attachments"] = [{"id": 0, "filename": CHART_NAME, "description": _alt(digest)}]
    if not digest.forum:
        return body
    tags = {"applied_tags": [str(plan.tag_id)]} if plan.tag_id is not None else {}
    return {"name": post_name(digest), **tags, "message": body}


def _alt(digest: Digest) -> str:
    return shorten(clean(digest.chart_alt), LONGEST_ALT)


def post_name(digest: Digest) -> str:
    """What a post in a forum is called: the digest's name and the day, in its own time zone."""
    zone = ZoneInfo(digest.subscription.plan.schedule.timezone)
    day = f" · {digest.until.astimezone(zone):%Y-%m-%d %H:%M}"
    return shorten(clean(digest.subscription.plan.name), LONGEST_POST_NAME - len(day)) + day


def _buttons(digest: Digest, nonce: str, shown: int, left: int, *, last: bool) -> tuple[Button, ...]:
    why = Button("Why these?", str(DigestControl("why", nonce, digest.answer_id)), emoji="🔎")
    if not last:
        return (why,)
    mute = Button("Mute a word", str(DigestControl("mute", nonce, digest.answer_id)), emoji="🔇")
    if not left:
        return (why, mute)
    page = PageButton(digest.answer_id, min(shown // PER_PAGE, 99), 0)
    more = Button(f"{min(left, MOST_KEPT - shown)} more", str(page), emoji="📥", style=ButtonStyle.PRIMARY)
    return (why, more, mute)


def _title(digest: Digest) -> str:
    return quoted(digest.subscription.plan.name, 60) or "Digest"


def _intro(digest: Digest, shown: int, left: int) -> str:
    period = f"{_moment(digest.since)} to {_moment(digest.until)}"
    if not left:
        return f"-# {shown:,} new · {period}"
    return (
        f"-# {shown + left:,} new · {period}\n-# The best {shown} are here; {left:,} roll over into the next digest."
    )


def _footer(digest: Digest) -> str:
    return f"score: votes, freshness, match (formula {digest.signals[0].parts.formula})"


def _moment(when: datetime) -> str:
    return f"<t:{int(when.timestamp())}:f>"


def _telling(reports: Iterable[SourceReport]) -> tuple[SourceReport, ...]:
    """A digest tells of sources that failed or have something to say; not that one answered from the cache."""
    stale = SourceStatus.STALE
    return tuple(
        report for report in reports if not report.status.answered or report.status is stale or report.sentence
    )


def _colour(digest: Digest) -> Colour:
    well = (report.status.answered and report.status is not SourceStatus.STALE for report in digest.reports)
    return Colour.ANSWERED if all(well) else Colour.PARTLY


# -- which stories go into which message


def _pages(digest: Digest) -> list[_Page]:
    """In as few messages as the shortest form needs; within these, as much as has room is told."""
    room = limits.DESCRIPTION - len(_intro(digest, 10**6, 10**6)) - 2

    details = _PLACES_FIRST if digest.subscription.plan.grouping is Grouping.STORY else DETAILS

    def drawn(detail: Detail, most: int | None = None) -> list[_Page]:
        return list(_filled(_groups(digest, digest.signals[:most]), detail, digest.titles, room))

    pages = drawn(details[0])
    if len(pages) == 1:
        return pages
    shortest = drawn(details[-1])
    if digest.forum and len(shortest) > 1:
        counts = range(len(digest.signals) - 1, 0, -1)
        return next(pages for count in counts if len(pages := drawn(details[-1], count)) == 1)
    return next(pages for detail in details if len(pages := drawn(detail)) <= len(shortest))


def _groups(digest: Digest, signals: tuple[Signal, ...]) -> list[tuple[str, list[Signal]]]:
    """The stories under their headings; one group without a heading where there is nothing to tell apart."""
    by_source: dict[str, list[Signal]] = {}
    for signal in signals:
        by_source.setdefault(signal.source, []).append(signal)
    if digest.subscription.plan.grouping is Grouping.STORY or len(by_source) == 1:
        return [("", list(signals))]
    return [
        (f"### {quoted(digest.titles.get(source, source), 30) or 'Other'}\n", found)
        for source, found in by_source.items()
    ]


def _filled(
    groups: Iterable[tuple[str, list[Signal]]], detail: Detail, titles: Mapping[str, str], room: int
) -> Iterator[_Page]:
    """Stories numbered through, cut into messages of at most ``room`` code points; each has one at least."""
    texts: list[str] = []
    shown: list[Signal] = []
    used, number = 0, 0
    for heading, signals in groups:
        begun = False
        for signal in signals:
            number += 1
            text = story(number, signal, detail, titles)
            headed = text if begun else heading + text
            if texts and used + len(headed) + 2 > room:
                yield _Page("\n\n".join(texts), tuple(shown))
                texts, shown, used = [], [], 0
                headed = heading + text
            texts.append(headed)
            shown.append(signal)
            used += len(headed) + 2
            begun = True
    yield _Page("\n\n".join(texts), tuple(shown))
