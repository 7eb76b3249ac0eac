"""Trends: how much there is of what was asked for, by source, and the words that stand out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agents.events import SignalsResponse
from bot.answer import Question
from bot.cards import limits
from bot.cards.answer import headlines, status_fields
from bot.cards.card import Card, Colour, Embed, Field
from bot.cards.text import quoted

MOST_WORDS = 12


@dataclass(frozen=True, slots=True)
class Word:
    """A word that more titles have than before."""

    word: str
    titles: int
    before: int


def trends_card(
    question: Question,
    response: SignalsResponse,
    words: Sequence[Word] | None,
    before: str,
    titles: Mapping[str, str],
) -> Card:
    """Over the chart of the response; ``before`` names what the words are compared with, None: there is no such."""
    budget = limits.Budget()
    title = budget.fit((line.replace("Signals", "Trends", 1) for line in headlines(question, titles)), limits.TITLE)
    description = budget.fit(_counts(response, titles), limits.DESCRIPTION)
    name = budget.fit((f"Words that stand out against {before}",), limits.FIELD_NAME)
    value = budget.fit(_words(words), limits.FIELD_VALUE)
    fields = (Field(name, value), *status_fields(response.reports, titles, budget))
    colour = Colour.ANSWERED if response.signals else Colour.NONE
    return Card(Embed(title, description, colour, fields))


def _counts(response: SignalsResponse, titles: Mapping[str, str]) -> Iterator[str]:
    signals = response.signals
    if response.error is not None or not any(report.status.answered for report in response.reports):
        yield quoted(response.error or "", 400) or "No source could answer just now. Ask again in a minute."
        return
    if not signals:
        yield "Nothing was found in this time. Try a longer timeframe or other words."
        return
    counts = Counter(signal.source for signal in signals).most_common()
    lines = [f"{quoted(titles.get(source, source), 30)}: **{count}**" for source, count in counts]
    yield f"{len(signals)} {'story' if len(signals) == 1 else 'stories'}\n" + " · ".join(lines)


def _words(words: Sequence[Word] | None) -> Iterator[str]:
    if words is None:
        yield "The sources gave nothing from before to compare with."
        return
    for most in (MOST_WORDS, 6, 3):
        yield "\n".join(map(_word, words[:most])) or "None: the titles are about what they were about before."


def _word(word: Word) -> str:
    before = f"{word.before} before" if word.before else "none before"
    return f"**{quoted(word.word, 40)}** in {word.titles} titles, {before}"
