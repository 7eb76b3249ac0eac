"""Text of strangers comes out plain, short and quickly, whatever it was."""

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents.text import plain, plain_html

LIMITS = st.integers(min_value=1, max_value=400)
NASTY = st.text(
    alphabet=st.one_of(
        st.sampled_from(
            "a1# \u0301\u0344\u0f73\ufe0f\ufe0e\u20e3\u200d\u200b\u202e\u2066\u3164\x00\x1b\n😀👍🏽❤🇩🇪&<>;"
        ),
        st.characters(),
    ),
    max_size=300,
)


@pytest.mark.parametrize(
    "title",
    [
        "List<String> in C++ & co",
        "AT&amp;T is how some people spell it",
        "Café – “naïve” façade",
        "家族 👩‍👩‍👧 wins ❤️ by 1️⃣ point 👍🏽",
        "नमस्ते दुनिया",
    ],
)
def test_honest_text_stays_as_it_is(title: str) -> None:
    assert plain(title, 300) == title


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  two \n\t spaces\u00a0here\u2028there ", "two spaces here there"),
        ("safe\u202egpj.exe", "safegpj.exe"),
        ("a\u2066b\u2069c\u200ed\u061ce", "abcde"),
        ("zero\u200bwidth\ufeff joined\u200d not", "zerowidth joined not"),
        ("a\ufe0fb", "ab"),
        ("bell\x07 esc\x1b[31m nul\x00", "bell esc[31m nul"),
        ("private\ue000 lone\ud800 none\uffff", "private lone none"),
        ("e\u0301", "é"),
        ("\u3164\u2800\u200b", None),
        ("", None),
        (None, None),
    ],
)
def test_what_cannot_be_seen_goes(text: str | None, expected: str | None) -> None:
    assert plain(text, 300) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<p>one</p><p>two &amp; <b>th</b>ree</p>", "one two & three"),
        ("a<br/>b<!-- hidden --><script>alert(1)</script><style>p{}</style>", "a b"),
        ("&lt;b&gt; is bold, &amp;lt; is not decoded twice", "<b> is bold, &lt; is not decoded twice"),
        ("x&#8238;y&#x202E;z&nbsp;!", "xyz !"),
        ("no markup at all", "no markup at all"),
        ("broken <a href='x", "broken"),
        ("<img src=x onerror=alert(1)>", None),
        ("\ud800<b>x</b>", "x"),
        (None, None),
    ],
)
def test_html_leaves_its_text_only(markup: str | None, expected: str | None) -> None:
    assert plain_html(markup, 300) == expected


def test_long_text_ends_at_a_word_with_an_ellipsis() -> None:
    assert plain("one two three four", 12) == "one two…"
    assert plain("x" * 50, 10) == "x" * 9 + "…"
    assert plain("ab 👩‍👩‍👧", 6) == "ab…"


@given(text=NASTY, limit=LIMITS)
@example(text="1\ufe0f\u20e3" * 9, limit=5)
@example(text="\u0344" * 40, limit=100)
@example(text="😀\u200d" * 60, limit=50)
def test_plain_is_idempotent_short_and_clean(text: str, limit: int) -> None:
    result = plain(text, limit)
    assert result is None or 0 < len(result) <= limit
    if result is not None:
        assert plain(result, limit) == result
        assert unicodedata.is_normalized("NFC", result)
        assert result.split() == result.split(" ")
        assert all(unicodedata.category(char)[0] != "C" or char == "\u200d" for char in result)


@given(markup=NASTY, limit=LIMITS)
def test_html_comes_out_plain(markup: str, limit: int) -> None:
    result = plain_html(markup, limit)
    assert result is None or plain(result, limit) == result


@pytest.mark.parametrize(
    "hostile",
    [
        "".join(f"<b a{number}>" for number in range(50_000)),
        "<div>" * 100_000,
        "<" * 1_000_000,
        "&" * 1_000_000,
        "&#" + "1" * 1_000_000,
        "a" + "\u0327\u0301" * 500_000,
        "\u0f73" * 1_000_000,
        "😀\u200d" * 500_000,
        " \u2028" * 500_000,
    ],
    ids=["attributes", "depth", "lt", "amp", "number", "marks", "split marks", "joiners", "spaces"],
)
def test_hostile_text_costs_little(hostile: str) -> None:
    started = time.process_time()
    plain(hostile, 300)
    plain_html(hostile, 300)
    assert time.process_time() - started < 0.25
