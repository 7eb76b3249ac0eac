"""A server's feeds without Discord: what is looked at, how much at once, and what is left when somebody gives up."""

import asyncio
from unittest.mock import create_autospec

import discord
import pytest

from agents.errors import InvalidOption, Unreachable
from agents.feeds import FoundFeed
from bot.admission import Admission
from bot.asking import NotNow
from bot.configuring import Admin, Configuring
from bot.feeds import LeftOut, NotAdded, Readable, ServerFeeds, chosen, key, parse_feed
from bot.guild_settings import DEFAULTS, Feed
from bot.opml import Outline
from bot.store.settings_memory import Versioned

BIRDS = Feed(url="https://birds.example/feed", title="Birds")
CHESS = Feed(url="https://chess.example/feed?a=1", title="Chess")


class Probe:
    """Answers once its gate is open; knows how many looks were under way at most."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.under_way = self.most = 0
        self.looked: list[str] = []
        self.leads_to = ""

    async def look(self, address: str) -> FoundFeed:
        self.looked.append(address)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.gate.wait()
        finally:
            self.under_way -= 1
        if "dead" in address:
            raise Unreachable("It is dead.")
        return FoundFeed(self.leads_to or address, "Found", (), 0)


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
def feeds(probe: Probe) -> ServerFeeds:
    return ServerFeeds(create_autospec(Configuring, instance=True), probe, Admission(cooldown_s=0))


def admin(guild_id: int = 1, *known: Feed) -> Admin:
    guild = create_autospec(discord.Guild, instance=True)
    guild.id = guild_id
    return Admin(guild, 7, Versioned(DEFAULTS.changed(feeds=known), 1))


def outlines(count: int, site: str = "a") -> list[Outline]:
    return [Outline(f"https://{site}{number}.example/", "") for number in range(count)]


async def quiet(_done: int, _total: int) -> None:
    """Shows nothing."""


async def test_lists_of_all_servers_together_are_looked_at_a_few_at_a_time(feeds: ServerFeeds, probe: Probe) -> None:
    imports = [
        asyncio.create_task(feeds.take_over(admin(guild), outlines(10, f"dead{guild}-"), quiet)) for guild in (1, 2)
    ]
    await asyncio.wait(imports, timeout=0.02)
    probe.gate.set()
    found = await asyncio.gather(*imports)
    assert [len(each.left_out) for each in found] == [10, 10]
    assert (probe.most, len(probe.looked)) == (4, 20)


async def test_a_question_need_not_wait_for_lists(feeds: ServerFeeds, probe: Probe) -> None:
    importing = asyncio.create_task(feeds.take_over(admin(), outlines(10), quiet))
    await asyncio.sleep(0.01)
    looking = asyncio.create_task(feeds.look(admin(), "https://b.example"))
    await asyncio.sleep(0.01)
    assert probe.looked[-1] == "https://b.example"
    for task in (importing, looking):
        task.cancel()
    await asyncio.wait((importing, looking))


async def test_who_gives_up_on_a_list_leaves_nothing_behind(feeds: ServerFeeds, probe: Probe) -> None:
    importing = asyncio.create_task(feeds.take_over(admin(), outlines(10), quiet))
    await asyncio.sleep(0.01)
    with pytest.raises(NotAdded, match="already"):
        await feeds.take_over(admin(), outlines(1), quiet)
    importing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await importing
    await asyncio.sleep(0)
    assert probe.under_way == 0
    probe.gate.set()
    again = await feeds.take_over(admin(), outlines(1, "dead"), quiet)
    assert again.saved is None


async def test_who_gives_up_on_a_look_gives_the_place_back(feeds: ServerFeeds, probe: Probe) -> None:
    looks = [asyncio.create_task(feeds.look(admin(), f"https://{number}.example")) for number in "abc"]
    await asyncio.sleep(0.01)
    waiting = asyncio.create_task(feeds.look(admin(), "https://d.example"))
    await asyncio.sleep(0.01)
    assert probe.under_way == 3
    looks[0].cancel()
    await asyncio.sleep(0.01)
    assert probe.looked[-1] == "https://d.example"
    probe.gate.set()
    assert (await waiting).title == "Found"
    await asyncio.wait(looks)


async def test_a_list_that_takes_too_long_is_given_up(
    feeds: ServerFeeds, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.feeds.IMPORT_TIMEOUT_S", 0.01)
    with pytest.raises(NotAdded, match="too long"):
        await feeds.take_over(admin(), outlines(3), quiet)
    await asyncio.sleep(0)
    assert probe.under_way == 0


async def test_a_list_counts_like_one_question(probe: Probe) -> None:
    feeds = ServerFeeds(create_autospec(Configuring, instance=True), probe, Admission(cooldown_s=60))
    probe.gate.set()
    await feeds.take_over(admin(), outlines(2, "dead"), quiet)
    with pytest.raises(NotNow):
        await feeds.take_over(admin(), outlines(2, "dead"), quiet)
    with pytest.raises(NotNow):
        await feeds.look(admin(), "https://b.example")


@pytest.mark.parametrize("leads_to", ["https://user:secret@b.example/", f"https://b.example/{'x' * 500}"])
async def test_what_leads_to_an_address_that_cannot_be_kept_is_refused(
    feeds: ServerFeeds, probe: Probe, leads_to: str
) -> None:
    probe.gate.set()
    probe.leads_to = leads_to
    with pytest.raises(NotAdded, match="too long, or that holds a password"):
        await feeds.add(admin(), "https://a.example")


async def test_several_that_lead_to_one_feed_are_one(feeds: ServerFeeds, probe: Probe) -> None:
    probe.gate.set()
    probe.leads_to = BIRDS.url
    found = await feeds.take_over(admin(), outlines(3), quiet)
    assert ([feed.url for feed in found.added], found.known) == ([BIRDS.url], 2)


# -- feeds of settings that are imported


def dead(number: int) -> Feed:
    return Feed(url=f"https://dead{number}.example/", title=f"Dead {number}")


async def test_of_feeds_wanted_those_that_are_new_are_read_and_all_stay_in_their_order(
    feeds: ServerFeeds, probe: Probe
) -> None:
    probe.gate.set()
    new = [Feed(url="https://new.example/"), Feed(url="https://titled.example/", title="Mine")]
    found = await feeds.readable(admin(1, BIRDS, CHESS), (new[0], dead(1), BIRDS, new[1]), quiet)
    kept = (Feed(url="https://new.example/", title="Found"), BIRDS, new[1])
    assert found == Readable(kept, (LeftOut("Dead 1", "It is dead."),))
    assert sorted(probe.looked) == ["https://dead1.example/", "https://new.example/", "https://titled.example/"]


async def test_a_feed_that_is_there_keeps_the_address_that_was_read_however_it_is_spelt(
    feeds: ServerFeeds, probe: Probe
) -> None:
    spelt = Feed(url="HTTPS://chess.example/feed/?a=1&utm_source=x", title="Renamed")
    assert (await feeds.readable(admin(1, CHESS), (spelt,), quiet)).feeds == (Feed(url=CHESS.url, title="Renamed"),)
    assert probe.looked == []


async def test_feeds_wanted_that_lead_to_one_are_one(feeds: ServerFeeds, probe: Probe) -> None:
    probe.gate.set()
    probe.leads_to = BIRDS.url
    found = await feeds.readable(admin(1, BIRDS), (Feed(url="https://old.example/"), BIRDS), quiet)
    assert [feed.url for feed in found.feeds] == [BIRDS.url]


async def test_feeds_wanted_are_read_a_few_at_a_time_and_whoever_gives_up_leaves_nothing_behind(
    feeds: ServerFeeds, probe: Probe
) -> None:
    reading = asyncio.create_task(feeds.readable(admin(), [dead(number) for number in range(10)], quiet))
    await asyncio.sleep(0.01)
    assert (probe.under_way, probe.most) == (4, 4)
    with pytest.raises(NotAdded, match="already"):
        await feeds.take_over(admin(), outlines(1), quiet)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await asyncio.sleep(0)
    assert probe.under_way == 0
    probe.gate.set()
    assert len((await feeds.readable(admin(), [dead(1)], quiet)).left_out) == 1


async def test_feeds_wanted_that_take_too_long_are_given_up(
    feeds: ServerFeeds, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.feeds.IMPORT_TIMEOUT_S", 0.01)
    with pytest.raises(NotAdded, match="too long"):
        await feeds.readable(admin(), [dead(1)], quiet)
    await asyncio.sleep(0)
    assert probe.under_way == 0


async def test_closing_ends_looks_and_waits_only_a_moment_for_who_tells_of_them(
    feeds: ServerFeeds, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.feeds.LAST_WORDS_S", 0.05)
    said: list[str] = []

    async def ask(pause_s: float) -> None:
        with feeds.heard():
            try:
                await feeds.look(admin(), "https://a.example")
            except NotAdded as refused:
                await asyncio.sleep(pause_s)
                said.append(refused.sentence)

    asking = [asyncio.create_task(ask(pause_s)) for pause_s in (0.0, 60.0)]
    await asyncio.sleep(0.01)
    async with asyncio.timeout(2):
        await feeds.close()
    assert len(said) == 1
    assert "restarting" in said[0]
    asking[1].cancel()
    await asyncio.wait(asking)


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("example.com/feed", "https://example.com/feed"),
        (" http://example.com/a?b=c#d ", "http://example.com/a?b=c"),
        ("https://example.com", "https://example.com"),
    ],
)
def test_an_address_may_be_typed_as_people_do(typed: str, url: str) -> None:
    assert parse_feed(typed).url == url


@pytest.mark.parametrize(
    "typed", ["", "#", "a b", "https://", "ftp://a.example", "javascript:alert(1)", "https://a@b.example", "x\ud800"]
)
def test_what_is_no_address_is_refused_in_a_sentence(typed: str) -> None:
    with pytest.raises(NotAdded) as refused:
        parse_feed(typed)
    assert refused.value.sentence.endswith((".", "read it."))


@pytest.mark.parametrize(
    "typed", [key(BIRDS), "https://birds.example/feed", "HTTPS://BIRDS.example/feed/", "birds.example/feed", "bIRDS"]
)
def test_a_feed_is_chosen_by_key_address_or_title(typed: str) -> None:
    assert chosen((CHESS, BIRDS), typed) == BIRDS


def test_what_names_no_feed_or_two_is_refused() -> None:
    for typed in ("", "nothing", "https://"):
        with pytest.raises(InvalidOption):
            chosen((CHESS, BIRDS), typed)
    with pytest.raises(InvalidOption):
        chosen((BIRDS, Feed(url="https://other.example", title="birds")), "Birds")
    with pytest.raises(InvalidOption, match="no feeds"):
        chosen((), "Birds")
