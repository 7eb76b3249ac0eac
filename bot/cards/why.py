"""Why an item is in an answer or a digest, or why it is not: the parts of its score in words, for whoever asks."""

from collections import Counter
from collections.abc import Iterator, Mapping

from agents.signal import LeftOut, Reason, ScoreParts, Signal
from bot.answer import Answer
from bot.cards import limits
from bot.cards.answer import headlines, status_line
from bot.cards.card import Card, Choice, Colour, Embed, Field, Select, SelectKind
from bot.cards.custom_ids import DigestControl
from bot.cards.limits import shorten
from bot.cards.story import also_on, bar, counted
from bot.cards.text import clean, domain, link, quoted

OF_ANSWER = "answer"
"""Stands in place of a digest's nonce."""
_VERDICTS = {
    Reason.OLDER: "it is older than the {timeframe}.",
    Reason.NSFW: "it is not safe for work; admins can allow that, in age-restricted channels only.",
    Reason.MUTED: "it has a word that this server has muted.",
    Reason.UNASKED: "the query's `-words`, “phrases” or `site:` leave it out.",
    Reason.WEAK: "it scores less than this server's least score.",
    Reason.CROWDED: "three stories of its author or its site come before it; others get the places after them.",
    Reason.YIELDED: "its place went to a source that would have had none.",
    Reason.CUT: "{limit} others come first.",
}
MOST_ITEMS = 25
"""As many as a menu holds; a digest has no more."""


def why_card(answer: Answer, index: int, nonce: str, titles: Mapping[str, str]) -> Card:
    """The item at ``index`` (out of range: the first), over a menu of all of them.

    ``nonce`` is the digest's, or ``OF_ANSWER`` for an answer that was no digest.
    """
    shown = answer.signals[:MOST_ITEMS]
    if not shown:
        return _why_nothing(answer, titles) if nonce != OF_ANSWER else _why_empty(answer, titles)
    index = index if 0 <= index < len(shown) else 0
    choices = tuple(
        Choice(_label(signal), str(number), _told(signal, titles), number == index)
        for number, signal in enumerate(shown)
    )
    menu = Select(str(DigestControl("item", nonce, answer.id)), SelectKind.TEXT, "Another item", choices)
    return Card(_embed(answer, index, titles, of_digest=nonce != OF_ANSWER), selects=(menu,))


def left_out_card(answer: Answer, left: LeftOut, titles: Mapping[str, str], *, discreet: bool = False) -> Card:
    """Why what a link leads to is not in an answer; ``discreet``: without any title."""
    budget = limits.Budget()
    title = budget.fit(("Why it is not there",), limits.TITLE)
    shown = "It" if discreet else f"**{link(shorten(left.title, 100), left.url, 600)}**\nIt"
    lines = [f"{shown} was found, but {_verdict(answer, left, discreet=discreet)}"]
    if left.score is not None and left.parts is not None:
        lines += [f"{bar(left.score)} **{left.score:.2f}** of 1, made of:", *_told_parts(answer, left.parts)]
    description = budget.fit(("\n".join(lines),), limits.DESCRIPTION)
    source = quoted(titles.get(left.source, left.source), 30)
    given = f"{source} · answered <t:{int(answer.created_at.timestamp())}:R>"
    name = budget.fit(("Asked for",), limits.FIELD_NAME)
    asked = budget.fit((f"{next(headlines(answer.question, titles))}\n{given}", given), limits.FIELD_VALUE)
    return Card(Embed(title, description, Colour.NOTICE, (Field(name, asked),)))


def not_seen_card(looked_at: int, url: str) -> Card:
    """None of the newest answers knows of what a link leads to."""
    if not looked_at:
        text = "There is no answer of the last seven days here to look at. Ask with `/signals` first."
    else:
        newest = "the last answer" if looked_at == 1 else f"the last {looked_at} answers"
        text = (
            f"No source gave {quoted(url, 200)} for {newest} here. Perhaps its source was not asked, it is older "
            "than what the source lists, or it has other words than the query. An answer remembers the 150 items "
            "that came nearest to being shown."
        )
    return Card(Embed("Not seen", text, Colour.NOTICE))


def _verdict(answer: Answer, left: LeftOut, *, discreet: bool) -> str:
    if left.reason is Reason.MERGED:
        other = "another item" if discreet else f"“{quoted(left.detail, 100)}”"
        return f"{other} tells the same story and scores higher."
    return _VERDICTS[left.reason].format(timeframe=answer.question.timeframe.label, limit=answer.question.limit)


def _why_empty(answer: Answer, titles: Mapping[str, str]) -> Card:
    budget = limits.Budget()
    title = budget.fit(("Why nothing is there",), limits.TITLE)
    counts = Counter(left.reason for left in answer.left_out)
    told = [f"- {count} {'item' if count == 1 else 'items'}: {reason}" for reason, count in counts.most_common()]
    states = [status_line(report, titles, 60) for report in answer.reports[:8]]
    found = "What the sources gave was left out:" if told else "The sources gave nothing for this question."
    text = "\n".join((found, *told, "", *states))
    return Card(Embed(title, budget.fit((text, found), limits.DESCRIPTION), Colour.NOTICE))


def _label(signal: Signal) -> str:
    """Without a number: in a digest that is grouped by source, items are numbered otherwise."""
    return shorten(clean(signal.title[:400]).strip("\u200c\u200d ") or "untitled", 100)


def _told(signal: Signal, titles: Mapping[str, str]) -> str:
    return shorten(f"{signal.score:.2f} · {clean(titles.get(signal.source, signal.source))}", 100)


def _embed(answer: Answer, index: int, titles: Mapping[str, str], *, of_digest: bool) -> Embed:
    signal = answer.signals[index]
    budget = limits.Budget()
    title = budget.fit(("Why this item",), limits.TITLE)
    head = f"**{link(shorten(signal.title, 160), signal.url, 600)}**"
    text = "\n".join(
        (head, f"{bar(signal.score)} **{signal.score:.2f}** of 1, made of:", *_told_parts(answer, signal.parts))
    )
    description = budget.fit((text,), limits.DESCRIPTION)
    name = budget.fit(("Where it comes from",), limits.FIELD_NAME)
    offers = ("\n".join(_origin(answer, signal, titles, places)) for places in (3, 1, 0))
    fields = (Field(name, budget.fit(offers, limits.FIELD_VALUE)),)
    rules = "Not shown by this digest in the last 30 days, and no muted word in it." if of_digest else _place(index)
    footer = budget.fit((f"Formula {signal.parts.formula}. {rules}",), limits.FOOTER)
    return Embed(title, description, Colour.PENDING, fields, footer)


def _place(index: int) -> str:
    return f"Place {index + 1}: an author or a site has at most three of the first places while others can fill them."


def _told_parts(answer: Answer, parts: ScoreParts) -> Iterator[str]:
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
