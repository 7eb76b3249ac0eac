"""Text of strangers made plain: no markup, nothing invisible, nothing that turns the reading direction.

What comes out is not escaped for any display; whoever shows it escapes it for where it is shown.
"""

import html
import re
import unicodedata

import nh3

_INPUT_CAP = 20_000
_TAG_CAP = 600
"""An HTML parser compares open tags with each other, so hostile markup costs the square of their number."""
_MARKS_CAP = 8
"""Combining marks on one letter; real writing needs fewer, and sorting long runs of them is quadratic in C."""
_WORD_REACH = 24
"""How far back from the cut an end of a word is looked for."""

_ZWJ = "\u200d"
_EMOJI = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935"
    "\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_STRAY_SELECTOR = re.compile(f"(?<![{_EMOJI}])(?<![0-9#*](?=.\u20e3))[\ufe0e\ufe0f]")
_STRAY_JOINER = re.compile(f"(?<![{_EMOJI}\ufe0f]){_ZWJ}|{_ZWJ}(?![{_EMOJI}])")

_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Printable by category, yet seen as nothing: Hangul fillers and the empty Braille cell."""
_IGNORABLE = frozenset("\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f") | {
    chr(point) for point in (*range(0xFE00, 0xFE0E), *range(0xE0100, 0xE01F0))
}
"""Default ignorable, though no format character: joiners of graphemes and variation selectors without emoji."""
_UNMARKED_MARKS = frozenset("\u0f73\u0f75\u0f81")
"""Combining class 0, but NFC takes them apart into marks that have one."""
_BLOCK_TAG = re.compile(
    r"<(?=/?(?:p|br|div|li|ul|ol|tr|td|th|table|h[1-6]|hr|pre|blockquote|article|section|figure|figcaption|dd|dt)\b)",
    re.IGNORECASE,
)


def plain(text: str | None, limit: int) -> str | None:
    """At most ``limit`` code points of plain text, given text that is not HTML; None when nothing is left.

    ``List<String> & co`` stays as it is. Format, control, private and unassigned characters go (joiners and
    variation selectors stay inside emoji), white space collapses, the rest is in NFC. Idempotent, and linear in
    the length of its input, of which no more than 20,000 characters are looked at.
    """
    if not text:
        return None
    if len(text) <= limit and text.isascii() and text.isprintable() and "  " not in text:
        return text.strip() or None
    visible = _visible(text[:_INPUT_CAP])
    composed = unicodedata.normalize("NFC", visible)
    # Composing may have taken one mark apart into two.
    spaced = " ".join(_cap_marks(composed).split())
    return _cut(spaced, limit) or None


def plain_html(markup: str | None, limit: int) -> str | None:
    """The same for HTML: tags and comments go, scripts and styles with what is in them, entities are decoded once.

    The first 600 tags are looked at, which is plenty for an excerpt.
    """
    if not markup:
        return None
    if "<" not in markup and "&" not in markup:
        return plain(markup, limit)
    head = "<".join(markup[:_INPUT_CAP].split("<", _TAG_CAP + 1)[: _TAG_CAP + 1])
    spaced = _BLOCK_TAG.sub(" <", head)
    # nh3 takes no lone surrogates.
    encodable = spaced.encode("utf-8", "ignore").decode("utf-8")
    # Always through nh3, even without a tag: html.unescape alone raises on numbers of thousands of digits.
    cleaned = nh3.clean(encodable, tags=set(), clean_content_tags={"script", "style"})
    return plain(html.unescape(cleaned), limit)


def _visible(text: str) -> str:
    kept = "".join([char if char.isprintable() else _instead(char) for char in text])
    if not kept.isascii():
        kept = "".join([" " if char in _BLANKS else char for char in kept if char not in _IGNORABLE])
        kept = _STRAY_JOINER.sub("", _STRAY_SELECTOR.sub("", kept))
    return _cap_marks(kept)


def _instead(char: str) -> str:
    if char.isspace():
        return " "
    return char if char == _ZWJ else ""


def _cap_marks(text: str) -> str:
    if text.isascii():
        return text
    kept: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) or char in _UNMARKED_MARKS else 0
        if marks <= _MARKS_CAP:
            kept.append(char)
    return "".join(kept)


def _cut(text: str, limit: int) -> str:
    """The text, or its beginning with an ellipsis, at the end of a word where one is near."""
    if len(text) <= limit:
        return text
    end = max(limit - 1, 0)
    space = text.rfind(" ", max(end - _WORD_REACH, 1), end + 1)
    if space > 0:
        end = space
    else:
        while end > 0 and limit - end <= _WORD_REACH and _joins(text[end - 1], text[end]):
            end -= 1
    return (text[:end].rstrip(f" {_ZWJ}") + "…")[:limit]


def _joins(before: str, after: str) -> bool:
    """Whether a cut between the two would break what is seen as one character."""
    return (
        _ZWJ in (before, after)
        or after in "\ufe0e\ufe0f\u20e3"
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or unicodedata.combining(after) != 0
    )
