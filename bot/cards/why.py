"""Why an item is in a digest, or why there is none: the parts of its score in words, for whoever asks."""

from collections.abc import Iterator, Mapping

from agents.signal import Signal
from bot.answer import Answer
from bot.cards import limits
from bot.cards.answer import status_line
from bot.cards.card import Card, Choice, Colour, Embed, Field, Select, SelectKind
from bot.cards.custom_ids import DigestControl
from bot.cards.limits import shorten
from bot.cards.story import also_on, bar, counted
from bot.cards.text import clean, domain, link, quoted

MOST_ITEMS = 25
"""As many as a menu holds; a digest has no more."""


def why_card(answer: Answer, index: int, nonce: str, titles: Mapping[str, str]) -> Card:
    """The item at ``index`` (out of range: the first), over a menu of all of them."""
    shown = answer.signals[:MOST_ITEMS]
    if not shown:
        return _why_nothing(answer, titles)
    index = index if 0 <= index < len(shown) else 0
    choices = tuple(
        Choice(_label(signal), str(number), _told(signal, titles), number == index)
        for number, signal in enumerate(shown)
    )
    menu = Select(str(DigestControl("item", nonce, answer.id)), SelectKind.TEXT, "Another item", choices)
    return Card(_embed(answer, shown[index], titles), selects=(menu,))


def _label(signal: Signal) -> str:
    """Without a number: in a digest that is grouped by source, items are numbered otherwise."""
    return shorten(clean(signal.title[:400]).strip("\u200c\u200d ") or "untitled", 100)


def _told(signal: Signal, titles: Mapping[str, str]) -> str:
    return shorten(f"{signal.score:.2f} · {clean(titles.get(signal.source, signal.source))}", 100)


def _embed(answer: Answer, signal: Signal, titles: Mapping[str, str]) -> Embed:
    budget = limits.Budget()
    title = budget.fit(("Why this item",), limits.TITLE)
    head = f"**{link(shorten(signal.title, 160), signal.url, 600)}**"
    text = "\n".join((head, f"{bar(signal.score)} **{signal.score:.2f}** of 1, made of:", *_parts(answer, signal)))
    description = budget.fit((text,), limits.DESCRIPTION)
    name = budget.fit(("Where it comes from",), limits.FIELD_NAME)
    offers = ("\n".join(_origin(answer, signal, titles, places)) for places in (3, 1, 0))
    fields = (Field(name, budget.fit(offers, limits.FIELD_VALUE)),)
    rules = "Not shown by this digest in the last 30 days, and no muted word in it."
    footer = budget.fit((f"Formula {signal.parts.formula}. {rules}",), limits.FOOTER)
    return Embed(title, description, Colour.PENDING, fields, footer)


def _parts(answer: Answer, signal: Signal) -> Iterator[str]:
    parts = signal.parts
    if parts.engagement is None:
        yield "- votes: unknown, so they count as average"
    else:
        yield f"- votes {bar(parts.engagement)} {parts.engagement:.2f}: how many of its source it beats"
    if parts.recency is not None:
        yield f"- freshness {bar(parts.recency)} {parts.recency:.2f}: 1 is just now"
    if answer.question.query and parts.relevance is not None:
        asked = quoted(answer.question.query, 60)
        yield f"- match {bar(parts.relevance)} {parts.relevance:.2f}: how well it fits “{asked}”"
    if parts.corroboration:
        yield f"- told elsewhere {bar(parts.corroboration)} {parts.corroboration:.2f}: by how many other sources"
    if parts.raised:
        yield "- lifted, since it has a word that this server wants more of"


def _origin(answer: Answer, signal: Signal, titles: Mapping[str, str], places: int) -> Iterator[str]:
    source = quoted(titles.get(signal.source, signal.source), 30)
    place = f", {quoted(signal.origin, 40)}" if signal.origin else ""
    by = f", by {quoted(signal.author, 30)}" if signal.author else ""
    yield f"{source}{place}{by}: {quoted(domain(signal.url), 60) or 'no address'}"
    yield f"published <t:{int(signal.timestamp.timestamp())}:f>, found <t:{int(answer.created_at.timestamp())}:f>"
    votes = signal.engagement
    known = ((votes.points, "point"), (votes.comments, "comment"), (votes.shares, "share"), (votes.views, "view"))
    told = [counted(count, word) for count, word in known if count is not None]
    yield ", ".join(told) if told else "the source tells no votes"
    if signal.also_in and places:
        yield f"also on {also_on(signal.also_in, places, titles)}"


def _why_nothing(answer: Answer, titles: Mapping[str, str]) -> Card:
    budget = limits.Budget()
    title = budget.fit(("Why nothing is new",), limits.TITLE)
    text = (
        "Everything that the sources had was shown by this digest before, scores less than its least score, or has a "
        "muted word. What scores more later is included then."
    )
    states = "\n".join(status_line(report, titles, 60) for report in answer.reports[:8])
    return Card(Embed(title, budget.fit((f"{text}\n\n{states}".strip(), text), limits.DESCRIPTION), Colour.NOTICE))
