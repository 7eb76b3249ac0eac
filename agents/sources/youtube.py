"""YouTube: the newest videos of channels, through their Atom feeds.

Facts: "Subscribe to Push Notifications" (https://developers.google.com/youtube/v3/guides/push_notifications) names
the address, ``/feeds/videos.xml?channel_id=``; what it holds is undocumented and old: a channel's 15 newest videos,
for anybody. ``media:community`` tells likes (``starRating`` with ``count``) and ``views``, ``media:description`` is
plain text. A channel's id begins with ``UC``; ``@names`` are not understood. Feeds are kept for 15 minutes on the way
(``max-age=900``) and have neither ``ETag`` nor ``Last-Modified``. There is no search and no filter on time.

Errors are pages in HTML: 404 for a channel that there is not, and since December 2025 for hours of most days for all
of them; 403 or 429 without ``Retry-After`` for addresses that ask too much, which lasts for hours. What is granted is
nowhere said.
"""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.errors import AccessDenied, NotConfigured, NotFound, RateLimited, SourceError, UnexpectedContent
from agents.fetch.request import FEED, Fetch, Request, Response
from agents.resilience.limiter import upstream_host
from agents.signal import Engagement, Signal
from agents.source import HostLimit, Option, Question, Scan, SourceSpec
from agents.sources.feed_worker import Entry
from agents.sources.feeds import ReadsFeeds
from agents.sources.items import count, divide, each_once, excerpt, has_words, moment, outcomes, take_turns
from agents.text import plain
from agents.urls import canonical

NAME = "youtube"
MAX_CHANNELS = 20
"""Of one question."""
_TTL_S = 900.0
_BLOCKED_S = 900.0
_CHANNEL = re.compile(r"UC[A-Za-z0-9_-]{22}")
_CHANNEL_PAGE = re.compile(r"(?:https?://)?(?:www\.|m\.)?youtube\.com/channel/([^/?#]+)[^\s]*", re.IGNORECASE)
_KEY = re.compile(r"yt:video:([A-Za-z0-9_-]{11})")
_VIDEO = re.compile(r"<yt:videoId>([A-Za-z0-9_-]{11})</yt:videoId>")
_LIKES = re.compile(r'<media:starRating count="(\d{1,15})"')
_VIEWS = re.compile(r'<media:statistics views="(\d{1,15})"')
_DESCRIPTION = re.compile(r"<media:description>([^<]{1,2000})")


@dataclass(frozen=True, slots=True)
class _Media:
    """What stands in a video's ``media:group``, which readers of feeds leave out."""

    engagement: Engagement
    description: str


def parse_channels(text: str) -> str:
    """Ids or addresses of channels as ids, each once, sorted, with ``+`` between; ``ValueError`` in words."""
    return each_once(text, _parse_channel, MAX_CHANNELS, "channels")


def _parse_channel(text: str) -> str:
    page = _CHANNEL_PAGE.fullmatch(text)
    channel = page[1] if page else text
    if not _CHANNEL.fullmatch(channel):
        raise ValueError(
            f"“{text[:40]}” is no channel's id: UC and 22 more characters. "
            "The channel's page has it under “more”, “Share channel”, “Copy channel ID”."
        )
    return channel


class YouTube:
    """The newest videos of the configured channels, or of those asked for."""

    def __init__(self, *, url: str, channels: Sequence[str], parser: ReadsFeeds) -> None:
        self._url = url.rstrip("/")
        self._channels = tuple(dict.fromkeys(channels))
        self._parser = parser
        self._spec = SourceSpec(
            name=NAME,
            title="YouTube",
            help="New videos of channels on YouTube",
            options=(
                Option(
                    name="channel",
                    help="A channel's id, as in UC9-y-6csu5WGm29I7JiwpnA, or several, in place of the usual ones",
                    parse=parse_channels,
                ),
            ),
            limits={upstream_host(url): HostLimit(interval_s=1.0, burst=20, concurrency=3)},
            ttl_s=_TTL_S,
            setup="" if self._channels else "YOUTUBE_CHANNELS, ids of channels, comma separated.",
        )

    @property
    def spec(self) -> SourceSpec:
        """What it declares."""
        return self._spec

    def unavailable(self) -> str | None:
        """Never: without configured channels the ``channel`` option still works."""
        return None

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        """All channels at once; those that fail are counted in the note, and only if all fail it is an error."""
        asked = question.options.get("channel")
        channels = asked.split("+") if asked else self._channels
        if not channels:
            raise NotConfigured("No channels are set. Set YOUTUBE_CHANNELS, or name one with the channel option.")
        arrived, failed = divide(await outcomes([self._read(channel, question, fetch) for channel in channels]))
        if not arrived:
            raise _of_all(failed)
        found = {signal.id: signal for signals in arrived for signal in signals}
        note = f"{len(failed)} of {len(channels)} channels did not answer: {failed[0].sentence}" if failed else ""
        return Scan(tuple(found.values()), note=note, partial=bool(failed))

    async def _read(self, channel: str, question: Question, fetch: Fetch) -> list[Signal]:
        response = await self._get(channel, fetch)
        try:
            feed = await self._parser.parse(response.body, response.charset)
        except UnexpectedContent as error:
            raise UnexpectedContent(f"YouTube's feed could not be read. {error.sentence} Ask again later.") from error
        media = _media(response.body)
        signals: list[Signal] = []
        for number, entry in enumerate(feed.entries, 1):
            await take_turns(number)
            signal = _signal(entry, media, question)
            if signal and has_words(question.query, signal.title, signal.excerpt, signal.author):
                signals.append(signal)
        return signals

    async def _get(self, channel: str, fetch: Fetch) -> Response:
        request = Request(
            f"{self._url}/feeds/videos.xml",
            params={"channel_id": channel},
            accept=FEED,
            waits_s={403: _BLOCKED_S, 429: _BLOCKED_S},
        )
        try:
            return await fetch.get(request)
        except NotFound as error:
            raise NotFound(
                f"YouTube has no channel “{channel}”, or does not show its feed just now. Try again in some hours.",
                status=error.status,
            ) from error
        except AccessDenied as error:
            raise RateLimited(
                "YouTube takes no more from this address for now. Try again in some hours.",
                status=error.status,
                retry_after_s=error.retry_after_s,
            ) from error


def _media(body: bytes) -> dict[str, _Media]:
    """By the video's id; in the text itself no ``<`` can stand."""
    found: dict[str, _Media] = {}
    for part in body.decode("utf-8", "replace").split("</entry>"):
        if video := _VIDEO.search(part):
            text = _DESCRIPTION.search(part)
            engagement = Engagement(points=_number(_LIKES, part), views=_number(_VIEWS, part))
            found[video[1]] = _Media(engagement, html.unescape(text[1]) if text else "")
    return found


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return count(int(found[1])) if found else None


def _signal(entry: Entry, media: Mapping[str, _Media], question: Question) -> Signal | None:
    """The video; None for what cannot be used or is older than asked for."""
    video = _KEY.fullmatch(entry.key)
    when = _when(entry, question.now)
    title, page = plain(entry.title, 300), canonical(entry.link)
    if video is None or when is None or when < question.since or title is None or page is None:
        return None
    known = media.get(video[1], _Media(Engagement(), ""))
    return Signal(
        id=f"{NAME}:{video[1]}",
        source=NAME,
        title=title,
        url=page,
        author=plain(entry.author, 80),
        excerpt=excerpt(known.description),
        timestamp=when,
        engagement=known.engagement,
    )


def _when(entry: Entry, now: datetime) -> datetime | None:
    """When it was published; no later than now."""
    when = moment(entry.published_s) if entry.published_s is not None else None
    return min(when, now) if when else None


def _of_all(errors: Sequence[SourceError]) -> SourceError:
    """One error for all; when every channel is missing it is not they who are."""
    if len(errors) > 1 and all(isinstance(error, NotFound) for error in errors):
        return NotFound("YouTube shows no feeds just now, which it does for hours at a time. Try later.", status=404)
    return errors[0]
