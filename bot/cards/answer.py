"""An answer, drawn: five stories a page, how every source went, and buttons."""

from collections.abc import Iterator, Mapping
from math import ceil

from agents.events import SourceReport, SourceStatus
from agents.signal import Signal, Timeframe
from bot.answer import Answer, Question
from bot.cards import limits
from bot.cards.card import Button, ButtonStyle, Card, Colour, Embed, Field
from bot.cards.custom_ids import AgainButton, PageButton
from bot.cards.story import DETAILS, story
from bot.cards.text import quoted
from bot.recent import Recent

PER_PAGE = 5
"""Stories on a page."""
MOST_PAGES = 20
_NAMED_SOURCES = 3

_MARKS = {
    SourceStatus.OK: "✅",
    SourceStatus.EMPTY: "⚪",
    SourceStatus.CACHED: "🕓",
    SourceStatus.STALE: "🕓",
    SourceStatus.LIMITED: "⏳",
    SourceStatus.FAILED: "⚠️",
    SourceStatus.TIMED_OUT: "⌛",
}
_WORDS = {
    SourceStatus.OK: "answered",
    SourceStatus.EMPTY: "had nothing in this time",
    SourceStatus.CACHED: "from a moment ago",
    SourceStatus.STALE: "could not be reached now; what you see is older",
    SourceStatus.LIMITED: "asks us to wait",
    SourceStatus.FAILED: "could not answer",
    SourceStatus.TIMED_OUT: "did not answer in time",
}
_NO_SOURCE = "No source could answer just now. Ask again in a minute."
_NONE_OF_THEM = "No source could answer. What each of them says is below."
_STATUS_LENGTHS = (200, 90, 30)


def pages(answer: Answer) -> int:
    """How many pages the answer has; at least one."""
    return max(1, min(MOST_PAGES, ceil(len(answer.signals) / PER_PAGE)))


class AnswerCards:
    """Draws answers, and keeps the ``kept`` embeds drawn last: equal answers have equal ids, so most are there.

    Drawing takes 0.13 ms, mostly for escaping; the buttons, which depend on the person, a hundredth of that.
    """

    def __init__(self, titles: Mapping[str, str], *, kept: int = 512) -> None:
        self._titles = titles
        self._embeds: Recent[tuple[str, int], Embed] = Recent(kept)

    def card(self, answer: Answer, page: int, owner_id: int) -> Card:
        """Page ``page`` (from 0; out of range: the nearest), for the user who may turn the pages."""
        last = pages(answer) - 1
        page = min(max(page, 0), last)
        embed = self._embeds.get((answer.id, page))
        if embed is None:
            embed = answer_embed(answer, page, self._titles)
            self._embeds.put((answer.id, page), embed)
        return Card(embed, (_buttons(answer.id, page, last, owner_id),))


def answer_embed(answer: Answer, page: int, titles: Mapping[str, str]) -> Embed:
    """One page without buttons; depends on nothing that the answer's id does not cover.

    ``titles`` are the sources' names as written (``Hacker News``), by name.
    """
    budget = limits.Budget()
    first = page * PER_PAGE
    shown = answer.signals[first : first + PER_PAGE]
    title = budget.fit(headlines(answer.question, titles), limits.TITLE)
    footer = budget.fit((_footer(answer, page),), limits.FOOTER)
    body = _stories(shown, first + 1, titles) if shown else iter((_nothing(answer),))
    description = budget.fit(body, limits.DESCRIPTION)
    return Embed(title, description, _colour(answer), status_fields(answer.reports, titles, budget), footer)


def headlines(question: Question, titles: Mapping[str, str]) -> Iterator[str]:
    """What was asked, as an embed's title; longest first."""
    names = [titles.get(source.name, source.name) for source in question.sources]
    where = ", ".join(names) if len(names) <= _NAMED_SOURCES else f"{len(names)} sources"
    for length in (100, 30):
        asked = f" · “{quoted(question.query, length)}”" if question.query else ""
        yield f"Signals · {quoted(where, length)}{asked} · {question.timeframe.label}"


def status_line(report: SourceReport, titles: Mapping[str, str], longest: int) -> str:
    """How one source went, in words; ``longest`` is for its sentence, before escaping."""
    words = quoted(report.sentence, longest) or _WORDS[report.status]
    fetched = ""
    if report.fetched_at is not None and report.status in {SourceStatus.CACHED, SourceStatus.STALE}:
        fetched = f" (fetched <t:{int(report.fetched_at.timestamp())}:R>)"
    name = quoted(titles.get(report.source, report.source), 30)
    return f"{_MARKS[report.status]} **{name}**: {words}{fetched}"


def status_fields(
    reports: tuple[SourceReport, ...], titles: Mapping[str, str], budget: limits.Budget
) -> tuple[Field, ...]:
    """How those sources went that did not simply answer; no field when all did."""
    telling = [report for report in reports if report.status is not SourceStatus.OK or report.sentence]
    if not telling:
        return ()
    name = budget.fit(("How the sources did",), limits.FIELD_NAME)
    value = budget.fit(_status_values(telling, titles), limits.FIELD_VALUE)
    return (Field(name, value),)


def _status_values(reports: list[SourceReport], titles: Mapping[str, str]) -> Iterator[str]:
    for longest in _STATUS_LENGTHS:
        yield "\n".join(status_line(report, titles, longest) for report in reports)
    shortest = [status_line(report, titles, _STATUS_LENGTHS[-1]) for report in reports[:5]]
    yield "\n".join([*shortest, f"… and {len(reports) - len(shortest)} more sources"])


def _stories(signals: tuple[Signal, ...], first: int, titles: Mapping[str, str]) -> Iterator[str]:
    for detail in DETAILS:
        yield "\n\n".join(story(number, signal, detail, titles) for number, signal in enumerate(signals, first))


def _nothing(answer: Answer) -> str:
    if answer.error is not None:
        return quoted(answer.error, 400) or _NO_SOURCE
    if not any(report.status.answered for report in answer.reports):
        return _NONE_OF_THEM if answer.reports else _NO_SOURCE
    question = answer.question
    tips = []
    if question.timeframe is not Timeframe.MONTH:
        tips.append("a longer timeframe")
    if question.query:
        tips.append("fewer or other words")
    tips.append("another source, or `/signals all`")
    return f"Nothing found in the {question.timeframe.label}. Try {', or '.join(tips)}."


def _footer(answer: Answer, page: int) -> str:
    total = len(answer.signals)
    if not total:
        return ""
    found = max(min(answer.found, 999_999), total)
    stories = f"{found:,} {'story' if found == 1 else 'stories'} found"
    if found > total:
        stories += f", best {total} shown"
    formula = answer.signals[0].parts.formula
    return f"Page {page + 1}/{pages(answer)} · {stories} · score: votes, freshness, match (formula {formula})"


def _colour(answer: Answer) -> Colour:
    answered = [report.status.answered and report.status is not SourceStatus.STALE for report in answer.reports]
    if answer.error is not None or (not answer.signals and not any(answered)):
        return Colour.NONE
    return Colour.ANSWERED if all(answered) else Colour.PARTLY


def _buttons(answer_id: str, page: int, last: int, owner_id: int) -> tuple[Button, ...]:
    again = Button("Ask again", str(AgainButton(answer_id)), emoji="🔄")
    if last == 0:
        return (again,)
    back = PageButton(answer_id, max(page - 1, 0), owner_id)
    forth = PageButton(answer_id, min(page + 1, last), owner_id)
    return (
        Button("Previous", str(back), emoji="◀️", disabled=page == 0),
        Button("Next", str(forth), emoji="▶️", style=ButtonStyle.PRIMARY, disabled=page == last),
        again,
    )
