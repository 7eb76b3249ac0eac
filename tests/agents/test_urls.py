"""Addresses have one spelling, duplicates one key, and the domain shown deceives nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.urls import MAX_LENGTH, canonical, domain, identity, join


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTPS://User:pw@Example.COM.:443/a/../b/?z=1&a=2#part", "https://example.com/b?a=2&z=1"),
        ("http://example.com:8080", "http://example.com:8080/"),
        ("https://x.org/a?utm_source=x&UTM_Medium=y&fbclid=1&q=a+b&&utm%5Fterm=3", "https://x.org/a?q=a+b"),
        ("https://x.org/a?b=2&b=1&a", "https://x.org/a?a&b=2&b=1"),
        ("https://app.example/#!/route", "https://app.example/#!/route"),
        (" https://bücher.example/ä ", "https://xn--bcher-kva.example/%C3%A4"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://[::1]/x/", "http://[::1]/x"),
    ],
)
def test_an_address_has_one_spelling(url: str, expected: str) -> None:
    assert canonical(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://example.com/",
        "//example.com/",
        "/relative",
        "",
        "http://",
        "http://user@/",
        "https://ex\ud800.com/",
        "https://example.com/" + "a" * MAX_LENGTH,
        "https://example.com/" + "ä" * (MAX_LENGTH // 2),
    ],
)
def test_what_is_no_page_has_none(url: str) -> None:
    assert canonical(url) is None
    assert identity(url) == url


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://example.com/a", "https://www.example.com/a/"),
        ("https://en.m.wikipedia.org/wiki/Owl", "https://en.wikipedia.org/wiki/Owl"),
        ("https://amp.site.org/x", "https://mobile.site.org/x/amp/"),
        ("https://site.org/x?amp=1&id=3", "https://site.org/x?id=3&utm_campaign=z"),
        ("https://site.org/index.html", "https://site.org"),
        ("https://site.org/amp/x", "https://site.org/x?outputtype=AMP"),
        ("https://site.org/x.amp.html", "https://site.org/x.html"),
        ("https://www.google.com/amp/s/www.site.org/x.amp", "https://site.org/x"),
        ("https://site-org.cdn.ampproject.org/v/s/site.org/x?amp_js_v=0.1&usqp=a&id=3", "https://site.org/x?id=3"),
        ("https://m.site.co.uk/x?gad_source=1&at_link_id=2", "https://www.site.co.uk/x"),
        ("https://www.amp.com.au/x", "https://amp.com.au/x"),
    ],
)
def test_the_same_page_has_one_key(one: str, other: str) -> None:
    assert identity(one) == identity(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://site.org/a?id=1", "https://site.org/a?id=2"),
        ("https://site.org/#!/a", "https://site.org/#!/b"),
        ("https://a.site.org/", "https://b.site.org/"),
        ("https://mobile.de/", "https://www.de/"),
        ("https://amp.com.au/", "https://mobile.com.au/"),
        ("https://site.org/lamp.html", "https://site.org/l.html"),
        ("https://site.org/lamp", "https://site.org/l"),
        ("https://site.org:8443/", "https://site.org/"),
    ],
)
def test_different_pages_have_different_keys(one: str, other: str) -> None:
    assert identity(one) != identity(other)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://www.example.com:8443/x", "example.com"),
        ("https://good.com@evil.com/", "evil.com"),
        ("https://www.müller.de/", "müller.de"),
        ("https://例え.jp/", "例え.jp"),
        ("https://пример.рф/", "пример.рф"),
        ("https://gооgle.com/", "xn--ggle-55da.com"),
        ("https://аррӏе.com/", "xn--80ak6aa92e.com"),
        ("https://tıme.com/", "xn--tme-jua.com"),
        ("javascript:alert(1)", ""),
    ],
)
def test_the_domain_shown_deceives_nobody(url: str, shown: str) -> None:
    assert domain(url) == shown


def test_links_are_joined_as_browsers_do() -> None:
    assert join("https://a.org/b/c", "../d?x=1") == "https://a.org/d?x=1"
    assert join("https://a.org/b", "//c.org/d") == "https://c.org/d"
    assert join("https://a.org/b", "javascript:alert(1)") is None
    assert join("not a page", "x") is None


PIECES = st.sampled_from(
    [
        "www.",
        "m.",
        "amp.",
        "x.org",
        ":80",
        "/",
        "//",
        "a",
        "index.html",
        "/amp",
        ".amp",
        "?",
        "&",
        "=",
        "utm_x=1",
        "#",
        "!",
        "%2F",
    ]
)


@given(st.lists(PIECES, max_size=12).map(lambda parts: "http://h." + "".join(parts)))
def test_canonical_is_idempotent_and_keeps_the_key(url: str) -> None:
    address = canonical(url)
    if address is not None:
        assert canonical(address) == address
        assert identity(address) == identity(url)


@given(st.text(max_size=80))
def test_anything_may_be_asked(text: str) -> None:
    for url in (text, "https://" + text, "https://x.org/" + text):
        canonical(url)
        identity(url)
        domain(url)
        join("https://x.org/", text)


@pytest.mark.parametrize(
    "url",
    [
        "https://www.google.com/url?sa=t&url=https%3A%2F%2Fsite.example%2Fa%3Fb%3D1&usg=x",
        "https://l.facebook.com/l.php?u=https%3A%2F%2Fsite.example%2Fa%3Fb%3D1%26utm_source%3Dfb&h=AT0",
        "https://out.reddit.com/?url=https%3A%2F%2Fwww.google.com%2Furl%3Fq%3Dhttps%253A%252F%252Fsite.example%252Fa%253Fb%253D1",
        "https://duckduckgo.com/l/?uddg=https%3A%2F%2Fsite.example%2Fa%3Fb%3D1",
        "https://www.google.co.uk/url?q=https%3A%2F%2Fsite.example%2Fa%3Fb%3D1",
        "https://m.facebook.com/l.php?u=https%3A%2F%2Fsite.example%2Fa%3Fb%3D1",
    ],
)
def test_a_redirector_is_the_page_to_which_it_leads(url: str) -> None:
    assert canonical(url) == "https://site.example/a?b=1"
    assert identity(url) == identity("http://www.site.example/a/?b=1")


@pytest.mark.parametrize(
    "url",
    [
        "https://www.google.com/url?q=javascript:alert(1)",
        "https://www.google.com/url?q=not+an+address",
        "https://www.google.com/url",
        "https://site.example/url?q=https://elsewhere.example/",
        "https://google.com.site.example/url?q=https://elsewhere.example/",
        "https://www.google.com/amp/s/",
        "https://www.google.com/search?q=https://elsewhere.example/",
    ],
)
def test_what_leads_nowhere_stays_as_it_is(url: str) -> None:
    assert "elsewhere.example" not in str(canonical(url)).partition("?")[0]
    assert canonical(url) is not None
