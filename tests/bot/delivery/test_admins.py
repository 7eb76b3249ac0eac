"""Admins are told in the first place that takes it, once; whatever Discord does."""

from collections.abc import AsyncIterator, Iterator

import pytest

from bot.cards import delivery as cards
from bot.cards.card import Card
from bot.delivery.admins import ServerAdmins
from bot.delivery.pacing import Pacer
from bot.store.errors import Unreadable
from tests.bot.delivery.fakes import GUILD, FakeDiscord, Step, answers, drops, limited, refusal, reply, unreachable
from tests.bot.delivery.virtual_time import VirtualClock, settle

LOG, UPDATES, SYSTEM, OTHER = 1, 2, 3, 4
NO = answers(refusal(403, 50013))
CARD = cards.suspended("Morning", 100, "I cannot see the channel.")


class Scene:
    """A server with places for admins; ``owner_id`` None: nobody to be written to."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.discord = FakeDiscord(self.clock)
        self.pacer = Pacer(self.clock)
        self.log_channel: int | None = LOG
        self.owner: int | None = 9
        self.away = False
        self.admins = ServerAdmins(self.discord, self.pacer, self, self._log_channel_of, self.clock)

    async def _log_channel_of(self, guild_id: int) -> int | None:
        assert guild_id == GUILD
        if self.away:
            raise Unreadable("the database is away")
        return self.log_channel

    def notice_places(self, guild_id: int) -> Iterator[int]:
        yield from (UPDATES, SYSTEM, OTHER)

    def owner_id(self, guild_id: int) -> int | None:
        return self.owner

    def asked(self) -> list[str]:
        return [path for _, _, path in self.discord.asked]

    async def tell(self, card: Card = CARD, longest_s: float = 300.0) -> None:
        self.admins.tell(GUILD, card)
        await self.clock.passes(longest_s)

    def told_in(self) -> list[int]:
        return [channel_id for channel_id, said in self.discord.channels.items() for _ in said]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    async with made.admins:
        yield made


async def test_the_log_channel_comes_first_and_no_other_is_told(scene: Scene) -> None:
    await scene.tell()
    assert scene.told_in() == [LOG]
    (message,) = scene.discord.messages
    assert "Morning" in message.body["embeds"][0]["description"]
    assert message.body["allowed_mentions"] == {"parse": []}


async def test_a_database_that_is_away_leaves_the_other_places(scene: Scene) -> None:
    scene.away = True
    await scene.tell()
    assert scene.told_in() == [UPDATES]


@pytest.mark.parametrize("refused", [1, 2, 3])
async def test_the_next_place_that_works_is_told(scene: Scene, refused: int) -> None:
    scene.discord.script = [NO] * refused
    await scene.tell()
    assert scene.told_in() == [[LOG, UPDATES, SYSTEM, OTHER][refused]]


async def test_without_a_log_channel_the_moderators_channel_is_told(scene: Scene) -> None:
    scene.log_channel = None
    await scene.tell()
    assert scene.told_in() == [UPDATES]


async def test_a_log_channel_that_is_one_of_the_others_is_asked_once(scene: Scene) -> None:
    scene.log_channel = SYSTEM
    scene.discord.script = [NO, NO]
    await scene.tell()
    assert scene.asked()[:3] == [f"/channels/{one}/messages" for one in (SYSTEM, UPDATES, OTHER)]


async def test_the_owner_is_written_to_when_no_channel_takes_it(scene: Scene) -> None:
    scene.discord.script = [NO] * 4 + [answers(reply(200, {"id": "555"}))]
    await scene.tell()
    assert scene.told_in() == [555]


async def test_an_owner_who_takes_no_messages_is_left_alone(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.discord.script = [NO] * 4 + [answers(reply(200, {"id": "555"})), answers(refusal(403, 50007))]
    await scene.tell()
    assert scene.told_in() == []
    assert "admins could not be told" in caplog.text
    scene.owner = None
    scene.discord.script = [NO] * 4
    await scene.tell()
    assert scene.told_in() == []


@pytest.mark.parametrize(
    "step", [drops(), drops(after=True), answers(reply(503)), unreachable(), limited(2.0)], ids=range(5)
)
async def test_what_passes_is_waited_for_and_told_once(scene: Scene, step: Step) -> None:
    scene.discord.script = [step, step]
    await scene.tell()
    assert scene.told_in() == [LOG]


async def test_when_nobody_knows_no_other_place_is_told_too(scene: Scene) -> None:
    scene.discord.script = [drops(after=True)] + [drops()] * 10
    await scene.tell()
    assert scene.told_in() == [LOG]
    assert len(scene.discord.asked) == 4


async def test_a_place_that_wants_an_hour_is_passed_over(scene: Scene) -> None:
    scene.discord.script = [limited(3600)]
    await scene.tell()
    assert scene.told_in() == [UPDATES]


async def test_the_page_of_a_ban_stops_it_like_everything_else(scene: Scene) -> None:
    scene.discord.script = [answers(reply(429))]
    await scene.tell(longest_s=500)
    assert scene.told_in() == []
    await scene.clock.passes(200)
    assert scene.told_in() == [LOG]


async def test_telling_never_waits_and_what_waits_is_bounded(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.pacer.pause(1e6)
    await settle()
    for _ in range(300):
        scene.admins.tell(GUILD, CARD)
    assert "too much to tell" in caplog.text
