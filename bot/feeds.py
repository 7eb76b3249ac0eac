"""A server's own feeds: looked at before they are kept, added, removed, taken over from a list."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import blake2b

from pydantic import ValidationError

from agents.errors import InvalidOption, SourceError
from agents.feeds import FoundFeed, LooksAtFeeds
from agents.urls import canonical, domain
from bot.admission import Admission, Refusal
from bot.asking import NotNow
from bot.configuring import Admin, Configuring, Overtaken, Saved
from bot.guild_settings import MOST_FEEDS, Feed, GuildSettings
from bot.opml import Outline

IMPORT_TIMEOUT_S = 600.0
"""An answer to a command can be shown for 15 minutes."""
LAST_WORDS_S = 1.0
_LOOKS_AT_ONCE = 4
"""Of imports, over all servers: one server's slow feeds must not be everybody's."""
_ATTEMPTS = 3
_RESTARTING = "I am restarting. Nothing was added; try again in a minute."

Change = Callable[[GuildSettings], GuildSettings]
Progress = Callable[[int, int], Awaitable[None]]
"""Told how many of how many were looked at."""


class NotAdded(Exception):
    """Nothing was saved; ``sentence`` is for people and says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A feed of a list that was not taken over, by its title or site, and why."""

    name: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a list of feeds."""

    added: tuple[Feed, ...]
    known: int
    """How many the server had already."""
    left_out: tuple[LeftOut, ...]
    saved: Saved | None
    """None: nothing changed."""


@dataclass(frozen=True, slots=True)
class Readable:
    """What is left of feeds that somebody wants a server to have."""

    feeds: tuple[Feed, ...]
    """Those that the server has, and those that could be read, in the order given."""
    left_out: tuple[LeftOut, ...]


class ServerFeeds:
    """All ways to change a server's feeds.

    Looking at an address counts like a question of whoever asks for it, by the operator's cooldown and not the
    server's: the bot must not be a way to hammer somebody's site.
    """

    def __init__(self, configuring: Configuring, probe: LooksAtFeeds, admission: Admission) -> None:
        self._configuring = configuring
        self._probe = probe
        self._admission = admission
        self._turns = asyncio.Semaphore(_LOOKS_AT_ONCE)
        self._importing: set[int] = set()
        self._looks: set[asyncio.Task[FoundFeed]] = set()
        self._heard: set[asyncio.Task[object]] = set()
        self._closed = False

    async def look(self, admin: Admin, address: str) -> FoundFeed:
        """What is at an address. Raises ``NotAdded`` and ``NotNow``."""
        feed = parse_feed(address)
        ticket = self._admission.ask(str(admin.guild.id), str(admin.user_id), permits=admin.settings.concurrency)
        if isinstance(ticket, Refusal):
            raise NotNow(ticket)
        async with ticket:
            return await self._found(feed)

    async def add(self, admin: Admin, address: str) -> tuple[FoundFeed, Saved]:
        """Look at it, then keep it. Raises as ``look``, and as ``Configuring.save`` where it cannot be saved."""
        self._refuse_known(admin.settings, parse_feed(address))
        self._refuse_more(admin.settings, 1)
        found = await self.look(admin, address)
        feed = Feed(url=found.address, title=found.title)

        def with_feed(settings: GuildSettings) -> GuildSettings:
            self._refuse_known(settings, feed)
            self._refuse_more(settings, 1)
            return settings.changed(feeds=(*settings.feeds, feed))

        return found, await self._save(admin, with_feed, "feeds add")

    async def remove(self, admin: Admin, which: str) -> tuple[Feed, Saved]:
        """Forget the feed that was chosen or typed. Raises ``InvalidOption``, and as ``Configuring.save``."""
        feed = chosen(admin.settings.feeds, which)

        def without(settings: GuildSettings) -> GuildSettings:
            return settings.changed(feeds=tuple(kept for kept in settings.feeds if key(kept) != key(feed)))

        return feed, await self._save(admin, without, "feeds remove")

    async def take_over(self, admin: Admin, outlines: Sequence[Outline], progress: Progress) -> Imported:
        """Look at each feed of a list that the server does not have, then keep those that can be read, all at once.

        Raises ``NotAdded`` when there is no room for all that are new, before anything is looked at.
        """
        here = {key(feed) for feed in admin.settings.feeds}
        wanted, refused = _valid(outlines)
        new = [feed for feed in wanted if key(feed) not in here]
        known = len(wanted) - len(new)
        if not new:
            return Imported((), known, refused, None)
        self._refuse_more(admin.settings, len(new))
        looked = await self._look_at_all(admin, new, progress)
        left_out = (*refused, *(each for each in looked if isinstance(each, LeftOut)))
        feeds = {key(feed): feed for feed in looked if isinstance(feed, Feed) and key(feed) not in here}
        known += sum(isinstance(each, Feed) for each in looked) - len(feeds)  # those that led to the same feed
        if not feeds:
            return Imported((), known, left_out, None)

        def with_all(settings: GuildSettings) -> GuildSettings:
            has = {key(feed) for feed in settings.feeds}
            more = [feed for name, feed in feeds.items() if name not in has]
            self._refuse_more(settings, len(more))
            return settings.changed(feeds=(*settings.feeds, *more))

        return Imported(tuple(feeds.values()), known, left_out, await self._save(admin, with_all, "feeds import"))

    async def readable(self, admin: Admin, wanted: Sequence[Feed], progress: Progress) -> Readable:
        """Look at each of these feeds that the server does not have; nothing is kept. Raises as ``take_over``.

        One that the server has stays at its address, also where it is spelt differently here.
        """
        here = {key(feed): feed for feed in admin.settings.feeds}
        new = [feed for feed in wanted if key(feed) not in here]
        looked = iter(await self._look_at_all(admin, new, progress) if new else ())
        outcomes = [
            Feed(url=known.url, title=feed.title) if (known := here.get(key(feed))) else next(looked)
            for feed in wanted
        ]
        feeds = {key(each): each for each in reversed(outcomes) if isinstance(each, Feed)}
        left_out = tuple(each for each in outcomes if isinstance(each, LeftOut))
        return Readable(tuple(feeds.values())[::-1], left_out)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Closing waits a moment for the task that is in here, so that it can say what became of its looks."""
        task = asyncio.current_task()
        assert task is not None
        self._heard.add(task)
        try:
            yield
        finally:
            self._heard.discard(task)

    async def close(self) -> None:
        """Look at nothing more; whoever waits is told, for which there is a second."""
        self._closed = True
        for look in self._looks:
            look.cancel()
        if self._heard:
            await asyncio.wait(self._heard, timeout=LAST_WORDS_S)

    async def announce(self, saved: Saved) -> None:
        """Tell the server's log channel."""
        await self._configuring.announce(saved)

    async def _look_at_all(self, admin: Admin, feeds: Sequence[Feed], progress: Progress) -> list[Feed | LeftOut]:
        """One look each, a few at a time; what is found or why not, in order."""
        if admin.guild.id in self._importing:
            raise NotAdded("A list is being imported here already. Wait until it is done.")
        ticket = self._admission.ask(str(admin.guild.id), str(admin.user_id))
        if isinstance(ticket, Refusal):
            raise NotNow(ticket)
        ticket.release()  # counted; but it is no question, and must not stand in the way of the server's for minutes
        self._importing.add(admin.guild.id)
        done = 0

        async def look(feed: Feed) -> Feed | LeftOut:
            nonlocal done
            async with self._turns:
                looked = await self._outcome(feed)
            done += 1
            await progress(done, len(feeds))
            return looked

        try:
            async with asyncio.timeout(IMPORT_TIMEOUT_S), asyncio.TaskGroup() as group:
                looks = [group.create_task(look(feed)) for feed in feeds]
        except TimeoutError:
            raise NotAdded("Looking at all these feeds took too long. Nothing was added; try fewer.") from None
        finally:
            self._importing.discard(admin.guild.id)
        if self._closed:
            raise NotAdded(_RESTARTING)
        return [each.result() for each in looks]

    async def _outcome(self, feed: Feed) -> Feed | LeftOut:
        try:
            found = await self._found(feed)
            return Feed(url=found.address, title=feed.title or found.title)
        except NotAdded as error:
            return LeftOut(feed.title or domain(feed.url), error.sentence)

    async def _found(self, feed: Feed) -> FoundFeed:
        """What is there, at an address that can be kept. Raises ``NotAdded``."""
        if self._closed:
            raise NotAdded(_RESTARTING)
        look = asyncio.create_task(self._probe.look(feed.url), name="feed-look")
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)
        try:
            await asyncio.wait((look,))
        finally:
            look.cancel()  # whoever asked may have gone
        if look.cancelled():
            raise NotAdded(_RESTARTING)
        try:
            found = look.result()
        except SourceError as error:
            raise NotAdded(error.sentence) from error
        with suppress(ValidationError):
            return replace(found, address=Feed(url=found.address).url)
        raise NotAdded("It leads to an address that is too long, or that holds a password.")

    async def _save(self, admin: Admin, change: Change, action: str) -> Saved:
        """Make a change to what holds now: who saved something else meanwhile is not in the way."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._configuring.save(admin, change(admin.settings), action)
            except Overtaken:
                if attempt == _ATTEMPTS:
                    raise
            admin = replace(admin, current=await self._configuring.store.get(admin.guild.id))
        raise AssertionError

    def _refuse_known(self, settings: GuildSettings, feed: Feed) -> None:
        known = next((kept for kept in settings.feeds if key(kept) == key(feed)), None)
        if known is not None:
            raise NotAdded(f"This server has it already: {known.title or domain(known.url)}.")

    def _refuse_more(self, settings: GuildSettings, more: int) -> None:
        room = MOST_FEEDS - len(settings.feeds)
        if more > room:
            has = f"This server has {len(settings.feeds)} feeds"
            new = "this would be one more" if more == 1 else f"these would be {more} more"
            raise NotAdded(f"{has}, and {new}; it can have {MOST_FEEDS}. Nothing was added.")


def parse_feed(address: str) -> Feed:
    """The address that somebody typed; ``example.com/feed`` is taken for https. Raises ``NotAdded``."""
    typed = address.strip().partition("#")[0]
    if "://" not in typed:
        typed = f"https://{typed}"
    try:
        return Feed(url=typed)
    except ValidationError as error:
        reason = error.errors()[0].get("ctx", {}).get("error", "That is no address of a feed.")
        raise NotAdded(str(reason)) from None


def key(feed: Feed) -> str:
    """12 hex digits that stand for the feed wherever its address does not fit; equal for spellings of one address."""
    return blake2b((canonical(feed.url) or feed.url).encode("utf-8", "replace"), digest_size=6).hexdigest()


def chosen(feeds: Sequence[Feed], which: str) -> Feed:
    """The feed that somebody chose from the suggestions, or whose address or title they typed.

    Raises ``InvalidOption``.
    """
    typed = which.strip()
    address = canonical(typed if "://" in typed else f"https://{typed}")
    for feed in feeds:
        if typed == key(feed) or (address is not None and address == canonical(feed.url)):
            return feed
    named = [feed for feed in feeds if feed.title.casefold() == typed.casefold()]
    if len(named) == 1:
        return named[0]
    if not feeds:
        raise InvalidOption("feed", "This server has no feeds of its own.")
    raise InvalidOption("feed", "There is no such feed here. Choose one that is suggested while you type.")


def _valid(outlines: Sequence[Outline]) -> tuple[list[Feed], tuple[LeftOut, ...]]:
    """Each feed of a list once, and those whose address cannot be one."""
    valid: dict[str, Feed] = {}
    refused: list[LeftOut] = []
    for outline in outlines:
        try:
            feed = parse_feed(outline.address)
            titled = Feed(url=feed.url, title=outline.title)
        except NotAdded as error:
            refused.append(LeftOut(outline.title or outline.address, error.sentence))
        else:
            valid.setdefault(key(feed), titled)
    return list(valid.values()), tuple(refused)
