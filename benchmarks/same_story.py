"""How well near-identical titles are told, on pairs that people judged, and how fast among ten thousand.

``python -m benchmarks.same_story PAIRS.tsv…``: the lines of each file are a label (1 or 0) and two titles. Without
paths: the labelled pairs beside the project, where there are any.
"""

import asyncio
import random
import sys
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from agents.ranking.duplicates import MIN_WORDS, Headline, alike, same_story, stories
from agents.ranking.reading import read, words
from agents.ranking.similarity import Title, log_odds
from agents.signal import Signal
from benchmarks.figure import TIMES, Measured, NotMeasurable, Size

NAME = "same-story"
LABELLED = Path(__file__).parents[1].parent / "shared" / "labelled"
AREA_LIMITS = {"twitter-url-train": 0.92, "news-train": 0.78}
"""Of other files: the smaller one."""
PRECISION_LIMIT = 0.95
RECALL_LIMIT = 0.28
TIME_LIMIT = 1 / 50
PAIRS_LIMIT = 0.99
_PAIRS = {Size.FULL: None, Size.TINY: 400}
_TITLES = {Size.FULL: 10_000, Size.TINY: 300}

Pair = tuple[bool, str, str]


async def measure(size: Size) -> list[Measured]:
    """Everything, on the pairs beside the project. Raises ``NotMeasurable`` where there are none."""
    paths = sorted(LABELLED.glob("*.tsv"))
    if not paths:
        raise NotMeasurable(
            f"There are no labelled pairs in {LABELLED}: name a file, python -m benchmarks.same_story FILE"
        )
    return await asyncio.to_thread(_measure, paths, size)


def _measure(paths: Sequence[Path], size: Size) -> list[Measured]:
    files = {path.stem: _read(path)[: _PAIRS[size]] for path in paths}
    areas = [_area(name, pairs) for name, pairs in files.items()]
    decisions = [_merged(name, pairs) for name, pairs in files.items()]
    together = [pair for pairs in files.values() for pair in pairs]
    return [*areas, *decisions, _recall(together), *_deduplicated(together, _TITLES[size])]


def _read(path: Path) -> list[Pair]:
    lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line)
    return [(label == "1", one, other) for label, one, other, *_ in lines]


def _area(name: str, pairs: Sequence[Pair]) -> Measured:
    """Under the receiver operating characteristic: how often a pair of one story is more alike than one of two."""
    scores = [(log_odds(Title.of(words(one)), Title.of(words(other))), same) for same, one, other in pairs]
    different = sorted(score for score, same in scores if not same)
    wins = [(bisect_left(different, s) + bisect_right(different, s)) / 2 for s, same in scores if same]
    area = sum(wins) / (len(wins) * len(different))
    limit = AREA_LIMITS.get(name, min(AREA_LIMITS.values()))
    figure = f"area under the curve of similarity, {name}"
    return Measured(
        figure, area, limit, "", f"{len(wins)} pairs of one story, {len(different)} of two", at_least=True
    )


def _merged(name: str, pairs: Sequence[Pair]) -> Measured:
    labels = [same for same, one, other in pairs if same_story(one, other)]
    figure = f"precision of what is merged, {name}"
    precision = sum(labels) / max(len(labels), 1)
    details = f"{len(labels)} merged; recall {sum(labels) / sum(same for same, _, _ in pairs):.3f}"
    return Measured(figure, precision, PRECISION_LIMIT, "", details, at_least=True)


def _recall(pairs: Sequence[Pair]) -> Measured:
    found = sum(same_story(one, other) for same, one, other in pairs if same)
    of_one_story = sum(same for same, _, _ in pairs)
    details = f"{found} of {of_one_story} pairs of one story, all files"
    return Measured("recall of what is merged", found / of_one_story, RECALL_LIMIT, "", details, at_least=True)


def _deduplicated(pairs: Sequence[Pair], count: int) -> Iterator[Measured]:
    """The index against comparing every title with every other, both with all that the decision needs."""
    titles = list(
        dict.fromkeys(title for _, one, other in pairs for title in (one, other) if len(words(title)) >= MIN_WORDS)
    )
    random.Random(5).shuffle(titles)
    readings = read([_signal(number, title) for number, title in enumerate(titles[:count])])
    began = time.thread_time()
    groups = stories(readings)
    indexed_s = time.thread_time() - began
    story_of = {place: number for number, group in enumerate(groups) for place in group}
    began = time.thread_time()
    headlines = [Headline.of(reading.words) for reading in readings]
    same = [
        (one, other)
        for other in range(len(headlines))
        for one in range(other)
        if alike(headlines[one], headlines[other])
    ]
    full_s = time.thread_time() - began
    found = sum(story_of[one] == story_of[other] for one, other in same)
    details = f"{indexed_s:.2f} s of CPU against {full_s:.1f} s"
    yield Measured(
        f"{len(readings):,} titles deduplicated, against comparing all",
        indexed_s / full_s,
        TIME_LIMIT,
        TIMES,
        details,
    )
    details = f"{found} of {len(same)} pairs"
    yield Measured(
        "pairs that are found among them", found / max(len(same), 1), PAIRS_LIMIT, "", details, at_least=True
    )


def _signal(number: int, title: str) -> Signal:
    url = f"https://site{number}.example/"
    return Signal(id=f"b:{number}", source="b", title=title, url=url, timestamp=datetime(2026, 1, 1, tzinfo=UTC))


if __name__ == "__main__":
    from benchmarks.__main__ import table

    print(table(_measure([Path(name) for name in sys.argv[1:]] or sorted(LABELLED.glob("*.tsv")), Size.FULL)))
