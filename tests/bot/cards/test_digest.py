"""Digests hold what is new, in as few messages as can be, each within what Discord takes."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.events import SourceReport, SourceStatus
from agents.signal import Engagement, Signal
from bot.cards.digest import CHART_NAME, LONGEST_ALT, Digest, parts, smaller
from bot.cards.story import DETAILS, story
from bot.subscription import Grouping, Plan
from tests.bot import samples
from tests.bot.cards import nasty
from tests.bot.cards.discord_rules import violations

ROLE = 333444555666777888
OK = (SourceReport(source="reddit", status=SourceStatus.OK, count=40),)


def nonce_of(number: int) -> str:
    return f"{number:024x}"


def digest(count: int = 5, /, **changes: Any) -> Digest:
    """A digest of ``count`` stories; what ``Digest`` does not have is the plan's."""
    own = {name: changes.pop(name) for name in Digest.__slots__ if name in changes}
    given_values: dict[str, Any] = {
        "subscription": samples.subscription(**changes),
        "signals": tuple(samples.signal(number) for number in range(1, count + 1)),
        "left": 0,
        "reports": OK,
        "titles": samples.TITLES,
        "answer_id": "0123456789abcdef0123",
        "since": samples.NOON - timedelta(days=1),
        "until": samples.NOON,
        **own,
    }
    return Digest(**given_values)


def message_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The message within a forum's post, or the message."""
    message: dict[str, Any] = body.get("message", body)
    return message


def broken(body: Mapping[str, Any], role_id: int | None) -> list[str]:
    """Limits that a body breaks; the plan's role is the one that it may mention."""
    message = message_of(body)
    mentions = message["allowed_mentions"]
    if message.get("content"):
        assert message["content"] == f"<@&{role_id}>"
        assert mentions == {"parse": [], "roles": [str(role_id)]}
        message = {**message, "allowed_mentions": {"parse": []}}
    found = violations(message)
    if "message" in body and not 1 <= len(body["name"].strip()) <= 100:
        found.append("name of the post")
    found += ["alt text"] * sum(not 1 <= len(one["description"]) <= 1024 for one in message.get("attachments", ()))
    return found


def ids(body: Mapping[str, Any]) -> list[str]:
    return [one["custom_id"] for row in message_of(body)["components"] for one in row["components"]]


def text(body: Mapping[str, Any]) -> str:
    (embed,) = message_of(body)["embeds"]
    fields = "\n".join(f"{field['name']}\n{field['value']}" for field in embed.get("fields", ()))
    return f"{embed['title']}\n{embed.get('description', '')}\n{fields}\n{embed.get('footer', {}).get('text', '')}"


def test_a_digest_reads_like_this() -> None:
    signals = (
        samples.signal(1, title="[D] Is *mypy* fast enough?", score=0.93),
        samples.signal(2, source="hackernews", origin=None, title="A new parser", score=0.71, also_in=()),
        samples.signal(3, score=0.5, engagement=Engagement(points=1), excerpt=None, also_in=()),
    )
    reports = (*OK, SourceReport(source="news", status=SourceStatus.TIMED_OUT))
    (one,) = parts(digest(signals=signals, left=4, reports=reports), nonce_of)
    (embed,) = one.body["embeds"]
    assert embed["title"] == "Morning paper"
    assert embed["description"] == (
        "-# 7 new · <t:1785499200:f> to <t:1785585600:f>\n"
        "-# The best 3 are here; 4 roll over into the next digest.\n\n"
        "### Reddit\n"
        "**1.** [\\(D\\) Is \\*mypy\\* fast enough?](https://www.example.com/stories/1)\n"
        "-# ▰▰▰▰▰ 0.93 · 312 points · 45 comments · r/python · example.com · <t:1785582000:R>\n"
        "What it is about, in a sentence.\n"
        "-# also on [Hacker News](https://news.ycombinator.com/item?id=1) (99 points)\n\n"
        "**2.** [Story number 3](https://www.example.com/stories/3)\n"
        "-# ▰▰▱▱▱ 0.50 · 1 point · r/python · example.com · <t:1785574800:R>\n\n"
        "### Hacker News\n"
        "**3.** [A new parser](https://www.example.com/stories/2)\n"
        "-# ▰▰▰▰▱ 0.71 · 312 points · 45 comments · Hacker News · example.com · <t:1785578400:R>\n"
        "What it is about, in a sentence."
    )
    assert embed["fields"][0]["value"] == "⌛ **News**: did not answer in time"
    assert embed["footer"]["text"] == "score: votes, freshness, match (formula 1)"
    labels = [button["label"] for button in one.body["components"][0]["components"]]
    assert labels == ["Why these?", "4 more", "Mute a word"]


def test_the_button_for_more_promises_what_it_can_show() -> None:
    for left, label in ((40, "40 more"), (970, "47 more")):
        (one,) = parts(digest(signals=[samples.signal(number) for number in range(3)], left=left), nonce_of)
        assert one.body["components"][0]["components"][1]["label"] == label
        assert f"{left} roll over" in text(one.body)


def test_stories_stand_in_order_of_their_score_when_grouped_by_story() -> None:
    signals = (samples.signal(1), samples.signal(2, source="news", origin=None), samples.signal(3))
    (one,) = parts(digest(signals=signals, grouping=Grouping.STORY), nonce_of)
    assert "###" not in text(one.body)
    assert one.shown == signals


def test_by_story_places_are_named_longer_than_long_titles_are_kept() -> None:
    signals = tuple(samples.signal(number, title="long " * 32) for number in range(11))
    (by_source,) = parts(digest(signals=signals), nonce_of)
    (by_story,) = parts(digest(signals=signals, grouping=Grouping.STORY), nonce_of)
    assert text(by_story.body).count("also on [Hacker News]") == 11
    assert "also on" not in text(by_source.body)


def test_one_source_needs_no_heading() -> None:
    (one,) = parts(digest(3), nonce_of)
    assert "###" not in text(one.body)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(nasty.signals, max_size=5),
    st.integers(1, 5),
    st.integers(0, 10**6),
    st.lists(nasty.reports, max_size=4),
    st.text(min_size=1, max_size=60),
    st.booleans(),
    st.booleans(),
    st.text(max_size=2000),
    st.sampled_from(Grouping),
)
def test_whatever_is_in_a_digest_each_message_stays_within_every_limit(
    distinct: list[Signal],
    times: int,
    left: int,
    reports: list[SourceReport],
    name: str,
    forum: bool,
    mention: bool,
    chart: str,
    grouping: Grouping,
) -> None:
    role_id = ROLE if mention else None
    signals = tuple(distinct * times)
    drawn = parts(
        digest(
            signals=signals, left=left, reports=tuple(reports), forum=forum, chart_alt=chart, name=name,
            role_id=role_id, grouping=grouping, when_empty=True, tag_id=5,
        ),
        nonce_of,
    )  # fmt: skip
    assert drawn
    shown = [signal for part in drawn for signal in part.shown]
    assert len(drawn) == 1 if forum else len(shown) == len(signals)
    assert all(signal in signals for signal in shown)
    for number, part in enumerate(drawn):
        assert broken(part.body, role_id) == []
        assert any(nonce_of(number) in custom_id for custom_id in ids(part.body))
        rebuilt = smaller(json.dumps(part.body))
        if rebuilt is not None:
            assert broken(json.loads(rebuilt), role_id) == []
            assert any(nonce_of(number) in custom_id for custom_id in ids(json.loads(rebuilt)))
            assert smaller(rebuilt) is None


@settings(deadline=None)
@given(nasty.signals, st.integers(1, 25))
def test_a_story_in_its_shortest_form_has_an_upper_bound(signal: Signal, number: int) -> None:
    assert len(story(number, signal, DETAILS[-1], samples.TITLES)) <= 700


def test_many_long_stories_take_as_few_messages_as_they_can_and_each_is_shown_once() -> None:
    signals = tuple(samples.signal(number, title=f"{number} {'long ' * 30}") for number in range(25))
    drawn = parts(digest(signals=signals, name="News"), nonce_of)
    assert len(drawn) == 2
    assert [signal for part in drawn for signal in part.shown] == list(signals)
    assert [part.body["embeds"][0]["title"] for part in drawn] == ["News · 1/2", "News · 2/2"]
    assert "**25.**" in text(drawn[1].body)


def test_a_heading_is_repeated_where_a_message_begins_in_the_middle_of_its_group() -> None:
    signals = (
        *(samples.signal(number, title="*" * 160) for number in range(24)),
        samples.signal(24, source="news", origin=None),
    )
    first, second, *_ = parts(digest(signals=signals), nonce_of)
    assert "### Reddit" in text(first.body)
    assert message_of(second.body)["embeds"][0]["description"].startswith("### Reddit\n")


def test_the_role_is_mentioned_once_and_nobody_else_ever_is() -> None:
    signals = tuple(samples.signal(number, title="*" * 160) for number in range(25))
    first, *others = parts(digest(signals=signals, role_id=ROLE), nonce_of)
    assert first.body["content"] == f"<@&{ROLE}>"
    assert first.body["allowed_mentions"] == {"parse": [], "roles": [str(ROLE)]}
    assert others
    for other in others:
        assert "content" not in other.body
        assert other.body["allowed_mentions"] == {"parse": []}


def test_a_chart_is_the_first_messages_picture_with_its_words() -> None:
    signals = tuple(samples.signal(number, title="*" * 160) for number in range(25))
    first, *others = parts(digest(signals=signals, chart_alt="12 items"), nonce_of)
    assert first.body["embeds"][0]["image"] == {"url": f"attachment://{CHART_NAME}"}
    assert first.body["attachments"] == [{"id": 0, "filename": CHART_NAME, "description": "12 items"}]
    assert all("attachments" not in other.body and "image" not in other.body["embeds"][0] for other in others)
    (long,) = parts(digest(1, chart_alt="x" * 3000), nonce_of)
    assert len(long.body["attachments"][0]["description"]) == LONGEST_ALT


def test_a_forum_gets_one_post_named_by_the_local_day_and_what_has_no_room_is_left() -> None:
    signals = tuple(samples.signal(number, title="*" * 160, source=f"s{number % 3}") for number in range(25))
    late = datetime(2026, 8, 1, 23, 30, tzinfo=UTC)
    (post,) = parts(
        digest(
            signals=signals, left=2, forum=True, until=late, tag_id=9, name="News",
            schedule={"timezone": "Europe/Berlin"},
        ),
        nonce_of,
    )  # fmt: skip
    assert post.body["name"] == "News · 2026-08-02 01:30"
    assert post.body["applied_tags"] == ["9"]
    shown = len(post.shown)
    assert 0 < shown < 25
    assert set(post.shown) == set(signals[:shown]), "the best are shown"
    assert f"{27 - shown} roll over into the next digest" in text(post.body)
    assert "message" not in message_of(post.body)


def test_nothing_new_is_silence_or_one_line() -> None:
    assert parts(digest(0), nonce_of) == ()
    (one,) = parts(digest(0, when_empty=True, role_id=ROLE), nonce_of)
    assert one.shown == ()
    assert "Nothing new since <t:1785499200:f>." in text(one.body)
    assert "content" not in one.body, "nobody is called for nothing"
    assert nonce_of(0) in ids(one.body)[0]


def test_when_no_source_answered_it_is_not_said_that_there_is_nothing_new() -> None:
    failed = (SourceReport(source="reddit", status=SourceStatus.FAILED, sentence="Reddit is away."),)
    (one,) = parts(digest(0, when_empty=True, reports=failed), nonce_of)
    assert "Nothing new" not in text(one.body)
    assert "Reddit is away." in text(one.body)


@pytest.mark.parametrize("status", [SourceStatus.CACHED, SourceStatus.EMPTY, SourceStatus.OK])
def test_sources_that_did_well_are_not_spoken_of(status: SourceStatus) -> None:
    (one,) = parts(digest(2, reports=(SourceReport(source="reddit", status=status),)), nonce_of)
    assert "fields" not in one.body["embeds"][0]


@pytest.mark.parametrize(
    "status", [SourceStatus.STALE, SourceStatus.LIMITED, SourceStatus.FAILED, SourceStatus.TIMED_OUT]
)
def test_sources_that_failed_are(status: SourceStatus) -> None:
    (one,) = parts(digest(2, reports=(SourceReport(source="reddit", status=status),)), nonce_of)
    assert "**Reddit**" in text(one.body)


def test_a_refused_body_is_rebuilt_without_what_is_not_needed() -> None:
    (one,) = parts(digest(3, left=2, chart_alt="words", role_id=ROLE), nonce_of)
    rebuilt = smaller(json.dumps(one.body))
    assert rebuilt is not None
    body = json.loads(rebuilt)
    assert "attachments" not in body
    assert "image" not in body["embeds"][0]
    assert "What it is about" not in text(body)
    assert body["content"] == f"<@&{ROLE}>"
    assert all(f"https://www.example.com/stories/{number}" in text(body) for number in (1, 2, 3))
    assert smaller(rebuilt) is None


def test_a_refused_post_is_rebuilt_without_its_tag() -> None:
    (one,) = parts(digest(3, forum=True, tag_id=9), nonce_of)
    rebuilt = smaller(json.dumps(one.body))
    assert rebuilt is not None
    assert json.loads(rebuilt).keys() == {"name", "message"}
    assert smaller(rebuilt) is None


def test_every_plan_has_a_name_to_show() -> None:
    plan = Plan(name="\u200b", channel_id=1)
    (one,) = parts(digest(1, name=plan.name, forum=True), nonce_of)
    assert broken(one.body, None) == []
