"""A pending answer: which sources are done, which still run."""

from collections.abc import Iterator, Mapping, Sequence

from agents.events import SourceReport, SourceStatus
from bot.answer import Question
from bot.cards import limits
from bot.cards.answer import headlines, status_line
from bot.cards.card import Card, Colour, Embed
from bot.cards.story import compact
from bot.cards.text import quoted

_FOUND = {SourceStatus.OK, SourceStatus.CACHED}


def pending_card(question: Question, reports: Sequence[SourceReport], titles: Mapping[str, str]) -> Card:
    """The question with one line per source, in the order asked; ``reports`` are those that came so far."""
    budget = limits.Budget()
    title = budget.fit(headlines(question, titles), limits.TITLE)
    done = {report.source: report for report in reports}
    names = list(dict.fromkeys(source.name for source in question.sources))
    return Card(Embed(title, budget.fit(_lines(names, done, titles), limits.DESCRIPTION), Colour.PENDING))


def _lines(names: list[str], done: Mapping[str, SourceReport], titles: Mapping[str, str]) -> Iterator[str]:
    for longest in (200, 60):
        yield "\n".join(_line(name, done.get(name), titles, longest) for name in names)
    yield f"{len(done)} of {len(names)} sources have answered …"


def _line(name: str, report: SourceReport | None, titles: Mapping[str, str], longest: int) -> str:
    if report is None:
        return f"🔎 **{quoted(titles.get(name, name), 30)}**: looking …"
    if report.status in _FOUND:
        return f"✅ **{quoted(titles.get(name, name), 30)}**: {compact(report.count)} found"
    return status_line(report, titles, longest)
