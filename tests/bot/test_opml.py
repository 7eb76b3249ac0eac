"""Lists of feeds: what is written is read again, what is hostile costs nothing."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.guild_settings import MOST_FEEDS
from bot.opml import LARGEST, MOST_OUTLINES, OpmlRefused, Outline, read, write

READER = """<?xml version="1.0" encoding="ISO-8859-1"?>
<OPML version="1.0"><head><title>Mine</title></head><body>
<outline text="Tech"><outline text="More">
<outline type="rss" text="text" title="Caf\xe9 &amp; Co" xmlUrl="https://a.example/feed?x=1&amp;y=2" htmlUrl="https://a.example"/>
</outline></outline>
<outline text="b" xmlurl=" https://b.example/ "/><outline text="no feed"/></body></OPML>"""
BILLION = '<!DOCTYPE opml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><opml>&b;</opml>'
EXTERNAL = (
    '<!DOCTYPE opml [<!ENTITY x SYSTEM "file:///etc/passwd">]><opml><body><outline xmlUrl="&x;"/></body></opml>'
)
DTD = '<!DOCTYPE opml SYSTEM "http://127.0.0.1/evil.dtd"><opml/>'


def test_folders_character_sets_and_spellings_of_other_programs_are_read() -> None:
    assert read(READER.encode("latin-1")) == (
        Outline("https://a.example/feed?x=1&y=2", "Café & Co"),
        Outline("https://b.example/", "b"),
    )
    assert read("<opml><body><outline xmlUrl='é'/></body></opml>".encode("utf-16")) == (Outline("é", ""),)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (BILLION, "document type"),
        (EXTERNAL, "document type"),
        (DTD, "document type"),
        ("<opml>" + "<outline>" * 21, "nested"),
        ("<opml>" + "<a>" * 50_000, "nested"),
        ("<opml><outline xmlUrl='x'/>" + "<outline xmlUrl='x'/>" * MOST_OUTLINES, "more than"),
        ("<opml>" + "<a/>" * 50_000, "too many"),
        ("<rss><channel/></rss>", "no OPML"),
        ("<opml><body>", "line 1"),
        ("<opml>&undefined;</opml>", "line 1"),
        ("", "line 1"),
        ("{}", "line 1"),
        ("<?xml version='1.0' encoding='utf-7'?><opml/>", "character set"),
        ("<?xml version='1.0' encoding='nonsense'?><opml/>", "character set"),
        ("x" * (LARGEST + 1), "at most 256 kB"),
    ],
)
def test_what_is_no_list_is_refused_in_words_at_once(body: str, said: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(OpmlRefused, match=said):
        read(body.encode())
    assert time.perf_counter() - begun < 0.2


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\x00" * 1000, b"<opml>\xff</opml>", b"PK\x03\x04"])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(OpmlRefused):
        read(data)


@given(st.lists(st.builds(Outline, st.text(min_size=1, max_size=40), st.text(max_size=40)), max_size=5), st.text())
def test_what_is_written_is_read_again(feeds: list[Outline], title: str) -> None:
    body = write(feeds, title)
    expected = [(_in_xml(feed.address).strip(), _in_xml(feed.title)) for feed in feeds]
    assert [(one.address, one.title) for one in read(body)] == [pair for pair in expected if pair[0]]


def test_the_longest_list_that_a_server_can_have_is_read_again() -> None:
    feeds = [Outline(f"https://a.example/{number}?{'&' * 460}", "&" * 100) for number in range(MOST_FEEDS)]
    assert read(write(feeds, "title")) == tuple(feeds)


def _in_xml(text: str) -> str:
    """What is left of a text whose characters XML cannot hold are gone."""
    return "".join(char for char in text if char in "\t\n\r" or (char >= " " and char not in "\ufffe\uffff"))
