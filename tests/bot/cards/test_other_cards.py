"""Progress, notices and help: short, in words, within the limits."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.events import SourceReport, SourceRequest, SourceStatus
from agents.source import Option, SourceSpec
from bot.answer import Question
from bot.cards import notices
from bot.cards.card import Card
from bot.cards.custom_ids import AgainButton
from bot.cards.help import help_card
from bot.cards.progress import pending_card
from tests.bot import samples
from tests.bot.cards import nasty
from tests.bot.cards.discord_rules import active_markup, violations

ALL = Question(sources=tuple(SourceRequest(name=name) for name in ("reddit", "hackernews", "news", "twitter")))


def test_a_pending_answer_shows_each_source_as_it_is() -> None:
    reports = [
        SourceReport(source="news", status=SourceStatus.OK, count=31),
        SourceReport(source="reddit", status=SourceStatus.LIMITED, sentence="Reddit asks us to wait 40 seconds."),
    ]
    assert pending_card(ALL, reports, samples.TITLES).embed.description.split("\n") == [
        "⏳ **Reddit**: Reddit asks us to wait 40 seconds.",
        "🔎 **Hacker News**: looking …",
        "✅ **News**: 31 found",
        "🔎 **twitter**: looking …",
    ]


@settings(max_examples=100, deadline=None)
@given(nasty.questions, st.lists(nasty.reports, max_size=8))
def test_a_pending_answer_stays_within_the_limits(question: Question, reports: list[SourceReport]) -> None:
    assert violations(pending_card(question, reports, {}).payload()) == []


def every_notice(text: str) -> list[Card]:
    return [
        notices.busy(12.4),
        notices.cooldown(3.2, samples.NOON),
        notices.failed("4bf92f3577b34da6a3ce929d0e0e4736"),
        notices.failed(None),
        notices.unknown_command(),
        notices.unknown_button(),
        notices.foreign_button(),
        notices.expired("0" * 20),
        notices.expired(None),
        notices.not_available(text),
        notices.not_allowed(text),
        notices.invalid(text),
        notices.stopping(),
        notices.admins_only(None, in_server=False),
        notices.admins_only(5, in_server=True),
        notices.other_server(),
        notices.cannot_hold([text] * 60),
        notices.store_away(text),
        notices.perhaps_saved(text),
    ]


@settings(max_examples=30, deadline=None)
@given(nasty.texts)
def test_notices_are_within_the_limits(text: str) -> None:
    for card in every_notice(text):
        assert violations(card.payload()) == []


@given(nasty.texts)
def test_what_a_person_typed_comes_back_harmless(text: str) -> None:
    assert active_markup(notices.invalid(text).embed.description) == []


def test_notices_say_how_long_to_wait() -> None:
    assert notices.busy(12.4).embed.description.endswith("in about 13 seconds.")
    assert notices.busy(0.0).embed.description.endswith("in about 1 second.")
    assert notices.busy(600.0).embed.description.endswith("in about 10 minutes.")
    assert (
        notices.cooldown(3.2, samples.NOON).embed.description == "You can ask again in 4 seconds (<t:1785585600:R>)."
    )


def test_a_failure_names_the_first_digits_of_its_trace() -> None:
    assert "`4bf92f35`" in notices.failed("4bf92f3577b34da6a3ce929d0e0e4736").embed.description
    assert "reference" not in notices.failed(None).embed.description


def test_an_expired_answer_offers_to_ask_again_when_the_question_is_known() -> None:
    ((button,),) = notices.expired("0" * 20).rows
    assert button.custom_id == str(AgainButton("0" * 20))
    assert notices.expired(None).rows == ()


REDDIT = SourceSpec(
    name="reddit",
    title="Reddit",
    help="Posts of subreddits.",
    options=(Option("subreddit", "One or more, joined by +.", str, example="python+rust"),),
)


def test_help_names_every_command_with_an_example_and_what_is_off() -> None:
    card = help_card([REDDIT, SourceSpec("twitter", "X", "Posts on X.")], {"twitter": "Set X_BEARER_TOKEN."})
    first, second, *_ = card.embed.fields
    assert (first.name, first.value.split("\n")) == (
        "Reddit",
        [
            "Posts of subreddits.",
            "`subreddit` One or more, joined by +.",
            "For example `/signals reddit subreddit:python+rust`",
        ],
    )
    assert second.value == "Posts on X.\nFor example `/signals twitter`\n⚠️ off: Set X\\_BEARER\\_TOKEN."
    assert violations(card.payload()) == []


specs = st.builds(
    SourceSpec,
    name=st.text(max_size=32),
    title=nasty.texts,
    help=nasty.texts,
    options=st.lists(st.builds(Option, nasty.texts, nasty.texts, st.just(str), nasty.texts), max_size=3).map(tuple),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(specs, max_size=3), st.integers(1, 8), nasty.texts)
def test_help_stays_within_the_limits(declared: list[SourceSpec], times: int, off: str) -> None:
    card = help_card(declared * times, {spec.name: off for spec in declared})
    assert violations(card.payload()) == []
