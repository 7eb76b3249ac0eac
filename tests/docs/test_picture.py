"""The picture in README.md is small, safe, honest about its samples, and can be drawn again."""

import re
from xml.etree import ElementTree as ET

from docs.picture import LINE, PICTURE, draw

MOST_BYTES = 150_000


def check(picture: str) -> None:
    root = ET.fromstring(picture)
    text = " ".join(root.itertext())
    assert root.tag.endswith("svg")
    assert "samples" in text
    assert LINE in text
    assert "Python" in text
    assert re.findall(r"https?://[^\"]*", picture) == ["http://www.w3.org/2000/svg"], "no address but the namespace"
    assert not re.search(r"<(script|image|style|foreignObject|use)\b|@import|url\(", picture)


def test_the_committed_picture_is_light_and_needs_nothing_from_elsewhere() -> None:
    assert PICTURE.stat().st_size < MOST_BYTES
    check(PICTURE.read_text(encoding="utf-8"))


async def test_it_is_drawn_from_the_real_bots_answer() -> None:
    check(await draw())
