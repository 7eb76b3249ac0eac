"""Texts from outside, made harmless for Discord: nothing in them mentions, formats, links or reverses.

Discord's markdown takes a backslash before any ASCII punctuation as "this character, as it is". All characters that
mean something anywhere are escaped; those that mean something only at a line's start (headings, lists, subtext)
are escaped there, and line breaks become spaces. Invisible and direction-changing characters are dropped.
"""

import re
from urllib.parse import urlsplit

from bot.cards.limits import shorten

_ZERO_WIDTH_SPACE = "\u200b"
_UNTITLED = "untitled"
LONGEST_URL = 1000

_INVISIBLE = (
    (0x00, 0x08), (0x0E, 0x1B), (0x7F, 0x84), (0x86, 0x9F),  # controls that are no white space
    (0xAD, 0xAD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200B), (0x200E, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F),
    (0x3164, 0x3164), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB),
    (0xD800, 0xDFFF),  # lone surrogates: no UTF-8 for them
    (0xE0000, 0xE0FFF),  # tags
)  # fmt: skip
"""Ranges, both ends included. The joiners U+200C and U+200D stay: emoji and Persian are written with them."""

_DROPPED: dict[int, str | None] = {code: None for first, last in _INVISIBLE for code in range(first, last + 1)}
_ESCAPED: dict[int, str | None] = {
    **_DROPPED,
    **{ord(character): f"\\{character}" for character in "\\*_~|`<>[]():"},
    # A backslash does not keep the server from seeing a mention in the raw text; a character in between does.
    ord("@"): f"@{_ZERO_WIDTH_SPACE}",
}
_IN_LINK: dict[int, str | None] = {
    **_ESCAPED,
    # Discord's pattern for links counts brackets without regard to backslashes: an unpaired one breaks the link.
    ord("["): "\\(",
    ord("]"): "\\)",
}
_LINE_START = re.compile(r"\d*(?=[-+#.])")
_ENCODED = str.maketrans({character: f"%{ord(character):02X}" for character in "()<>[]{}\\\"'`|*^"})
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")


def clean(text: str) -> str:
    """One line without invisible or direction-changing characters; for places that know no markdown (footers)."""
    return " ".join(text.translate(_DROPPED).split())


def escape(text: str) -> str:
    """One line that shows as ``text`` wherever Discord reads markdown; up to twice as long, plus a little."""
    return _escape(text, _ESCAPED)


def link(text: str, url: str, longest: int = LONGEST_URL) -> str:
    """``text``, escaped, as a link; only the text where ``url`` cannot be linked or is longer than ``longest``."""
    shown = _escape(text, _IN_LINK)
    if not shown.strip("\u200c\u200d "):
        shown = _UNTITLED
    address = encode(url)
    return f"[{shown}]({address})" if 0 < len(address) <= longest else shown


def encode(url: str) -> str:
    """The address with all that could end or break a link's target percent-encoded; "" when it cannot be linked.

    Only http(s) addresses of plain host names are linked: what is shown must be where the link leads.
    """
    if not url.startswith(("https://", "http://")) or len(url) > LONGEST_URL:
        return ""
    encoded = url.translate(_ENCODED)
    if not encoded.isascii() or not encoded.isprintable() or " " in encoded:
        encoded = "".join(map(_percent, encoded))
    return encoded if len(encoded) <= LONGEST_URL and _host(encoded) else ""


def domain(url: str) -> str:
    """The host that the link leads to, without ``www.``; "" where there is no link."""
    return _host(encode(url)).removeprefix("www.")


def quoted(text: str, length: int) -> str:
    """At most ``length`` characters of ``text``, cleaned, cut and then escaped."""
    return escape(shorten(clean(text[: 4 * length]), length))


def _escape(text: str, table: dict[int, str | None]) -> str:
    line = " ".join(text.translate(table).split())
    if "\\://" in line:
        # Clients look for addresses in the text after the escapes are gone.
        line = line.replace("\\://", f"\\:{_ZERO_WIDTH_SPACE}//")
    start = _LINE_START.match(line)
    return line if start is None else f"{line[: start.end()]}\\{line[start.end() :]}"


def _host(encoded: str) -> str:
    try:
        host = urlsplit(encoded).hostname or ""
    except ValueError:
        return ""
    return host if _HOST.fullmatch(host) else ""


def _percent(character: str) -> str:
    if character.isascii() and character.isprintable() and character != " ":
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))
