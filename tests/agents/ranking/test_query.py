"""A query says what it says: words rank, operators decide."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.ranking.query import parse
from agents.ranking.rank import rank
from agents.signal import Reason
from tests.agents.ranking.signals import DAY, NOW, signal


def test_words_phrases_and_operators_are_told_apart() -> None:
    query = parse('rust "borrow checker" -crypto -"price target" site:GitHub.com -site:https://x.com/some/page')
    assert query.text == "rust borrow checker"
    assert query.terms == ("rust", "borrow", "checker")
    assert query.phrases == ("borrow checker",)
    assert query.without == ("crypto", "price target")
    assert query.sites == ("github.com",)
    assert query.without_sites == ("x.com",)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (None, ""),
        ("", ""),
        ("?!", ""),
        ("-", ""),
        ('""', ""),
        ("'", ""),
        ("rust, (wasm)", "rust wasm"),
        ("c++ 3.12", "c++ 3.12"),
        ("well-known facts", "well-known facts"),
        ("“smart quotes”", "smart quotes"),
        ("site: rust", "rust"),
        ("site:!!", ""),
    ],
)
def test_what_is_no_operator_is_a_word(typed: str | None, text: str) -> None:
    assert parse(typed).text == text


@pytest.mark.parametrize(
    ("typed", "text", "phrases", "without"),
    [
        ('say "hello there', "say hello there", ("hello there",), ()),
        ('rust -"price target', "rust", (), ("price target",)),
        ("„borrow checker“ «zig»", "borrow checker zig", ("borrow checker", "zig"), ()),
        ('5" display', "5 display", (), ()),
        ("rust, -crypto, --nft; -🎉 -site: -!", "rust", (), ("crypto", "nft", "🎉")),
    ],
)
def test_quotes_and_commas_may_be_typed_as_people_type_them(
    typed: str, text: str, phrases: tuple[str, ...], without: tuple[str, ...]
) -> None:
    query = parse(typed)
    assert (query.text, query.phrases, query.without) == (text, phrases, without)


@pytest.mark.parametrize("typed", ["github.com,", "*.github.com", '"github.com"', "www.GitHub.com/rust-lang"])
def test_a_site_may_be_typed_in_any_form(typed: str) -> None:
    assert parse(f"site:{typed}").sites == ("github.com",)


@given(st.text(max_size=200))
def test_whatever_is_typed_can_be_read(typed: str) -> None:
    query = parse(typed)
    query.accepts(signal())
    assert parse(typed) == query


def shown(query: str) -> set[str]:
    signals = [
        signal(1, title="The Rust borrow checker, explained", url="https://blog.example/rust"),
        signal(2, title="Checker of borrow slips", excerpt="about rust", url="https://www.github.com/a/b"),
        signal(3, title="Rust and crypto", url="https://gist.github.com/c"),
        signal(4, title="Trust", url="https://notgithub.com/d"),
    ]
    return {one.id.rpartition(":")[2] for one in rank(signals, query=query, timeframe=DAY, now=NOW).signals}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("rust", {"1", "2", "3", "4"}),
        ('"borrow checker"', {"1"}),
        ("rust -crypto", {"1", "2", "4"}),
        ("-rust", {"4"}),
        ("site:github.com", {"2", "3"}),
        ("rust -site:github.com", {"1", "4"}),
        ('site:github.com -"rust and crypto"', {"2"}),
    ],
)
def test_operators_decide_and_words_do_not(query: str, found: set[str]) -> None:
    assert shown(query) == found


def test_what_the_query_does_not_ask_for_is_accounted_for() -> None:
    signals = [signal(1, title="a crypto story"), signal(2, title="another story")]
    ranked = rank(signals, query="-crypto", timeframe=DAY, now=NOW)
    assert ranked.dropped.unasked == 1
    assert [(left.title, left.reason) for left in ranked.left_out] == [("a crypto story", Reason.UNASKED)]


def test_more_of_a_word_in_a_short_excerpt_counts_for_more_but_never_more_than_in_the_title() -> None:
    long = "other words " * 40
    signals = [
        signal(1, title="nothing here", excerpt="rust"),
        signal(2, title="nothing there", excerpt=f"rust {long}"),
        signal(3, title="nothing anywhere", excerpt="rust rust rust"),
        signal(4, title="rust at last", age=timedelta(hours=1)),
    ]
    parts = {
        one.id[-1]: one.parts.relevance or 0 for one in rank(signals, query="rust", timeframe=DAY, now=NOW).signals
    }
    assert parts["2"] < parts["1"] < parts["3"] <= parts["4"] == 1.0
