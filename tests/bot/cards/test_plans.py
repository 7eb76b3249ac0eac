"""Cards about digests say what was chosen and what became of it, harmless and within Discord's limits."""

import string
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.events import SourceReport, SourceRequest, SourceStatus, WorkflowStarted
from agents.signal import Engagement, ScoreParts, Signal
from bot.cards import plans, runs, setup
from bot.cards.card import Card
from bot.cards.custom_ids import DigestControl, PlanControl, parse_digest, parse_plan
from bot.cards.plans import Names
from bot.cards.setup import TIMES, Chosen
from bot.cards.why import why_card
from bot.guild_settings import time_zones
from bot.store.outbox import Origin, PastRun, RunState, Workflow
from bot.store.subscriptions import SubscriptionChange
from bot.subscription import MOST_SUBSCRIPTIONS, Plan, QuietHours, Schedule, State, Subscription
from tests.bot import samples
from tests.bot.cards import nasty
from tests.bot.cards.discord_rules import active_markup, violations

GUILD = 2**64 - 1
NONCE = "0123456789abcdef01234567"
KNOWN = tuple(f"source{number}" for number in range(10))


def said(card: Card) -> str:
    fields = "\n".join(f"{field.name}\n{field.value}" for field in card.embed.fields)
    return f"{card.embed.title}\n{card.embed.description}\n{fields}\n{card.embed.footer}"


def past_run(run_id: int = 1, state: RunState = RunState.SENT, **changes: Any) -> PastRun:
    values: dict[str, Any] = {
        "run_id": run_id, "subscription_id": "00112233aabbccdd", "subscription_name": "Morning paper",
        "workflow_id": "w" * 32, "origin": Origin.SCHEDULE, "state": state, "items": 7, "left": 0, "note": "",
        "started_at": samples.NOON, "finished_at": samples.NOON, **changes,
    }  # fmt: skip
    return PastRun(**values)


def workflow(counts: Mapping[RunState, int], **changes: Any) -> Workflow:
    values: dict[str, Any] = {
        "id": "w" * 32, "event": WorkflowStarted(), "origin": Origin.COMMAND, "name": "Launch", "guild_id": 1,
        "accepted_at": samples.NOON, "begun": True, "finished_at": samples.NOON, "counts": counts, **changes,
    }  # fmt: skip
    return Workflow(**values)


def change(old: Plan | None, new: Plan | None, action: str = "edit") -> SubscriptionChange:
    return SubscriptionChange("00112233aabbccdd", "Morning paper", samples.NOON, 42, action, old, new)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ({}, "daily at 08:00"),
        ({"every": "hourly", "at": "08:20"}, "every hour at :20"),
        ({"days": (0, 1, 2, 3, 4)}, "Monday to Friday at 08:00"),
        ({"days": (5, 6)}, "Saturday and Sunday at 08:00"),
        ({"days": (3,)}, "on Thursday at 08:00"),
        ({"days": (0, 2), "at": "17:30"}, "on Mon, Wed at 17:30"),
        ({"every": "cron", "cron": "*/30 * * * *"}, "by cron */30 * * * *"),
    ],
)
def test_schedules_in_words(schedule: dict[str, Any], words: str) -> None:
    assert plans.schedule_words(Schedule.model_validate(schedule)) == words


def test_everything_about_a_digest() -> None:
    one = samples.subscription(
        sources=(SourceRequest(name="reddit", options={"subreddit": "python"}), SourceRequest(name="news")),
        query="type checkers", role_id=5, chart=True, min_score=0.4,
        schedule=Schedule(timezone="Europe/Berlin", quiet=QuietHours(since="22:00", until="07:00")),
    )  # fmt: skip
    told = said(plans.plan_card(one, Names(samples.TITLES), "Made", ("I lack Read Message History.",)))
    for words in (
        "Made · Morning paper", "<#222333444555666777>", "daily at 08\\:00 \\(Europe/Berlin\\)", "22:00 to 07:00",
        "Reddit subreddit=python, News", "“type checkers”", "<@&5>", "**chart**: yes", "**min_score**: 0.4",
        "next <t:1785585600:R>", "⚠️ I lack Read Message History.",
    ):  # fmt: skip
        assert words in told
    assert "tag" not in told


def test_a_change_says_old_and_new() -> None:
    old, new = samples.subscription(limit=10).plan, samples.subscription(limit=5, query="rust").plan
    assert plans.difference(old, new, Names()) == ["`query`: none → “rust”", "`limit`: 10 → 5"]
    assert plans.difference(old, old, Names()) == []


def test_a_list_says_how_each_one_stands() -> None:
    suspended = samples.subscription(state=State.SUSPENDED, name="Broken")
    told = said(
        plans.list_card(
            (samples.subscription(), samples.subscription(state=State.PAUSED, name="Quiet", due_at=None), suspended),
            {},
        )
    )
    assert "▶️ **Morning paper** · <#222333444555666777> · next <t:1785585600:R>" in told
    assert "⏸️ **Quiet** · <#222333444555666777> · paused" in told
    assert "⛔ **Broken**" in told
    assert "/setup" in said(plans.list_card((), {}))


options = st.dictionaries(st.text(max_size=9), nasty.texts, max_size=2)
sources = st.builds(SourceRequest, name=nasty.texts, options=options)
subscriptions = st.builds(
    Subscription,
    id=st.text("0123456789abcdef", min_size=16, max_size=16),
    guild_id=st.just(GUILD),
    plan=st.builds(
        Plan,
        name=st.text(min_size=1, max_size=60),
        channel_id=st.integers(1, 2**63),
        sources=st.lists(sources, max_size=3).map(tuple),
        query=st.none() | st.text(max_size=200),
        role_id=st.none() | st.integers(1, 2**63),
        tag_id=st.none() | st.integers(1, 2**63),
    ),
    version=st.integers(1, 10**6),
    state=st.sampled_from(State),
    due_at=st.none() | nasty.moments,
    ran_at=st.none() | nasty.moments,
    failures=st.integers(0, 9),
    problem=nasty.texts,
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(subscriptions, subscriptions, st.lists(nasty.texts, max_size=4), nasty.texts)
def test_whatever_is_in_a_digest_its_cards_stay_within_the_limits(
    one: Subscription, other: Subscription, hints: list[str], text: str
) -> None:
    change_of = SubscriptionChange(one.id, text, samples.NOON, 1, "edit", one.plan, other.plan)
    drawn = (
        plans.list_card((one, other) * (MOST_SUBSCRIPTIONS // 2), samples.TITLES),
        plans.plan_card(one, Names(), "Made", hints),
        plans.changed_card(other.plan, one, Names(), hints),
        plans.turned_card(one),
        plans.so_already(one),
        plans.confirm_remove_card(one, GUILD),
        plans.removed_card(one),
        plans.no_preview_card(one),
        plans.announcement(1, "edit", text, plans.difference(one.plan, other.plan, Names())),
        *(
            runs.history_card(
                page,
                [past_run(number, subscription_name=text, note=text, left=10**9) for number in range(runs.RUNS_PAGE)],
                (change_of,) * runs.CHANGES_SHOWN, Names(), GUILD, older=True,
            )
            for page in (runs.Page(), runs.Page(10**18, "0123456789abcdef", RunState.CANCELLED))
        ),
        runs.run_card(past_run(note=text, subscription_name=text), 1, (), hints),
        runs.workflow_card(workflow({RunState.SENT: 1}, name=text)),
        runs.workflows_card([workflow(dict.fromkeys(RunState, 10 ** 6), name=text)] * 50),
        runs.making_card(workflow(dict.fromkeys(RunState, 10 ** 6))),
    )  # fmt: skip
    for card in drawn:
        assert violations(card.payload()) == []
        assert card.embed.title


@settings(deadline=None)
@given(st.lists(nasty.texts, min_size=1, max_size=3))
def test_names_and_problems_of_strangers_do_nothing(texts: list[str]) -> None:
    one = samples.subscription(query=texts[0][:200])
    query = plans.facts(one.plan, Names())["query"]
    assert active_markup(query.strip("“”")) == []


# -- what became of digests


def test_a_history_tells_outcomes_reasons_and_changes() -> None:
    told = said(
        runs.history_card(
            runs.Page(),
            [
                past_run(3, items=10, left=2),
                past_run(2, RunState.FAILED, items=0, note="The channel no longer exists."),
                past_run(1, RunState.HELD, items=4, note="Discord did not say."),
            ],
            (change(None, samples.subscription().plan, "add"),),
            Names(samples.TITLES),
            7,
            older=False,
        )
    )
    assert "✅ **Morning paper** · <t:1785585600:f> · posted, 10 items, 2 left for the next · on schedule" in told
    assert "❌ **Morning paper** · <t:1785585600:f> · failed · on schedule\n-# The channel no longer exists." in told
    assert "❔ **Morning paper** · <t:1785585600:f> · held back, 4 items" in told
    assert "<@42> added **Morning paper**" in told


def test_older_pages_are_turned_to_by_the_last_run() -> None:
    page = [past_run(number) for number in range(20, 12, -1)]
    card = runs.history_card(runs.Page(state=RunState.FAILED), page, (), Names(), 7, older=True)
    newest, older = card.rows[0]
    assert newest.disabled
    control = parse_plan(str(older.custom_id))
    assert control is not None
    assert runs.Page.read(control.detail) == runs.Page(before=13, state=RunState.FAILED)


@pytest.mark.parametrize(
    "page",
    [runs.Page(), runs.Page(7, "0123456789abcdef", RunState.HELD), runs.Page(subscription_id="0123456789abcdef")],
)
def test_what_a_page_of_the_history_shows_is_read_back_from_its_buttons(page: runs.Page) -> None:
    assert runs.Page.read(page.detail()) == page


def test_a_page_that_nobody_wrote_is_the_newest_of_all() -> None:
    forged = ("", "x", "5.", "5.zz.sent", "1" * 19, "5.0123456789abcdef.sent.5")
    assert [runs.Page.read(detail) for detail in forged] == [runs.Page()] * len(forged)
    assert runs.Page.read("5..asking") == runs.Page(5)
    assert runs.Page.read("5") == runs.Page(5)  # as it was written before digests could be chosen


@pytest.mark.parametrize("state", list(RunState))
def test_every_outcome_has_words(state: RunState) -> None:
    assert said(runs.run_card(past_run(state=state), 1))
    assert runs.counts_words({state: 2}).startswith("2 ")


def test_a_workflow_without_digests_says_how_to_make_one() -> None:
    assert "/setup" in said(runs.workflow_card(workflow({})))
    told = said(runs.workflow_card(workflow({RunState.SENT: 3, RunState.FAILED: 1})))
    assert "4 digests: 3 posted, 1 failed." in told
    assert "/digest history" in told


# -- setup


@settings(deadline=None)
@given(
    st.none() | st.integers(1, 2**64 - 1),
    st.sets(st.sampled_from(KNOWN)),
    st.sampled_from(TIMES),
    st.sampled_from(sorted(time_zones().values())),
)
def test_what_was_chosen_is_read_back_from_an_id(
    channel_id: int | None, chosen: set[str], time: str, zone: str
) -> None:
    before = Chosen(channel_id, tuple(name for name in KNOWN if name in chosen), time, zone)
    custom_id = str(PlanControl("typezone", GUILD, before.detail(KNOWN)))
    assert len(custom_id) <= 100
    control = parse_plan(custom_id)
    assert control is not None
    assert setup.read(control.detail, KNOWN) == before


def test_where_other_sources_are_offered_by_now_all_are_chosen_again() -> None:
    before = Chosen(5, KNOWN[:2], "08:00", "UTC")
    after = setup.read(before.detail(KNOWN), KNOWN[1:])
    assert after == Chosen(5, (), "08:00", "UTC")


@settings(deadline=None)
@given(st.text(string.ascii_letters + string.digits + "_./+-", max_size=66))
def test_a_forged_choice_is_none_or_valid(detail: str) -> None:
    read = setup.read(detail, KNOWN)
    if read is not None:
        assert setup.read(read.detail(KNOWN), KNOWN) == read


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(sorted(time_zones().values())),
    st.lists(nasty.texts, max_size=6),
    st.dictionaries(st.sampled_from(KNOWN), nasty.texts, min_size=1),
    nasty.moments.filter(lambda moment: 1900 < moment.year < 9990),
)
def test_the_setup_card_stays_within_the_limits(
    zone: str, problems: list[str], titles: dict[str, str], now: datetime
) -> None:
    chosen = Chosen(2**63, tuple(titles), "h", zone)
    card = setup.setup_card(chosen, titles, GUILD, "Asia/Kathmandu", now, problems)
    assert violations(card.payload()) == []
    assert {row.kind.name for row in card.selects} == {"CHANNEL", "TEXT"}
    values = [choice.value for choice in card.selects[3].choices]
    assert values[:2] == list(dict.fromkeys((zone, "Asia/Kathmandu")))[:2] or zone == "Asia/Kathmandu"


def test_where_no_source_is_on_there_is_no_menu_of_them() -> None:
    card = setup.setup_card(Chosen(1, (), "h", "UTC"), {}, 1, "UTC", samples.NOON, ())
    assert violations(card.payload()) == []
    assert len(card.selects) == 3


def test_nothing_is_made_before_a_channel_is_chosen() -> None:
    def make(channel_id: int | None) -> bool:
        card = setup.setup_card(Chosen(channel_id, (), "h", "UTC"), {"news": "News"}, 1, "UTC", samples.NOON, ())
        return card.rows[0][0].disabled

    assert make(None)
    assert not make(5)


# -- why


def test_why_an_item_is_there() -> None:
    found = samples.signal(
        1,
        score=0.82,
        parts=ScoreParts(engagement=0.9, recency=0.7, relevance=0.5, raised=True, corroboration=0.5),
        author="ada",
        engagement=Engagement(points=312, comments=45, views=10_000),
    )
    given_answer = samples.answer(signals=(found, samples.signal(2)))
    card = why_card(given_answer, 0, NONCE, samples.TITLES)
    told = said(card)
    for words in (
        "[Story number 1](https://www.example.com/stories/1)", "▰▰▰▰▱ **0.82** of 1", "votes ▰▰▰▰▱ 0.90",
        "freshness ▰▰▰▰▱ 0.70", "match ▰▰▱▱▱ 0.50: how well it fits “types”", "told elsewhere ▰▰▱▱▱ 0.50", "lifted",
        "Reddit, r/python, by ada",
        "312 points, 45 comments, 10k views", "published <t:1785582000:f>, found <t:1785585600:f>", "Formula 1",
        "Hacker News",
    ):  # fmt: skip
        assert words in told
    (menu,) = card.selects
    assert [choice.label for choice in menu.choices] == ["Story number 1", "Story number 2"]
    assert parse_digest(menu.custom_id) == DigestControl(
        "item", NONCE, samples.answer(signals=(found, samples.signal(2))).id
    )


def test_what_is_unknown_is_said_to_be() -> None:
    found = samples.signal(1, engagement=Engagement(), parts=ScoreParts(recency=0.5))
    told = said(why_card(samples.answer(signals=(found,)), 0, NONCE, {}))
    assert "votes: unknown, so they count as average" in told
    assert "the source tells no votes" in told


@settings(max_examples=40, deadline=None)
@given(
    st.lists(nasty.signals, max_size=5), st.integers(1, 9), st.integers(-3, 99), st.lists(nasty.reports, max_size=9)
)
def test_whatever_an_item_is_the_reason_stays_within_the_limits(
    distinct: list[Signal], times: int, index: int, reports: list[SourceReport]
) -> None:
    given_answer = samples.answer(signals=tuple(distinct * times), reports=tuple(reports))
    card = why_card(given_answer, index, NONCE, samples.TITLES)
    assert violations(card.payload()) == []


def test_why_nothing_is_new_tells_how_the_sources_did() -> None:
    reports = (SourceReport(source="reddit", status=SourceStatus.FAILED, sentence="Reddit is away."),)
    told = said(why_card(samples.answer(signals=(), reports=reports), 3, NONCE, samples.TITLES))
    assert "shown by this digest before" in told
    assert "Reddit is away." in told
