"""The program that reads feeds, in a process of its own, so that it can be limited and killed.

Run by ``agents.sources.feeds`` as a script, without the rest of ``agents``: it starts in a moment and knows no
secret. It reads requests from standard input and writes replies to standard output, each a message of MessagePack
behind its length (4 bytes, big endian), until its input ends.

Formats: RSS 0.9 to 2.0 and RDF (https://www.rssboard.org), Atom (RFC 4287), JSON Feed 1.0 and 1.1
(https://www.jsonfeed.org/version/1.1/). The text is decoded here, by what fits the bytes: a byte order mark, UTF-8
(other text is hardly ever valid in it, and declarations are often wrong), the HTTP header, the XML declaration, and
at last Windows-1252.
"""

import calendar
import codecs
import io
import os
import re
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

import msgspec

CPU_LIMIT_S = 6
"""Of one request; the parent gives up earlier, by the clock on the wall."""
MEMORY_LIMIT_BYTES = 768_000_000
"""Of address space, of which the libraries take a third."""
RETIRE_ABOVE_KB = 200_000
"""A worker whose memory once rose above this asks to be replaced."""
LENGTH = struct.Struct(">I")

_TEXT_CHARS = 8_000
_KEY_CHARS = 2_000
_DATE_CHARS = 60
_MOST_LINKS = 10
_FEED_TYPES = frozenset({"application/rss+xml", "application/atom+xml", "application/feed+json"})
_DECLARATION = re.compile(r"\s*<\?xml[^>]{0,200}?\?>")
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_WEB_PAGE = re.compile(r"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_ITEM_END = re.compile(r"</(?:\w{1,20}:)?(?:item|entry)\s*>", re.IGNORECASE)
_NOT_IN_XML = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)])
_CONTROLS_NOT_IN_XML = bytes(code for code in _NOT_IN_XML if code < 32)
_NONCHARACTERS = ("\ufffe".encode(), "\uffff".encode())
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
"""And the two beginnings of UTF-16 that were sent without a mark."""
_CHARSETS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    **{
        name: name
        for name in (
            "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "big5", "cp932", "cp949", "euc_jp",
            "iso2022_jp", "koi8-r", "koi8-u", "mac-roman", *(f"iso8859-{n}" for n in (*range(2, 12), 13, 14, 15, 16)),
            *(f"cp125{n}" for n in range(9)),
        )
    },
}  # fmt: skip
"""By Python's name of the declared one: what browsers read it as. Others (utf-7 first of all) are not read."""


class ParseRequest(msgspec.Struct):
    """One body as it came, with the character set of its HTTP header."""

    body: bytes
    charset: str | None
    max_items: int
    is_page: bool = False
    """It is a web page, asked which feeds it names."""


class Entry(msgspec.Struct):
    """One item, as the feed wrote it (texts may be HTML), each text cut to some thousand characters."""

    key: str
    """Its guid or id; else empty."""
    title: str
    link: str
    author: str
    summary: str
    content: str
    published_s: float | None
    """Seconds since 1970; None when the feed gives no date that can be read."""


class Feed(msgspec.Struct):
    """What is known of the feed itself, and its first items."""

    title: str
    entries: list[Entry]


class FeedLink(msgspec.Struct):
    """A feed that a page names, as the page wrote it."""

    href: str
    title: str


class Page(msgspec.Struct):
    """What a web page says of feeds, in its order."""

    links: list[FeedLink]
    base: str = ""
    """What its addresses are relative to, where it says so; may be relative itself."""


class ParseReply(msgspec.Struct):
    """The feed, the page or a reason for people; ``retire``: end this process after the answer."""

    feed: Feed | None = None
    page: Page | None = None
    error: str = ""
    retire: bool = False


class NotAFeed(ValueError):
    """A body that cannot be read as a feed; the text is a sentence for people."""


def decode(body: bytes, charset: str | None) -> str:
    """The body as text that XML allows, without a byte order mark and an XML declaration."""
    for mark, marked in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            skip = 0 if b"<" in mark else len(mark)
            return _clean(body[skip:].decode(marked, "replace"))
    declared = _DECLARED.match(body[:400])
    names = (charset, declared[1].decode() if declared else None)
    encodings = [encoding for name in names if (encoding := _python_charset(name))]
    if "iso2022_jp" not in encodings:  # which is valid UTF-8 too
        encodings.insert(0, "utf-8")
    for encoding in encodings:
        try:
            return _clean(body.decode(encoding))
        except UnicodeDecodeError:
            continue
    return _clean(body.decode("cp1252", "replace"))


def _python_charset(name: str | None) -> str | None:
    if not name:
        return None
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    if known == "utf-7":
        raise NotAFeed("The feed is written in UTF-7, which is not read because it can hide markup.")
    return _CHARSETS.get(known)


def _clean(text: str) -> str:
    if not _is_xml_text(text):
        text = text.translate(_NOT_IN_XML)
    return _DECLARATION.sub("", text, count=1)


def _is_xml_text(text: str) -> bool:
    """Whether XML allows all of its characters, as nearly always; found ten times as fast as they are taken out."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    if any(character in encoded for character in _NONCHARACTERS):
        return False
    return len(encoded.translate(None, _CONTROLS_NOT_IN_XML)) == len(encoded)


def read_feed(text: str, max_items: int) -> Feed:
    """The feed of that text; ``NotAFeed`` when it is none."""
    start = text.lstrip()[:1]
    if start == "{":
        return _read_json(text, max_items)
    if start != "<" or _WEB_PAGE.match(text):
        raise NotAFeed("What came is not a feed.")
    text = _first_items(text, max_items)
    feed = _read_fast(text, max_items)
    if feed is None or not feed.entries:
        feed = _read_slowly(text, max_items) or feed
    if feed is None:
        raise NotAFeed("What came is not a feed.")
    return feed


def _first_items(text: str, max_items: int) -> str:
    """The text up to the end of its last wanted item: the parsers build all items that they are given."""
    if text.count("</") <= max_items:
        return text
    for number, end in enumerate(_ITEM_END.finditer(text), 1):
        if number == max_items:
            return text[: end.end()]
    return text


def _read_fast(text: str, max_items: int) -> Feed | None:
    import fastfeedparser

    try:
        # Bytes: a string that begins with http:// would be fetched.
        parsed = fastfeedparser.parse(
            text.encode(), include_content=True, include_tags=False, include_media=False, include_enclosures=False
        )
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError, RecursionError):
        return None
    title = _text(parsed.get("feed", {}).get("title"))
    items = parsed.get("entries", [])
    dates = _plain_dates(text, len(items))
    return Feed(title, [_fast_entry(item, date) for item, date in zip(items[:max_items], dates, strict=False)])


def _plain_dates(text: str, count: int) -> list[str]:
    """The publication date that each item of an RSS feed spells; empty where that takes more than a look."""
    items = text.split("<item>")[1:]
    if len(items) != count:
        return [""] * count
    return [item.partition("<pubDate>")[2][:_DATE_CHARS].partition("<")[0] for item in items]


def _fast_entry(item: Mapping[str, Any], plain_date: str) -> Entry:
    key = _text(item.get("id"), _KEY_CHARS)
    return Entry(
        key=key,
        title=_text(item.get("title")),
        link=_text(item.get("link"), _KEY_CHARS) or (key if key.startswith(("http://", "https://")) else ""),
        author=_text(item.get("author")),
        summary=_text(item.get("description")),
        content=_content(item.get("content")),
        published_s=_fast_date(item, key, plain_date),
    )


def _fast_date(item: Mapping[str, Any], key: str, plain_date: str) -> float | None:
    """When it was published, else updated.

    For want of a date the parser reads one into the guid: ``1`` becomes the first of a month. That is no date. Asking
    it what it makes of a guid takes as long as the rest of the item, so the date that stands there is asked first.
    """
    from fastfeedparser.main import _parse_date

    published = item.get("published")
    if published and key and not key.startswith(("http://", "https://")):
        is_written = bool(plain_date) and _parse_date(plain_date) == published
        if not is_written and _parse_date(key) == published:
            published = None
    return _iso_seconds(published) or _iso_seconds(item.get("updated"))


def _read_slowly(text: str, max_items: int) -> Feed | None:
    import feedparser

    headers = {"content-type": "application/xml; charset=utf-8"}
    parsed = feedparser.parse(io.BytesIO(text.encode()), response_headers=headers, sanitize_html=False)
    if not parsed.get("version") and not parsed.entries:
        return None
    return Feed(_text(parsed.feed.get("title")), [_slow_entry(item) for item in parsed.entries[:max_items]])


def _slow_entry(item: Mapping[str, Any]) -> Entry:
    key = _text(item.get("id"), _KEY_CHARS)
    return Entry(
        key=key,
        title=_text(item.get("title")),
        link=_text(item.get("link"), _KEY_CHARS),
        author=_text(item.get("author")),
        summary=_text(item.get("summary")),
        content=_content(item.get("content")),
        published_s=_tuple_seconds(item.get("published_parsed")) or _tuple_seconds(item.get("updated_parsed")),
    )


def _content(parts: Any) -> str:
    first = parts[0] if isinstance(parts, list) and parts else None
    return _text(first.get("value")) if isinstance(first, Mapping) else ""


class _Person(msgspec.Struct):
    name: str = ""


class _JsonItem(msgspec.Struct):
    """An item of a JSON Feed; numbers as ids occur and are allowed."""

    id: str | int | float = ""
    url: str | None = None
    external_url: str | None = None
    title: str | None = None
    summary: str | None = None
    content_html: str | None = None
    content_text: str | None = None
    date_published: str | None = None
    date_modified: str | None = None
    author: _Person | None = None
    authors: list[_Person] | None = None


class _JsonFeed(msgspec.Struct):
    items: list[msgspec.Raw]
    title: str = ""


def _read_json(text: str, max_items: int) -> Feed:
    try:
        feed = msgspec.json.decode(text, type=_JsonFeed)
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotAFeed("What came is JSON, but not a JSON Feed.") from error
    items = (_json_entry(item) for item in _json_items(feed.items))
    entries = [entry for entry, _ in zip(items, range(max_items), strict=False)]
    return Feed(_text(feed.title), entries)


def _json_items(raws: Iterable[msgspec.Raw]) -> Iterator[_JsonItem]:
    for raw in raws:
        try:
            yield msgspec.json.decode(raw, type=_JsonItem)
        except (msgspec.DecodeError, RecursionError):
            continue


def _json_entry(item: _JsonItem) -> Entry:
    authors = item.authors or ([item.author] if item.author else [])
    content = item.content_html or item.content_text
    return Entry(
        key=_text(str(item.id), _KEY_CHARS),
        title=_text(item.title),
        link=_text(item.url or item.external_url, _KEY_CHARS),
        author=_text(", ".join(person.name for person in authors[:3])),
        summary=_text(item.summary),
        content=_text(content),
        published_s=_iso_seconds(item.date_published) or _iso_seconds(item.date_modified),
    )


def read_page(text: str) -> Page:
    """The feeds that a web page names (https://blog.whatwg.org/feed-autodiscovery), the first few of them."""
    from lxml import etree  # type: ignore[import-untyped]

    links = _FeedLinks()
    parser = etree.HTMLParser(target=links, encoding="utf-8")
    parser.feed(text.encode())
    parser.close()
    return links.close()


class _FeedLinks:
    """What lxml tells of each element, of which no tree is built."""

    def __init__(self) -> None:
        self._page = Page([])

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        href = _text(attributes.get("href"), _KEY_CHARS)
        if tag == "base":
            self._page.base = self._page.base or href
        elif tag == "link" and href and _names_feed(attributes) and len(self._page.links) < _MOST_LINKS:
            self._page.links.append(FeedLink(href, _text(attributes.get("title"), _KEY_CHARS)))

    def close(self) -> Page:
        return self._page


def _names_feed(attributes: Mapping[str, str]) -> bool:
    kind = attributes.get("type", "").partition(";")[0].strip().lower()
    return kind in _FEED_TYPES and "alternate" in attributes.get("rel", "").lower().split()


def _text(value: Any, limit: int = _TEXT_CHARS) -> str:
    return value.strip()[:limit] if isinstance(value, str) else ""


def _iso_seconds(text: Any) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _tuple_seconds(parts: Any) -> float | None:
    try:
        return float(calendar.timegm(parts))
    except (TypeError, ValueError, OverflowError):
        return None


def answer(request: ParseRequest) -> ParseReply:
    """Decode and read one body; what goes wrong is said in the reply."""
    try:
        text = decode(request.body, request.charset)
        if request.is_page:
            return ParseReply(page=read_page(text))
        return ParseReply(feed=read_feed(text, request.max_items))
    except NotAFeed as error:
        return ParseReply(error=str(error))
    except (MemoryError, RecursionError):
        return ParseReply(error="The feed needs more memory than a feed should.", retire=True)
    except Exception as error:  # noqa: BLE001 - the parsers' own mistakes on hostile input, of any type
        return ParseReply(error=f"The feed could not be read ({type(error).__name__}).", retire=True)


def serve(inlet: BinaryIO, outlet: BinaryIO, limit_cpu: Callable[[], None], memory_kb: Callable[[], int]) -> None:
    """Answer requests until the input ends."""
    while True:
        head = inlet.read(LENGTH.size)
        if len(head) < LENGTH.size:
            return
        request = msgspec.msgpack.decode(inlet.read(LENGTH.unpack(head)[0]), type=ParseRequest)
        limit_cpu()
        reply = answer(request)
        reply.retire = reply.retire or memory_kb() > RETIRE_ABOVE_KB
        message = msgspec.msgpack.encode(reply)
        outlet.write(LENGTH.pack(len(message)) + message)
        outlet.flush()


def main() -> None:
    """Limit this process, load the parsers, say so with one byte, and serve."""
    import resource

    def limit_cpu() -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = int(used.ru_utime + used.ru_stime) + CPU_LIMIT_S
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))

    def memory_kb() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    os.environ["FASTFEEDPARSER_DISABLE_CORE"] = (
        "1"  # the native core reads some feeds otherwise than its own fallback
    )
    import fastfeedparser  # noqa: F401

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
    serve(sys.stdin.buffer, sys.stdout.buffer, limit_cpu, memory_kb)


if __name__ == "__main__":
    main()
