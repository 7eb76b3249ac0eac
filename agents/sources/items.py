"""What the sources share when they read an upstream's items: one bad item never costs the good ones."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from agents.errors import SourceError, UnexpectedContent
from agents.fetch.json import UNKNOWN_FORM
from agents.text import plain, plain_html

T = TypeVar("T")

EXCERPT_CHARS = 300
_HEADLINE_WORDS = 4
_UNTELLING = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "for", "from", "has", "have", "how", "in", "into",
    "is", "it", "its", "of", "on", "or", "that", "the", "their", "this", "to", "was", "were", "what", "when",
    "where", "which", "who", "why", "will", "with",
})  # fmt: skip
"""Of English, which stand in any sentence."""
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Thai, Japanese and Chinese."""


def each_once(
    typed: str, parse: Callable[[str], str], most: int, of: str, *, between: str = "+", joined: str = "+"
) -> str:
    """What somebody typed with spaces, commas or ``between`` in between: each as ``parse`` has it, once, sorted.

    ``of`` says of what there may be at most ``most``. A ``ValueError``, ``parse``'s too, says what is wrong.
    """
    words = re.split(rf"[\s,{between}]+", typed.strip(f" ,{between}"))
    found = {parse(word) for word in words}
    if len(found) > most:
        raise ValueError(f"At most {most} {of} at once; these are {len(found)}.")
    return joined.join(sorted(found))


def decode_items(raws: Sequence[msgspec.Raw], type_: type[T], upstream: str) -> list[T]:
    """Those of ``raws`` that are a ``type_``, in order.

    Raises ``UnexpectedContent`` when there are items and none can be read: then the upstream has changed.
    """
    decoder = msgspec.json.Decoder(type_)
    items: list[T] = []
    for raw in raws:
        try:
            items.append(decoder.decode(raw))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    if raws and not items:
        raise UnexpectedContent(f"{upstream} sent {len(raws)} items {UNKNOWN_FORM}")
    return items


def excerpt(text: str | None) -> str | None:
    """The beginning of a text, plain; of a long one only as much is looked at as an excerpt can need."""
    return plain(text[:1_500], EXCERPT_CHARS) if text else None


def excerpt_html(markup: str | None) -> str | None:
    """The same for HTML."""
    return plain_html(markup[:3_000], EXCERPT_CHARS) if markup else None


def headline(text: str) -> tuple[str, str]:
    """Posts have no title: the first line, where it says something by itself, and what follows it."""
    first, _, rest = text.strip().partition("\n")
    return (first, rest) if rest.strip() and len(first.split()) >= _HEADLINE_WORDS else (text, "")


def search_text(query: str | None) -> str:
    """The query on one line; empty where it has no word to look for."""
    text = " ".join((query or "").split())
    return text if re.search(r"\w", text) else ""


def telling(words: Sequence[str]) -> list[str]:
    """The words that are worth looking for, in order; all of them, where none tells more than the others."""
    return [word for word in words if word.lower() not in _UNTELLING] or list(words)


def has_words(query: str | None, *texts: str | None) -> bool:
    """Whether each telling word of the query begins a word of the texts: for upstreams that cannot search themselves.

    Of words that are not spaced apart nobody knows where they begin: they are anywhere.
    """
    wanted = telling(re.findall(r"\w+", (query or "").casefold()))
    text = " ".join(text for text in texts if text).casefold() if wanted else ""
    words = set(re.findall(r"\w+", text))
    return all(
        term in text if _UNSPACED.match(term) else any(word.startswith(term) for word in words) for term in wanted
    )


async def take_turns(done: int) -> None:
    """Let others run after every 5th item: cleaning the texts of some hundred would stall the loop.

    Five take a millisecond or two; several times that while a thread ranks, which gets its turn at each text.
    """
    if done % 5 == 0:
        await asyncio.sleep(0)


def moment(epoch_s: float) -> datetime | None:
    """The aware UTC time of that many seconds since 1970; None outside the calendar."""
    try:
        return datetime.fromtimestamp(epoch_s, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def is_moment(when: datetime) -> bool:
    """Whether a time that was sent is one: it has a zone, and lies within the calendar in UTC too."""
    try:
        return when.tzinfo is not None and bool(when.astimezone(UTC))
    except OverflowError:
        return False


def count(value: int | None) -> int | None:
    """A count as ``Engagement`` takes it: never below 0, unknown stays None, absurd ones are unknown."""
    if value is None or value >= 2**63:
        return None
    return max(0, value)


async def outcome(work: Awaitable[T]) -> T | SourceError:
    """What ``work`` gave, or the ``SourceError`` that it raised; everything else passes."""
    try:
        return await work
    except SourceError as error:
        return error


async def outcomes(works: Sequence[Awaitable[T]]) -> list[T | SourceError]:
    """All of ``works`` at once, in order; the failure of one harms no other, and cancellation cancels all."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(outcome(work)) for work in works]
    return [task.result() for task in tasks]


def divide(answers: Sequence[T | SourceError]) -> tuple[list[T], list[SourceError]]:
    """What arrived and what failed, each in order."""
    arrived = [answer for answer in answers if not isinstance(answer, SourceError)]
    return arrived, [answer for answer in answers if isinstance(answer, SourceError)]
