"""What a server may set, typed or imported; whatever else arrives is refused in words."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.signal import Timeframe
from agents.sources.news import parse_feeds
from bot.guild_settings import (
    DEFAULTS,
    MOST_FEEDS,
    SCHEMA_VERSION,
    Change,
    Feed,
    GuildSettings,
    ImportRefused,
    Kind,
    Operator,
    difference,
    dump_value,
    import_settings,
    load,
    load_value,
    settings_of,
)

OPERATOR = Operator(
    {"reddit": "Reddit", "twitter": "X", "news": "News", "hackernews": "Hacker News"}, subreddits=("science",)
)
SPECS = {spec.name: spec for spec in settings_of(OPERATOR)}
EXPORTS = Path(__file__).parent / "exports"

EVERYTHING = GuildSettings(
    sources=("reddit", "news"),
    default_source="news",
    timeframe=Timeframe.WEEK,
    limit=5,
    min_score=0.25,
    subreddits=("python", "rust"),
    feeds=(Feed(url="https://lwn.net/headlines/rss", title="LWN.net"), Feed(url="https://example.org/atom.xml?a=1")),
    raised=("C++", "naïve Bayes"),
    muted=("crypto", "price prediction"),
    private_answers=True,
    time_zone="Europe/Berlin",
    cooldown_s=30,
    concurrency=2,
    cache_ttl_s=600,
    nsfw=True,
    log_channel_id=81384788765712384,
    config_role_id=9007199254740993,
    ask_channel_ids=(1, 2**63 - 1),
)


def test_every_setting_can_be_shown_has_a_line_of_help_and_a_range() -> None:
    fields = {spec.field for spec in SPECS.values()}
    assert fields == set(GuildSettings.model_fields) - {"schema_version"}
    for spec in SPECS.values():
        assert 10 <= len(spec.help) <= 100
        assert spec.range
        assert spec.show(spec.default)
        assert spec.show(spec.of(EVERYTHING))
        assert spec.of(EVERYTHING) != spec.default, "the sample must differ everywhere"


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("sources", "reddit, Hacker News", ("reddit", "hackernews")),
        ("sources", "all", ()),
        ("default_source", "x", "twitter"),
        ("default_source", "none", None),
        ("timeframe", "7D", Timeframe.WEEK),
        ("limit", " 25 ", 25),
        ("min_score", ".5", 0.5),
        ("min_score", "1", 1.0),
        ("subreddits", "r/Python, /r/rust python", ("python", "rust")),
        ("subreddits", "none", ()),
        ("mute", "none, NONE", ()),
        ("raise", "C++,  price   of oil \n AT&T, c++", ("C++", "price of oil", "AT&T")),
        ("mute", "میخواهم, 東京", ("میخواهم", "東京")),
        ("private_answers", "yes", True),
        ("time_zone", "europe/berlin", "Europe/Berlin"),
        ("cooldown", "0", 0),
        ("cooldown", "3600", 3600),
        ("cooldown", "none", None),
        ("concurrency", "3", 3),
        ("cache", "60", 60),
        ("nsfw", "Off", False),
        ("log_channel", "<#81384788765712384>", 81384788765712384),
        ("config_role", "<@&5>", 5),
        ("ask_channels", "<#5> 6,<#5>", (5, 6)),
    ],
)
def test_what_people_type_is_understood(name: str, typed: str, value: object) -> None:
    assert SPECS[name].parse(typed) == value


@pytest.mark.parametrize("spec", [spec for spec in SPECS.values() if spec.choices], ids=lambda spec: spec.name)
def test_every_suggested_value_is_taken(spec: Any) -> None:
    for choice in spec.choices:
        spec.parse(choice)


BAD = {
    "sources": ["gopher", "reddit; news"],
    "default_source": ["all", "gopher"],
    "timeframe": ["2h", "24"],
    "limit": ["0", "26", "-1", "1.5", "1e1", "ten", "9" * 90, "1_0", "٣"],
    "min_score": ["1.01", "-0.1", "nan", "inf", "1e-3", "½"],
    "subreddits": ["a", "python!", ", ".join(f"sub{number}" for number in range(11))],
    "feeds": ["https://lwn.net/headlines/rss"],
    "raise": ["x" * 61, ",", "...", ",".join(f"word{number}" for number in range(101)), "(a+)+$"],
    "mute": ["x" * 61, "🚀", "“quoted”"],
    "private_answers": ["maybe", "1"],
    "time_zone": ["Mars/X", "../../etc/passwd", "Europe", "/usr/share/zoneinfo/UTC", "localtime"],
    "cooldown": ["3601", "-1", "5 s"],
    "concurrency": ["0", "4", "100"],
    "cache": ["59", "3601"],
    "nsfw": ["please"],
    "log_channel": ["<@5>", "#general", "0", "9" * 19],
    "config_role": ["<#5>", "@everyone"],
    "ask_channels": ["general", " ".join(str(number) for number in range(1, 52))],
}
BAD_EVERYWHERE = [
    "'; DROP TABLE guild_settings; --",
    "x" * 6000,
    "🚀🚀🚀",
    "\u202ednib\u202c",
    "py\u200fthon",
    "nul\x00byte",
    "\ud800",
    "",
    "   ",
]


@pytest.mark.parametrize("name", SPECS)
def test_anything_else_is_refused_in_words(name: str) -> None:
    spec = SPECS[name]
    for typed in [*BAD[name], *BAD_EVERYWHERE]:
        with pytest.raises(ValueError, match=r"^[^\u202a-\u202e\u200f\x00\ud800]{10,400}\.$") as refused:
            spec.parse(typed)
        assert not isinstance(refused.value, ValidationError | UnicodeError)
    for wrong in (None, 5, 1.5, b"on", ["on"]):
        with pytest.raises(ValueError, match=spec.name):
            spec.parse(wrong)  # type: ignore[arg-type]


def test_a_number_out_of_range_is_answered_with_the_range() -> None:
    with pytest.raises(ValueError, match="limit takes a whole number from 1 to 25; not “99”"):
        SPECS["limit"].parse("99")
    with pytest.raises(ValueError, match="concurrency takes a whole number from 1 to 3"):
        SPECS["concurrency"].parse("4")


@given(st.text(max_size=200))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    for spec in SPECS.values():
        try:
            value = spec.parse(text)
        except ValueError as error:
            assert not isinstance(error, ValidationError)  # noqa: PT017
        else:
            assert load(DEFAULTS.changed(**{spec.field: value}).dump()) == (
                DEFAULTS.changed(**{spec.field: value}),
                (),
            )


def test_values_of_the_wrong_type_are_refused_however_they_come() -> None:
    for name, wrong in [("limit", True), ("limit", "5"), ("nsfw", 1), ("raised", "word"), ("log_channel_id", 1.0)]:
        with pytest.raises(ValidationError):
            GuildSettings.model_validate({name: wrong})
        with pytest.raises(ValidationError):
            DEFAULTS.changed(**{name: wrong})


def test_feeds_hold_no_secret_no_second_address_and_at_most_fifty() -> None:
    for url in ("https://ada:secret@example.org/feed", "ftp://example.org", "file:///etc/passwd", "x" * 600, "a b"):
        with pytest.raises(ValidationError):
            Feed(url=url)
    for url in ("https://localhost/feed", "https://intranet/feed", "http://[2606:4700::1111]/feed"):
        with pytest.raises(ValueError, match="begins with"):
            parse_feeds(url)
        with pytest.raises(ValidationError, match="full name"):  # kept, it would cost all others their answers
            Feed(url=url)
    twice = (Feed(url="https://example.org/feed", title="First"), Feed(url="https://EXAMPLE.org/feed"))
    assert GuildSettings(feeds=twice).feeds == twice[:1]
    with pytest.raises(ValidationError):
        GuildSettings(feeds=tuple(Feed(url=f"https://example.org/{number}") for number in range(MOST_FEEDS + 1)))
    assert Feed(url="https://example.org", title="  a \u202e title ").title == "a title"


def test_what_holds_is_never_more_than_the_operator_has() -> None:
    known = ("reddit", "news")
    assert GuildSettings(sources=("news", "gone")).sources_on(known) == ("news",)
    assert GuildSettings(sources=("gone",)).sources_on(known) == known
    assert GuildSettings(default_source="reddit", sources=("news",)).source_by_default(known) == "news"
    assert GuildSettings(default_source="news").source_by_default(known) == "news"


def test_what_is_stored_is_small_and_comes_back_equal() -> None:
    assert DEFAULTS.dump() == '{"schema_version":1}'
    assert load(EVERYTHING.dump()) == (EVERYTHING, ())
    for name in set(GuildSettings.model_fields) - {"schema_version"}:
        assert load_value(name, dump_value(EVERYTHING, name)) == (getattr(EVERYTHING, name), True)


def test_a_stored_value_that_became_invalid_costs_only_itself() -> None:
    body = json.dumps({"limit": 5, "time_zone": "Mars/X", "muted": ["crypto"], "later": 1})
    settings, lost = load(body)
    assert settings == GuildSettings(limit=5, muted=("crypto",))
    assert lost == ("later", "time_zone")
    assert load("[]") == (DEFAULTS, ("everything",))
    assert load("{") == (DEFAULTS, ("everything",))


def test_an_export_imports() -> None:
    assert import_settings(EVERYTHING.export().encode(), OPERATOR) == EVERYTHING
    assert import_settings(b"\xef\xbb\xbf" + DEFAULTS.export().encode(), OPERATOR) == DEFAULTS


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_exports_of_every_version_import(version: int) -> None:
    """The files were written by those versions and must never be changed."""
    data = (EXPORTS / f"version-{version}.json").read_bytes()
    assert import_settings(data, OPERATOR) == EVERYTHING


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"{", "no JSON"),
        (b"[" * 60_000, "nested|no JSON"),
        (b"\xff\xfe", "UTF-8"),
        (b"[]", "no export"),
        (b"{}", "version"),
        (b'{"schema_version": true}', "version"),
        (b'{"schema_version": "1"}', "version"),
        (b'{"schema_version": 2}', "version 2"),
        (b'{"schema_version": 1, "limit": NaN}', "NaN"),
        (b'{"schema_version": 1, "min_score": -Infinity}', "-Infinity"),
        (b'{"schema_version": 1, "limit": ' + b"9" * 60_000 + b"}", "limit takes"),
        (b'{"schema_version": 1, "raised": ["\\ud800"]}', "Unicode|invisible"),
        (b'{"schema_version": 1, "limit": 5, "limits": 6}', "no setting “limits”"),
        (b'{"schema_version": 1, "sources": ["gopher"]}', "no source “gopher”"),
        (b'{"schema_version": 1, "concurrency": 99}', "concurrency takes a whole number from 1 to 3"),
        (b'{"schema_version": 1, "feeds": [{"url": "https://example.org", "secret": 1}]}', "unknown"),
        (b"x" * 5 * 2**20, "5,120 kB"),
    ],
)
def test_a_file_that_is_no_export_is_refused_in_words(data: bytes, sentence: str) -> None:
    with pytest.raises(ImportRefused, match=sentence):
        import_settings(data, OPERATOR)


def test_everything_that_is_wrong_with_a_file_is_said_at_once() -> None:
    body = {"schema_version": 1, "limit": 99, "time_zone": "Mars/X", "nsfw": "yes", "colour": 1, "raised": ["<b>"]}
    with pytest.raises(ImportRefused) as refused:
        import_settings(json.dumps(body).encode(), OPERATOR)
    assert len(refused.value.problems) == 5
    many = {"schema_version": 1, **{f"unknown{number}": 1 for number in range(500)}}
    with pytest.raises(ImportRefused) as refused:
        import_settings(json.dumps(many).encode(), OPERATOR)
    assert refused.value.problems[-1] == "And 480 more."


def test_the_difference_is_shown_as_people_read_it() -> None:
    new = DEFAULTS.changed(limit=5, cooldown_s=30, subreddits=("python",), ask_channel_ids=(7,))
    assert difference(DEFAULTS, new, tuple(SPECS.values())) == (
        Change("limit", "10", "5"),
        Change("subreddits", "r/science", "r/python"),
        Change("cooldown", "5 s", "30 s"),
        Change("ask_channels", "everywhere", "<#7>"),
    )
    assert difference(new, new, tuple(SPECS.values())) == ()


def test_only_feeds_have_commands_of_their_own() -> None:
    assert [spec.name for spec in SPECS.values() if not spec.settable] == ["feeds"]
    assert SPECS["feeds"].kind is Kind.FEEDS
