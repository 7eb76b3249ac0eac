"""One story as people read it: its link, its score, what it is counted by, where else it is told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agents.signal import AlsoIn, Signal, Trend
from bot.cards import limits
from bot.cards.text import domain, escape, link, quoted

_BAR_BLOCKS = 5
_TRENDS = {Trend.NEW: "🆕", Trend.RISING: "📈 rising", Trend.FADING: "📉 fading"}
_UNITS = ((1e3, "k"), (1e6, "M"))


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of a story is told; lengths are of the plain texts, escaping may double them."""

    title: int
    excerpt: int
    also: int
    """Other places that are named."""
    url: int
    """Longer addresses are not linked."""


DETAILS = (
    Detail(title=160, excerpt=140, also=3, url=600),
    Detail(title=160, excerpt=0, also=3, url=600),
    Detail(title=160, excerpt=0, also=0, url=600),
    Detail(title=80, excerpt=0, also=0, url=400),
    Detail(title=60, excerpt=0, also=0, url=200),
)
"""What is given up when there is no room, step by step: excerpts, other places, long titles, long links.

A story of the last step is at most 700 code points, whatever is in it.
"""


def story(number: int, signal: Signal, detail: Detail, titles: Mapping[str, str]) -> str:
    """A story in two to four lines; ``titles`` are the sources' names as written, by name.

    Its own lines begin with ``**`` or ``-#``; an excerpt, which is escaped, never does.
    """
    title = link(limits.shorten(signal.title, detail.title), signal.url, detail.url)
    lines = [f"**{number}.** {title}", f"-# {' · '.join(_facts(signal, titles))}"]
    if detail.excerpt and signal.excerpt and (excerpt := quoted(signal.excerpt, detail.excerpt)):
        lines.append(excerpt)
    if detail.also and signal.also_in:
        lines.append(f"-# also on {also_on(signal.also_in, detail.also, titles)}")
    return "\n".join(lines)


def bar(share: float) -> str:
    """Five blocks, as many of them filled as ``share`` (0 to 1) says."""
    blocks = round(share * _BAR_BLOCKS)
    return f"{'▰' * blocks}{'▱' * (_BAR_BLOCKS - blocks)}"


def also_on(places: tuple[AlsoIn, ...], most: int, titles: Mapping[str, str]) -> str:
    """The first ``most`` places as links, and how many more there are."""
    named = [_place(place, titles) for place in places[:most]]
    if len(places) > most:
        named.append(f"{len(places) - most} more")
    return ", ".join(named)


def counted(count: int, word: str) -> str:
    """Such as ``1 point`` and ``1.2k points``."""
    return f"{compact(count)} {word}{'' if count == 1 else 's'}"


def compact(count: int) -> str:
    """A count in at most five characters or so: ``999``, ``1.2k``, ``34k``, ``5.6M``."""
    if count < 1000:
        return str(max(count, 0))
    value, unit = next(
        ((count / size, unit) for size, unit in _UNITS if count < size * 999.5), (min(count / 1e9, 999.0), "B")
    )
    return f"{value:.1f}{unit}" if value < 9.95 else f"{value:.0f}{unit}"


def _facts(signal: Signal, titles: Mapping[str, str]) -> Iterator[str]:
    yield f"{bar(signal.score)} {signal.score:.2f}"
    if signal.trend is not None:
        yield _TRENDS[signal.trend]
    votes = signal.engagement
    if votes.points is not None:
        yield counted(votes.points, "point")
    if votes.comments is not None:
        yield counted(votes.comments, "comment")
    if signal.nsfw:
        yield "NSFW"
    if signal.parts.raised:
        yield "wanted word"
    yield quoted(signal.origin or titles.get(signal.source, signal.source), 30)
    host = domain(signal.url)
    if host:
        yield escape(_host(host))
    yield f"<t:{int(signal.timestamp.timestamp())}:R>"


def _host(host: str) -> str:
    """The end of a long host name is what tells whose it is."""
    return host if len(host) <= 40 else f"…{host[-39:]}"


def _place(place: AlsoIn, titles: Mapping[str, str]) -> str:
    name = link(limits.shorten(place.origin or titles.get(place.source, place.source), 30), place.url, 200)
    return name if place.points is None else f"{name} ({counted(place.points, 'point')})"
