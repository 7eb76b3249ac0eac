"""Signals for ranking tests: quickly made, and at random."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from agents.signal import Engagement, Signal, Timeframe

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = Timeframe.DAY


def signal(
    number: int = 1,
    *,
    title: str | None = None,
    source: str = "reddit",
    url: str | None = None,
    age: timedelta = timedelta(hours=1),
    points: int | None = None,
    comments: int | None = None,
    excerpt: str | None = None,
    discussion_url: str | None = None,
    origin: str | None = None,
    nsfw: bool = False,
    score: float = 0.0,
) -> Signal:
    """A signal whose title, address and id are its own unless said otherwise."""
    return Signal(
        id=f"{source}:{number}",
        source=source,
        title=f"headline{number}" if title is None else title,
        url=url or f"https://{source}.example/{number}",
        discussion_url=discussion_url,
        origin=origin,
        excerpt=excerpt,
        timestamp=NOW - age,
        engagement=Engagement(points=points, comments=comments),
        nsfw=nsfw,
        score=score,
    )


_WORDS = st.sampled_from(["rust", "python", "3.12", "3.13", "release", "releases", "not", "new", "of", "猫", "C++"])
_COUNTS = st.none() | st.integers(min_value=0, max_value=10**9)

SIGNALS = st.builds(
    signal,
    st.integers(min_value=0, max_value=10**6),
    title=st.lists(_WORDS, max_size=7).map(" ".join),
    source=st.sampled_from(["reddit", "hackernews", "news"]),
    url=st.none() | st.integers(min_value=0, max_value=5).map(lambda page: f"https://site.example/{page}"),
    age=st.timedeltas(min_value=timedelta(days=-400), max_value=timedelta(days=400)),
    points=_COUNTS,
    comments=_COUNTS,
    excerpt=st.none() | st.lists(_WORDS, max_size=9).map(" ".join),
    nsfw=st.booleans(),
    score=st.floats(min_value=0, max_value=1),
)
LISTS = st.lists(SIGNALS, max_size=14, unique_by=lambda one: one.id)
QUERIES = st.none() | st.lists(_WORDS, max_size=3).map(" ".join) | st.just("!?")
