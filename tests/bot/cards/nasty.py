"""What strangers may write, as hypothesis strategies."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from agents.events import SourceReport, SourceRequest, SourceStatus
from agents.signal import AlsoIn, Engagement, Signal, Timeframe
from bot.answer import Answer, Question
from tests.bot import samples

CORPUS = (
    "@everyone", "@here", "<@1234567890>", "<@!1>", "<@&1>", "<#1>", "</signals reddit:1>", "<id:customize>",
    "<t:1700000000:R>", "<a:wave:1>", "<:x:1>", ":tada:", "https://evil.example/a_b", "<https://evil.example>",
    "http://", "discord.gg/abc", "[good.example](https://evil.example)", "[good\n.example](\nhttps://evil.example)",
    "](https://evil.example)", "[", "]", "(", ")", "\\", "\\\\", "\\[", "**b**", "__u__", "*i*", "_i_", "~~s~~",
    "||spoiler||", "`code`", "```js\ncode```", "``", "# heading", "## h", "-# small", "- item", "* item", "+ item",
    "1. one", "12. twelve", "> quote", ">>> block", "\n", "\r\n", "\u2028", "\t", " ", "\x00", "\x1b[31m", "\u202e",
    "\u2066", "\u200f", "\u200b", "\u200d", "\ufeff", "\u3164", "\U000e0041", "<mail@example.com>", "<tel:+1>", "C#",
    "...", "word", "naïve", "日本語", "🦀", "👩\u200d💻", "¯\\_(ツ)_/¯", "2026-08-01", "C++", "a:b:c", "steam://run/1",
)  # fmt: skip

pieces = st.lists(st.sampled_from(CORPUS), max_size=12).map("".join)
huge = st.builds(lambda piece, times: piece * times, st.sampled_from(CORPUS), st.integers(500, 3000))
texts = pieces | st.text(max_size=300) | huge
urls = (
    st.just("https://www.example.com/story")
    | texts.map(lambda text: f"https://example.com/{text}")
    | texts.map(lambda text: f"https://{text}")
    | st.sampled_from(
        ("javascript:alert(1)", "", "https://", "https://good.example@evil.example/", "HTTP://X.example")
    )
)
counts = st.none() | st.integers(0, 10**30)
moments = st.datetimes(
    min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)  # noqa: DTZ001
)  # fmt: skip
places = st.builds(
    AlsoIn, source=texts, origin=st.none() | texts, url=urls, points=st.none() | st.integers(-(10**30), 10**30)
)
signals = st.builds(
    Signal,
    id=st.text(max_size=20),
    source=texts,
    title=texts,
    url=urls,
    origin=st.none() | texts,
    excerpt=st.none() | texts,
    timestamp=moments,
    engagement=st.builds(Engagement, points=counts, comments=counts),
    nsfw=st.booleans(),
    score=st.floats(0, 1),
    also_in=st.lists(places, max_size=5).map(tuple),
)
reports = st.builds(
    SourceReport,
    source=texts,
    status=st.sampled_from(SourceStatus),
    count=st.integers(0, 10**30),
    sentence=texts,
    fetched_at=st.none() | moments,
)
questions = st.builds(
    Question,
    sources=st.lists(st.builds(SourceRequest, name=texts), max_size=30).map(tuple),
    query=st.none() | texts,
    timeframe=st.sampled_from(Timeframe),
)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Answers of up to 25 stories, some of them repeated so that drawing stays quick."""
    distinct = draw(st.lists(signals, max_size=5))
    return samples.answer(
        question=draw(questions),
        signals=tuple(distinct * draw(st.integers(1, 5))),
        reports=tuple(draw(st.lists(reports, max_size=4)) * draw(st.integers(1, 8))),
        found=draw(st.integers(0, 10**30)),
        error=draw(st.none() | texts),
    )
