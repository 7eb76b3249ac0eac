"""A digest's chart says what happened when, to whoever sees it and to whoever does not."""

import asyncio
import io
import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from agents.signal import Signal
from bot import chart as charts
from bot.chart import COLOURS, FAINT_TEXT, GROUND, HEIGHT, LONGEST_ALT, TEXT, WIDTH, Chart, chart, draw
from tests.bot import samples
from tests.bot.cards import nasty

NOON = samples.NOON
DAY = timedelta(days=1)
DISCORD_DARK, DISCORD_LIGHT = (49, 51, 56), (255, 255, 255)

Colour = tuple[int, int, int]


def item(number: int, ago: timedelta, source: str = "reddit", score: float = 0.5) -> Signal:
    return samples.signal(number, source=source, timestamp=NOON - ago, score=score)


def drawn(*signals: Signal, since: datetime = NOON - DAY, zone: str = "UTC") -> Chart:
    return chart(signals, since, NOON, zone, samples.TITLES)


def picture(made: Chart) -> Image.Image:
    return Image.open(io.BytesIO(made.png)).convert("RGB")


def luminance(colour: Colour) -> float:
    """Relative luminance of WCAG 2."""
    parts = [part / 255 for part in colour]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, other: Colour) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def where(image: Image.Image, colour: Colour, top: int, bottom: int) -> list[int]:
    """The columns that have a colour somewhere between two rows."""
    found = set()
    pixels = image.load()
    assert pixels is not None
    for x in range(image.width):
        for y in range(top, bottom, 3):
            pixel = pixels[x, y]
            assert isinstance(pixel, tuple)
            if max(abs(a - b) for a, b in zip(pixel, colour, strict=True)) <= 4:
                found.add(x)
    return sorted(found)


@pytest.mark.parametrize("colour", COLOURS)
def test_every_source_is_seen_on_the_charts_own_ground(colour: Colour) -> None:
    assert contrast(colour, GROUND) >= 4.5


def test_texts_are_read_on_it_and_it_lets_no_theme_through() -> None:
    assert contrast(TEXT, GROUND) >= 7
    assert contrast(FAINT_TEXT, GROUND) >= 4.5
    image = Image.open(io.BytesIO(drawn(item(1, DAY / 2)).png))
    assert "transparency" not in image.info
    assert image.mode == "P"
    assert image.convert("RGB").getpixel((2, 2)) == GROUND


def test_it_says_in_words_what_it_shows() -> None:
    made = drawn(
        item(1, timedelta(hours=1, minutes=5), score=0.9),
        item(2, timedelta(hours=1, minutes=20), score=0.25),
        item(3, timedelta(hours=9), "news", 0.5),
        zone="America/New_York",
    )
    assert made.alt == (
        "Chart of 3 new items from Fri 31 Jul 08:00 to Sat 1 Aug 08:00 (America/New_York). "
        "Reddit: 2, score 0.25 to 0.90. News: 1, score 0.50. "
        "Most at once: 2, from Sat 1 Aug 06:00 to Sat 1 Aug 07:00."
    )


def test_bars_stand_where_their_items_were_published() -> None:
    """The first and the last hour of a day: at the left and at the right end of the axis."""
    made = drawn(item(1, DAY - timedelta(minutes=30)), item(2, timedelta(minutes=30), "hackernews"))
    image = picture(made)
    left, right = where(image, COLOURS[0], 200, 290), where(image, COLOURS[1], 200, 290)
    assert left[-1] < WIDTH * 0.15
    assert right[0] > WIDTH * 0.9


def test_better_items_stand_higher() -> None:
    image = picture(drawn(item(1, DAY * 0.8, score=0.95), item(2, DAY * 0.3, score=0.05)))
    high = where(image, COLOURS[0], 350, 400)
    low = where(image, COLOURS[0], 470, 530)
    assert high[0] < WIDTH / 2 < low[0]


def test_what_rose_late_is_on_it_although_it_is_older_than_the_period() -> None:
    made = drawn(item(1, timedelta(hours=40)), item(2, timedelta(hours=2)))
    assert "from Thu 30 Jul" in made.alt


def test_a_source_keeps_its_colour_from_chart_to_chart() -> None:
    alone = picture(drawn(item(1, DAY / 2, "news")))
    beside = picture(drawn(item(1, DAY / 2, "news"), *(item(number, DAY / 3) for number in range(2, 9))))
    assert where(alone, COLOURS[2], 10, 50)
    assert where(beside, COLOURS[2], 10, 50)
    assert not where(alone, COLOURS[0], 10, 50)


def test_more_sources_than_colours_are_told_together() -> None:
    made = drawn(*(item(number, DAY / 2, f"source{number}") for number in range(12)))
    assert "others: 5" in made.alt


@pytest.mark.parametrize(
    ("days", "most"),
    [
        (1 / 24, "from Sat 1 Aug 11:58 to Sat 1 Aug 12:00"),
        (1, "from Sat 1 Aug 11:00 to Sat 1 Aug 12:00"),
        (7, "from Sat 1 Aug 06:00 to Sat 1 Aug 12:00"),
        (30, "on Sat 1 Aug"),
    ],
)
def test_bars_are_as_long_as_the_period_asks_for(days: float, most: str) -> None:
    made = drawn(item(1, timedelta(minutes=1)), item(2, timedelta(minutes=2)), since=NOON - timedelta(days=days))
    assert made.alt.endswith(f"Most at once: 2, {most}.")


@pytest.mark.parametrize(("day", "offset"), [(datetime(2026, 3, 29, 12, tzinfo=UTC), "+2"),
                                             (datetime(2026, 10, 25, 12, tzinfo=UTC), "+1")])  # fmt: skip
def test_the_day_of_a_clock_change_is_drawn_and_told_in_the_zones_own_time(day: datetime, offset: str) -> None:
    signals = [samples.signal(number, timestamp=day - timedelta(hours=number)) for number in range(1, 24)]
    made = chart(signals, day - DAY, day, "Europe/Berlin", samples.TITLES)
    local = 12 + int(offset)
    assert re.search(rf"to Sun \d+ \w+ {local}:00 \(Europe/Berlin\)", made.alt)


def test_equal_values_are_the_same_picture() -> None:
    signals = [item(number, DAY * number / 30) for number in range(1, 25)]
    assert drawn(*signals) == drawn(*signals)


@settings(max_examples=25, deadline=None)
@given(st.lists(nasty.signals, max_size=12), st.timedeltas(timedelta(0), timedelta(days=400)))
def test_whatever_it_is_given_it_is_a_small_picture_of_one_size(signals: list[Signal], period: timedelta) -> None:
    made = chart(signals, NOON - period, NOON, "Pacific/Apia", samples.TITLES)
    assert picture(made).size == (WIDTH, HEIGHT)
    assert len(made.png) < 100_000
    assert 0 < len(made.alt) <= LONGEST_ALT


def test_the_most_that_a_digest_finds_is_small_too() -> None:
    signals = [
        item(number, timedelta(minutes=97 * number % 43200), f"s{number % 8}", number % 100 / 100)
        for number in range(1000)
    ]
    assert len(drawn(*signals, since=NOON - timedelta(days=30)).png) < 100_000


def test_one_item_of_a_source_is_drawn_upon_a_thousand_of_another() -> None:
    image = picture(drawn(*(item(number, DAY / 2, "reddit" if number else "news") for number in range(1000))))
    assert where(image, COLOURS[0], 200, 290)


def test_a_thousand_items_do_not_cover_each_other() -> None:
    signals = [
        item(number, timedelta(minutes=97 * number % 10080), f"s{number % 8}", number % 100 / 100)
        for number in range(1000)
    ]
    scores = picture(drawn(*signals, since=NOON - timedelta(days=7))).crop((100, 370, 960, 510))
    free = {colour: count for count, colour in scores.getcolors() or ()}[GROUND]
    assert free > 0.5 * scores.width * scores.height


async def test_it_is_drawn_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    real = charts.chart

    def watched(*values: object) -> Chart:
        threads.append(threading.current_thread())
        return real(*values)  # type: ignore[arg-type]

    monkeypatch.setattr(charts, "chart", watched)
    made, _ = await asyncio.gather(draw([item(1, DAY / 2)], NOON - DAY, NOON, "UTC", {}), asyncio.sleep(0))
    assert made.png.startswith(b"\x89PNG")
    assert threads != [threading.main_thread()]
