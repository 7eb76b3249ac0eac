"""Answers are drawn honestly, and always within what Discord takes."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.events import SourceReport, SourceRequest, SourceStatus
from agents.signal import Engagement, ScoreParts, Signal, Timeframe
from bot.answer import Answer, Question
from bot.cards.answer import AnswerCards, answer_embed, pages
from bot.cards.card import Colour
from bot.cards.custom_ids import AgainButton, PageButton, parse
from bot.cards.story import compact
from bot.cards.text import encode
from tests.bot import samples
from tests.bot.cards import nasty
from tests.bot.cards.discord_rules import MASKED_LINK, active_markup, violations

OWNER = 2**64 - 1
FIRST_STORY = """\
**1.** [\\(D\\) Is \\*mypy\\* fast enough? \\(2026\\)](https://www.example.com/stories/1)
-# ▰▰▰▰▰ 0.93 · 312 points · 45 comments · r/python · example.com · <t:1785582000:R>
What it is about, in a sentence.
-# also on [Hacker News](https://news.ycombinator.com/item?id=1) (99 points)"""
SECOND_STORY = """\
**2.** [Story number 2](https://www.example.com/stories/2)
-# ▰▰▱▱▱ 0.41 · r/python · example.com · <t:1785578400:R>"""
STATES = """\
🕓 **Reddit**: Without REDDIT\\_CLIENT\\_ID there are no votes. (fetched <t:1785585360:R>)
⌛ **News**: did not answer in time"""


def cards() -> AnswerCards:
    return AnswerCards(samples.TITLES)


def report(source: str, status: SourceStatus, sentence: str = "", **changes: object) -> SourceReport:
    return SourceReport.model_validate({"source": source, "status": status, "sentence": sentence, **changes})


def test_an_answer_reads_like_this() -> None:
    fetched = samples.NOON - timedelta(minutes=4)
    given_answer = samples.answer(
        question=Question(
            sources=(SourceRequest(name="reddit"), SourceRequest(name="hackernews"), SourceRequest(name="news")),
            query="type_checkers",
        ),
        signals=(
            samples.signal(1, title="[D] Is *mypy* fast enough? (2026)", score=0.93),
            samples.signal(2, engagement=Engagement(), excerpt=None, also_in=(), score=0.41),
            *(samples.signal(number) for number in range(3, 9)),
        ),
        reports=(
            report("reddit", SourceStatus.CACHED, "Without REDDIT_CLIENT_ID there are no votes.", fetched_at=fetched),
            report("hackernews", SourceStatus.OK, count=12),
            report("news", SourceStatus.TIMED_OUT),
        ),
    )
    embed = answer_embed(given_answer, 0, samples.TITLES)
    assert embed.title == "Signals · Reddit, Hacker News, News · “type\\_checkers” · last 24 hours"
    assert embed.description.split("\n\n")[:2] == [FIRST_STORY, SECOND_STORY]
    assert [(field.name, field.value) for field in embed.fields] == [("How the sources did", STATES)]
    assert embed.footer == "Page 1/2 · 40 stories found, best 8 shown · score: votes, freshness, match (formula 1)"
    assert embed.colour is Colour.PARTLY


@settings(max_examples=60, deadline=None)
@given(nasty.answers(), st.integers(-5, 30))
def test_whatever_is_in_an_answer_it_stays_within_every_limit(given_answer: Answer, page: int) -> None:
    card = cards().card(given_answer, page, OWNER)
    assert violations(card.payload()) == []
    assert card.embed.description


@settings(max_examples=60, deadline=None)
@given(st.lists(nasty.signals, min_size=1, max_size=5))
def test_a_page_links_only_to_its_stories_and_formats_only_by_itself(found: list[Signal]) -> None:
    embed = answer_embed(samples.answer(signals=tuple(found)), 0, samples.TITLES)
    allowed = {encode(url) for one in found for url in (one.url, *(place.url for place in one.also_in))}
    assert {match[2] for match in MASKED_LINK.finditer(embed.description)} <= allowed
    stories = embed.description.split("\n\n")
    assert len(stories) == len(found)
    for number, story in enumerate(stories, 1):
        first, second, *rest = story.split("\n")
        assert first.startswith(f"**{number}.** ")
        assert second.startswith("-# ")
        facts, _, age = second.rpartition(" · ")
        assert age.startswith("<t:")
        texts = [first.removeprefix(f"**{number}.** "), facts, *(line.removeprefix("-# also on ") for line in rest)]
        for text in texts:
            assert active_markup(MASKED_LINK.sub(r"\1", text).removeprefix("-# ")) == []


def test_long_stories_give_up_excerpts_then_places_then_length_of_titles() -> None:
    def described(title: str) -> str:
        found = tuple(samples.signal(number, title=title, excerpt="word " * 100) for number in range(5))
        return answer_embed(samples.answer(signals=found), 0, {}).description

    short, long, longest = described("short"), described("*" * 160), described("@" * 500)
    assert "word" in short
    assert "also on" in short
    assert "word" in long or "also on" in long
    assert len(longest) <= 4096
    found = tuple(
        samples.signal(number, title="*" * 160, url=f"https://x.example/{'a' * 500}") for number in range(5)
    )
    tight = answer_embed(samples.answer(signals=found), 0, {}).description
    assert "What it is about" not in tight
    assert tight.count("\\*") < 5 * 160


def test_unknown_votes_are_not_shown_as_none_or_zero() -> None:
    unknown = answer_embed(samples.answer(signals=(samples.signal(engagement=Engagement()),)), 0, {}).description
    assert "point" not in unknown.split("\n")[1]
    zero = answer_embed(samples.answer(signals=(samples.signal(engagement=Engagement(points=0)),)), 0, {}).description
    assert "0 points" in zero
    assert "comment" not in zero


@pytest.mark.parametrize(
    ("statuses", "found", "colour"),
    [
        ((SourceStatus.OK, SourceStatus.CACHED, SourceStatus.EMPTY), 3, Colour.ANSWERED),
        ((SourceStatus.OK, SourceStatus.FAILED), 3, Colour.PARTLY),
        ((SourceStatus.OK, SourceStatus.STALE), 3, Colour.PARTLY),
        ((SourceStatus.EMPTY,), 0, Colour.ANSWERED),
        ((SourceStatus.FAILED, SourceStatus.TIMED_OUT), 0, Colour.NONE),
        ((), 0, Colour.NONE),
    ],
)
def test_the_colour_tells_the_outcome(statuses: tuple[SourceStatus, ...], found: int, colour: Colour) -> None:
    reports = tuple(report(f"source{number}", status) for number, status in enumerate(statuses))
    assert answer_embed(samples.answer(found, reports=reports), 0, {}).colour is colour


def test_every_source_that_did_not_answer_fully_is_named() -> None:
    reports = tuple(report(status.name.lower(), status) for status in SourceStatus)
    value = answer_embed(samples.answer(1, reports=reports), 0, {}).fields[0].value
    names = [shown for shown in SourceStatus if f"**{shown.name.lower()}**".replace("_", "\\_") in value]
    assert names == [status for status in SourceStatus if status is not SourceStatus.OK]


def test_an_empty_answer_says_what_to_try() -> None:
    empty = (report("reddit", SourceStatus.EMPTY),)
    asked = Question(sources=(SourceRequest(name="reddit"),), query="qwertz", timeframe=Timeframe.HOUR)
    text = answer_embed(samples.answer(0, question=asked, reports=empty, found=0), 0, {}).description
    assert text == (
        "Nothing found in the last hour. Try a longer timeframe, or fewer or other words, "
        "or another source, or `/signals all`."
    )
    month = asked.model_copy(update={"timeframe": Timeframe.MONTH, "query": None})
    assert "longer" not in answer_embed(samples.answer(0, question=month, reports=empty), 0, {}).description


def test_where_no_source_answered_nothing_is_advised_but_what_they_say() -> None:
    failed = (report("github", SourceStatus.FAILED, "Say whose releases: name a repo."),)
    embed = answer_embed(samples.answer(0, reports=failed), 0, {})
    assert embed.description == "No source could answer. What each of them says is below."
    assert "Say whose releases" in embed.fields[0].value


def test_an_answer_that_could_not_be_given_says_why() -> None:
    embed = answer_embed(samples.answer(0, reports=(), error="The queue is full @everyone"), 0, {})
    assert embed.description == "The queue is full @\u200beveryone"
    assert embed.colour is Colour.NONE


@pytest.mark.parametrize(("count", "expected"), [(0, 1), (1, 1), (5, 1), (6, 2), (25, 5)])
def test_five_stories_stand_on_a_page(count: int, expected: int) -> None:
    assert pages(samples.answer(count)) == expected


def test_pages_cover_all_stories_once_and_the_ends_have_no_further_button() -> None:
    given_answer = samples.answer(12)
    numbers: list[str] = []
    for page in range(3):
        card = cards().card(given_answer, page, OWNER)
        numbers += [story.split(".")[0] for story in card.embed.description.split("\n\n")]
        back, forth, again = card.rows[0]
        assert (back.disabled, forth.disabled) == (page == 0, page == 2)
        assert parse(back.custom_id or "") == PageButton(given_answer.id, max(page - 1, 0), OWNER)
        assert parse(forth.custom_id or "") == PageButton(given_answer.id, min(page + 1, 2), OWNER)
        assert parse(again.custom_id or "") == AgainButton(given_answer.id)
    assert numbers == [f"**{number}" for number in range(1, 13)]
    assert cards().card(given_answer, 99, OWNER) == cards().card(given_answer, 2, OWNER)


def test_one_page_has_only_the_button_to_ask_again() -> None:
    assert [button.label for button in cards().card(samples.answer(3), 0, OWNER).rows[0]] == ["Ask again"]


def test_equal_answers_are_drawn_once_and_their_buttons_belong_to_each_asker() -> None:
    kept = cards()
    first, second = kept.card(samples.answer(), 0, 1), kept.card(samples.answer(), 0, 2)
    assert first.embed is second.embed
    assert first.rows != second.rows


def test_the_formula_that_scored_is_named() -> None:
    found = (samples.signal(parts=ScoreParts(formula=3)),)
    assert answer_embed(samples.answer(signals=found), 0, {}).footer.endswith("(formula 3)")


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0"), (999, "999"), (1000, "1.0k"), (9949, "9.9k"), (9950, "10k"), (999_499, "999k"), (999_500, "1.0M"),
        (5_600_000, "5.6M"), (2 * 10**9, "2.0B"), (10**30, "999B"), (-5, "0"),
    ],
)  # fmt: skip
def test_counts_are_short(count: int, expected: str) -> None:
    assert compact(count) == expected
