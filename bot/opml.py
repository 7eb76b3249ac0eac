"""Lists of feeds as feed readers exchange them: OPML 2.0 (http://opml.org/spec2.opml).

Read without trusting it: no document type, so no entities of its own; bounded in bytes, depth and outlines.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

LARGEST = 256 * 1024
"""Bytes. What the most and longest feeds that a server may have come to, at worst, is some 150 kB."""
MOST_OUTLINES = 300
"""Feeds of one list."""
_MOST_ELEMENTS = 3000
_DEEPEST = 20
_ROOT = "opml"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_FORBIDDEN = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)])
"""What no XML may hold, however it is written."""


@dataclass(frozen=True, slots=True)
class Outline:
    """One feed of a list, as the file has it: nothing about it was checked."""

    address: str
    title: str


class OpmlRefused(ValueError):
    """A file that is not read; the text is a sentence for people."""


def read(data: bytes) -> tuple[Outline, ...]:
    """The feeds of a list in their order, whatever folders they are in. Raises ``OpmlRefused``."""
    if len(data) > LARGEST:
        raise OpmlRefused(
            f"The file has {len(data) / 1024:,.0f} kB; a list of feeds has at most {LARGEST // 1024} kB."
        )
    reader = _Reader()
    try:
        reader.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise OpmlRefused(f"The file is no OPML: line {error.lineno}, column {error.offset + 1}.") from error
    except (ValueError, LookupError) as error:
        if isinstance(error, OpmlRefused):
            raise
        raise OpmlRefused("The file is in a character set that is not read; save it as UTF-8.") from error
    return tuple(reader.outlines)


def write(feeds: Iterable[Outline], title: str) -> bytes:
    """The list as a file, in UTF-8."""
    titled = f"  <head><title>{escape(_allowed(title))}</title></head>"
    lines = (
        f'    <outline type="rss" text={_attribute(feed.title)} xmlUrl={_attribute(feed.address)}/>' for feed in feeds
    )
    whole = (_DECLARATION, '<opml version="2.0">', titled, "  <body>", *lines, "  </body>", "</opml>", "")
    return "\n".join(whole).encode()


class _Reader:
    """What expat tells of each element."""

    def __init__(self) -> None:
        self.outlines: list[Outline] = []
        self._depth = 0
        self._elements = 0
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._doctype

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if not self._depth and name.lower() != _ROOT:
            raise OpmlRefused("The file is no OPML; feed readers offer it as “export”.")
        self._depth += 1
        self._elements += 1
        if self._elements > _MOST_ELEMENTS:
            raise OpmlRefused("The file has too many elements for a list of feeds.")
        if self._depth > _DEEPEST:
            raise OpmlRefused(f"The file is nested too deeply: folders within folders, more than {_DEEPEST}.")
        given = {key.lower(): value for key, value in attributes.items()}
        if name.lower() == "outline" and (address := given.get("xmlurl", "").strip()):
            self.outlines.append(Outline(address, given.get("title") or given.get("text", "")))
            if len(self.outlines) > MOST_OUTLINES:
                raise OpmlRefused(f"The file has more than {MOST_OUTLINES} feeds.")

    def _end(self, _name: str) -> None:
        self._depth -= 1

    def _doctype(self, *_declared: object) -> None:
        raise OpmlRefused("The file declares a document type, which can hide all kinds of things; OPML needs none.")


def _attribute(text: str) -> str:
    return quoteattr(_allowed(text))


def _allowed(text: str) -> str:
    return text.translate(_FORBIDDEN)
