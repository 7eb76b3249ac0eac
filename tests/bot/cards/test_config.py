"""Settings drawn: within every limit whatever they are, with nothing of anybody's that mentions or formats."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.signal import Timeframe
from bot.cards import config as cards
from bot.cards.card import Card
from bot.cards.config import PastChange, ValueChange
from bot.cards.custom_ids import ConfigControl, parse_config
from bot.guild_settings import DEFAULTS, Feed, GuildSettings, Kind, Operator, SettingSpec, settings_of
from tests.bot import samples
from tests.bot.cards import nasty
from tests.bot.cards.discord_rules import active_markup, violations
from tests.bot.test_guild_settings import EVERYTHING, OPERATOR

SPECS = settings_of(OPERATOR)
BY_NAME = {spec.name: spec for spec in SPECS}
GUILD = 2**63 - 1
MARKUP = re.compile(r"`[a-z_]+`|\*\*[^*]*\*\*|^-#? |<(?:#|@&?)\d+>|<t:\d+:R>|`/[a-z ]+`", re.MULTILINE)
"""What is ours in a card."""

words = (
    st.sampled_from(("@everyone", "@" * 59 + "x", "*" * 59 + "x", "_a_", "a:b:c", "https://evil.example", "#1. one"))
    | st.text("ab@*_:#/.+-!?% ", min_size=1, max_size=60)
).filter(lambda word: any(char.isalnum() for char in word))  # fmt: skip
snowflakes = st.integers(1, 2**63 - 1)
feeds = st.builds(
    Feed, url=st.integers().map(lambda number: f"https://example.org/{number}?key=secret"), title=nasty.pieces
)
many_words = st.lists(words, max_size=8).flatmap(
    lambda some: st.integers(0, 12).map(lambda times: tuple(f"{word[:57]}{n}" for n in range(times) for word in some))
)
every = st.builds(
    GuildSettings,
    sources=st.sampled_from(((), ("reddit",), ("news", "gone"), tuple(f"gone{number}" for number in range(50)))),
    default_source=st.sampled_from((None, "news", "gone")),
    timeframe=st.sampled_from(Timeframe),
    limit=st.integers(1, 25),
    min_score=st.floats(0, 1).map(lambda score: round(score, 9)),
    subreddits=st.lists(st.from_regex(r"[a-z_]{2,21}", fullmatch=True), max_size=10).map(tuple),
    feeds=st.lists(feeds, max_size=6).map(tuple),
    raised=many_words,
    muted=many_words,
    private_answers=st.booleans(),
    time_zone=st.sampled_from(("UTC", "America/Argentina/ComodRivadavia", "Asia/Kolkata")),
    cooldown_s=st.none() | st.integers(0, 3600),
    concurrency=st.none() | st.integers(1, 100),
    cache_ttl_s=st.none() | st.integers(60, 3600),
    nsfw=st.booleans(),
    log_channel_id=st.none() | snowflakes,
    config_role_id=st.none() | snowflakes,
    ask_channel_ids=st.lists(snowflakes, max_size=50).map(tuple),
)


def changes(old: GuildSettings, new: GuildSettings) -> tuple[ValueChange, ...]:
    return tuple(ValueChange(spec, spec.of(old), spec.of(new)) for spec in SPECS)


def every_card(old: GuildSettings, new: GuildSettings) -> list[Card]:
    between = changes(old, new)
    past = PastChange(samples.NOON, GUILD, "import", between)
    return [
        cards.settings_card(SPECS, new),
        cards.settings_card(SPECS, new, certain=False),
        *(cards.setting_card(spec, new) for spec in SPECS),
        cards.changed_card(between, cards.ROLE_HINT),
        cards.changed_card(()),
        cards.overtaken_card(between),
        cards.undone_card(past, between),
        cards.undone_card(past, between, ["*" * 300] * 50),
        cards.not_undone_card(past, ["*" * 300] * 50, GUILD, f"{10**9}.{10**9}"),
        cards.nothing_to_undo(),
        cards.nothing_to_undo(left=True),
        cards.announcement(GUILD, "panel", between),
        cards.history_card([past] * cards.HISTORY_PAGE, new.time_zone, guild_id=GUILD, newer=10**9, older=1),
        cards.history_card([], new.time_zone, guild_id=GUILD, newer=None, older=None),
        cards.import_card(between, GUILD, f"{'0' * 20}.{GUILD}"),
        cards.import_card(between, GUILD, f"{'0' * 20}.{GUILD}", [("*" * 100, "_" * 300)] * 50),
        cards.nothing_to_import([("*" * 100, "_" * 300)]),
        cards.nothing_to_import([]),
        *(cards.panel_card(SPECS, new, GUILD, spec, between) for spec in SPECS),
        cards.panel_card(SPECS, new, GUILD),
    ]


@settings(max_examples=30, deadline=None)
@given(every, every)
def test_every_card_stays_within_the_limits_and_lets_no_markup_of_others_through(
    old: GuildSettings, new: GuildSettings
) -> None:
    for card in every_card(old, new):
        assert violations(card.payload()) == []
        embed = card.embed
        texts = [embed.description, *(field.value for field in embed.fields)]
        for text in texts:
            assert active_markup(MARKUP.sub("", text)) == []
            assert "secret" not in text, "an address may hold a key"


@given(nasty.texts)
@settings(max_examples=30, deadline=None)
def test_what_is_wrong_with_a_file_comes_back_harmless(text: str) -> None:
    card = cards.import_refused([text] * 21)
    assert violations(card.payload()) == []
    assert active_markup(re.sub("^- ", "", card.embed.description, flags=re.MULTILINE)) == []


@given(every)
@settings(max_examples=50, deadline=None)
def test_a_value_shown_in_a_form_is_taken_back_as_it_was(new: GuildSettings) -> None:
    for spec in SPECS:
        value = spec.of(new)
        gone = spec.name in {"sources", "default_source"} and "gone" in str(value)
        above = spec.name == "concurrency" and (value or 0) > OPERATOR.concurrency
        if not spec.settable or gone or above:  # what the operator does not offer cannot be typed either
            continue
        assert spec.parse(spec.typed(value)) == value


def test_a_long_list_says_how_much_more_there_is() -> None:
    spec = BY_NAME["mute"]
    value = tuple(f"word{number}" for number in range(100))
    assert cards.shown(spec, value, 30) == "word0, word1, word2, word3 and 96 more"
    channels = tuple(range(10**17, 10**17 + 50))
    told = cards.shown(BY_NAME["ask_channels"], channels, 60)
    assert re.fullmatch(r"<#\d{18}>, <#\d{18}> and 48 more", told), "no mention is cut"


def test_of_a_feed_its_title_is_shown_or_else_its_host() -> None:
    feeds = (Feed(url="https://example.org/feed?key=secret"), Feed(url="https://lwn.net/rss", title="LWN"))
    assert cards.shown(BY_NAME["feeds"], feeds, 100) == "example.org, LWN"


def test_the_form_has_the_right_control_for_each_kind() -> None:
    controls = {}
    for spec in SPECS:
        card = cards.panel_card(SPECS, DEFAULTS, GUILD, spec)
        menus = [select.kind.name for select in card.selects[1:]]
        labels = [button.label for row in card.rows for button in row]
        controls[spec.name] = (*menus, *labels)
    reset = "Back to the default"
    for name in ("default_source", "timeframe", "private_answers", "nsfw", "sources"):
        assert controls[name] == ("TEXT", reset)
    for name in ("log_channel", "ask_channels"):
        assert controls[name] == ("CHANNEL", reset)
    assert controls["config_role"] == ("ROLE", reset)
    assert controls["feeds"] == ()
    for name in (
        "limit",
        "min_score",
        "subreddits",
        "raise",
        "mute",
        "time_zone",
        "cooldown",
        "concurrency",
        "cache",
    ):
        assert controls[name] == ("Change", reset)


def test_more_channels_than_a_menu_holds_are_typed() -> None:
    many = DEFAULTS.changed(ask_channel_ids=tuple(range(1, 31)))
    card = cards.panel_card(SPECS, many, GUILD, BY_NAME["ask_channels"])
    assert [button.label for button in card.rows[0]] == ["Change", "Back to the default"]


def test_a_digest_tells_values_apart() -> None:
    for spec in SPECS:
        assert cards.digest(DEFAULTS, spec) != cards.digest(EVERYTHING, spec)
        assert cards.digest(EVERYTHING, spec) == cards.digest(replace_nothing(EVERYTHING), spec)


def replace_nothing(one: GuildSettings) -> GuildSettings:
    return GuildSettings.model_validate_json(one.dump())


def test_times_of_the_history_are_the_servers() -> None:
    past = PastChange(samples.NOON, 7, "set", (ValueChange(BY_NAME["limit"], 10, 5),))
    older = replace(past, at=samples.NOON - timedelta(days=1), action="later_word")
    card = cards.history_card([past, older], "Asia/Kolkata", guild_id=GUILD, newer=None, older=None)
    assert card.embed.description.split("\n") == [
        "**2026-08-01 17:30** · <@7> · set",
        "`limit`: 10 → 5",
        "",
        "**2026-07-31 17:30** · <@7> · later\\_word",
        "`limit`: 10 → 5",
    ]
    assert card.rows == ()


@pytest.mark.parametrize(
    "control",
    [
        ConfigControl("pick", 1),
        ConfigControl("put", GUILD, "ask_channel_ids.0a1b2c3d"),
        ConfigControl("apply", 5, "0.1"),
    ],
)
def test_ids_come_back_as_they_went(control: ConfigControl) -> None:
    assert parse_config(str(control)) == control
    assert len(str(control)) <= 100


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=120) | st.from_regex(r"c1:[a-z]*:[0-9]*:.*"))
def test_any_other_id_is_none(custom_id: str) -> None:
    parsed = parse_config(custom_id)
    assert parsed is None or str(parsed) == custom_id


def test_every_kind_of_setting_is_drawn() -> None:
    kinds: Sequence[Kind] = [spec.kind for spec in SPECS]
    assert set(kinds) == set(Kind)
    lone: tuple[SettingSpec, ...] = settings_of(Operator({"reddit": "Reddit"}))
    assert violations(cards.panel_card(lone, DEFAULTS, GUILD, lone[0]).payload()) == []
