"""Nothing that a stranger writes mentions, formats, links or reverses."""

import re

import pytest
from hypothesis import example, given

from bot.cards import text
from tests.bot.cards import nasty
from tests.bot.cards.discord_rules import MASKED_LINK, active_markup, shown


@pytest.mark.parametrize("written", nasty.CORPUS)
def test_every_trick_shows_as_it_was_written(written: str) -> None:
    escaped = text.escape(written)
    assert active_markup(escaped) == []
    assert shown(escaped) == text.clean(written)


@given(nasty.texts)
@example("<" * 9)
@example("https:\x00//evil.example")
@example("@\u200beveryone")
@example("\u200b# heading")
def test_escaped_text_does_nothing_and_loses_nothing(written: str) -> None:
    escaped = text.escape(written)
    assert active_markup(escaped) == []
    assert shown(escaped) == text.clean(written)
    assert "\n" not in escaped


@given(nasty.pieces, nasty.pieces)
def test_two_escaped_texts_beside_each_other_still_do_nothing(left: str, right: str) -> None:
    assert active_markup(f"{text.escape(left)} · {text.escape(right)}") == []


@given(nasty.texts, nasty.urls)
def test_a_link_is_one_link_to_its_own_address_or_none(written: str, url: str) -> None:
    linked = text.link(written, url)
    address = text.encode(url)
    match = MASKED_LINK.fullmatch(linked)
    if address:
        assert match is not None
        assert match[2] == address
        assert not re.search(r"[\[\]]", match[1].replace("\\\\", "")), "Discord counts escaped brackets, too"
        assert active_markup(match[1]) == []
    else:
        assert match is None
        assert active_markup(linked) == []


@given(nasty.urls)
def test_a_linked_address_is_printable_ascii_of_a_plain_host(url: str) -> None:
    address = text.encode(url)
    if address:
        assert re.fullmatch(r"https?://[!-~]+", address)
        assert not set(address) & set('()<>\\"`|[]{}')
        assert re.fullmatch(r"[a-z0-9._-]+", text.domain(url))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.example.com/a", "example.com"),
        ("https://EXAMPLE.com:8443/", "example.com"),
        ("https://good.example@evil.example/", "evil.example"),
        ("https://evil.example\\@good.example/", "good.example"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example"),
        ("https://gооd.example/", ""),  # Cyrillic: not canonical, so not linked
        ("https://[::1]/", ""),
        ("javascript:alert(1)", ""),
        ("https://" + "a" * 2000, ""),
    ],
)
def test_the_domain_shown_is_where_the_link_leads(url: str, host: str) -> None:
    assert text.domain(url) == host


def test_an_address_with_parentheses_and_spaces_stays_whole() -> None:
    url = "https://en.wikipedia.org/wiki/Rust_(programming language)"
    assert text.link("Rust", url) == "[Rust](https://en.wikipedia.org/wiki/Rust_%28programming%20language%29)"


def test_a_title_of_nothing_visible_can_still_be_clicked() -> None:
    assert text.link("\u200b\u200d\u3164 ", "https://example.com/") == "[untitled](https://example.com/)"


def test_cutting_never_leaves_half_an_escape() -> None:
    assert text.quoted("*" * 50, 10) == "\\*" * 9 + "…"


def test_ordinary_titles_stay_readable_in_the_raw_text() -> None:
    title = "PEP 810 – Explicit lazy imports, state-of-the-art & 100% done!"
    assert text.escape(title) == title
