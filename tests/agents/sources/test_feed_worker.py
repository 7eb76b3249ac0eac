"""The program that reads feeds: character sets, and bytes of any kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.sources.feed_worker import NotAFeed, decode, read_feed

FEED = b'<rss version="2.0"><channel><title>Wire</title><item><title>T1</title></item></channel></rss>'


@pytest.mark.parametrize(
    ("charset", "declared", "encoding"),
    [
        (None, None, "utf-8"),
        ("utf-8", None, "utf-8-sig"),
        (None, None, "utf-16"),
        (None, "utf-16", "utf-16-le"),
        (None, None, "utf-32"),
        ("iso-8859-1", None, "cp1252"),
        (None, "windows-1252", "cp1252"),
        (None, None, "cp1252"),
        ("iso-8859-1", "utf-8", "utf-8"),
        ("utf-8", "utf-8", "cp1252"),
        ("nonsense", "more-nonsense", "utf-8"),
        ("hex", "rot13", "utf-8"),
        ("us-ascii", None, "utf-8"),
    ],
)
def test_texts_survive_declared_missing_and_wrong_charsets(
    charset: str | None, declared: str | None, encoding: str
) -> None:
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else '<?xml version="1.0"?>'
    body = f"{head}<rss><title>Café – “naïve”</title></rss>".encode(encoding)

    assert decode(body, charset) == "<rss><title>Café – “naïve”</title></rss>"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("shift_jis", "日本語"),
        ("iso2022_jp", "日本語"),
        ("gb2312", "中文"),
        ("koi8-r", "Русский"),
        ("euc-kr", "한국어"),
    ],
)
def test_other_scripts_are_read_as_declared(encoding: str, text: str) -> None:
    assert decode(f"<a>{text}</a>".encode(encoding), encoding) == f"<a>{text}</a>"


@pytest.mark.parametrize(("charset", "head"), [("utf-7", ""), (None, '<?xml version="1.0" encoding="UTF-7"?>')])
def test_utf_7_is_refused(charset: str | None, head: str) -> None:
    with pytest.raises(NotAFeed, match="UTF-7"):
        decode(head.encode() + FEED, charset)


@given(st.binary(max_size=300), st.none() | st.text(max_size=12))
def test_no_bytes_raise_anything_but_not_a_feed(noise: bytes, charset: str | None) -> None:
    for body in (noise, FEED[: len(noise)] + noise + FEED[len(noise) :]):
        try:
            text = decode(body, charset)
        except NotAFeed:
            continue
        assert "\0" not in text
        if not text.lstrip().startswith("<"):
            with pytest.raises(NotAFeed):
                read_feed(text, 10)


@pytest.mark.parametrize("dated", [False, True])
@pytest.mark.parametrize("guid", ["1", "12", "2024-05-01", "https://site.example/1"])
def test_an_id_is_no_date(guid: str, dated: bool) -> None:
    date = "<pubDate>Mon, 05 Jan 2026 10:00:00 GMT</pubDate>" if dated else ""
    item = f"<item><title>T</title><link>https://site.example/1</link><guid>{guid}</guid>{date}</item>"
    body = f'<rss version="2.0"><channel><title>Wire</title>{item}</channel></rss>'
    [entry] = read_feed(body, 10).entries
    assert entry.published_s == (1767607200.0 if dated else None)


@pytest.mark.parametrize("date", ["soon", "", "<b>soon</b>"])
def test_nor_is_it_one_beside_a_date_that_cannot_be_read(date: str) -> None:
    item = f"<item><title>T</title><guid>12</guid><pubDate>{date}</pubDate></item>"
    [entry] = read_feed(f'<rss version="2.0"><channel>{item}</channel></rss>', 10).entries
    assert entry.published_s is None


def test_nor_where_the_beginning_of_an_item_is_quoted() -> None:
    quoting = "<item><title>A</title><guid>12</guid><description><![CDATA[Write <item> first]]></description></item>"
    dated = "<item><title>B</title><guid>1</guid><pubDate>Mon, 05 Jan 2026 10:00:00 GMT</pubDate></item>"
    feed = read_feed(f'<rss version="2.0"><channel>{quoting}{dated}</channel></rss>', 10)
    assert [entry.published_s for entry in feed.entries] == [None, 1767607200.0]
