"""``/setup`` leads a new admin to a first digest, over the wire; ``/workflow`` posts all of them."""

import asyncio

import pytest

from bot.subscription import Every
from sandbox.guilds import Channel, User
from sandbox.messages import Message
from tests.bot.conftest import Start
from tests.bot.digest_town import WAIT_S, Town, control, plain
from tests.bot.scene import FakeSource, Scene, found, text_of, until


@pytest.fixture
async def town(scene: Scene) -> Town:
    return Town(scene)


async def choose(town: Town, card: Message, menu: str, *values: str, user: User | None = None) -> str:
    """Choose in a menu; what the card says then."""
    edits = len(card.edits)
    exchange = await town.press(card, menu, user, values=list(values))
    await until(lambda: len(card.edits) > edits, WAIT_S)
    assert await exchange.wait_acknowledged()
    return plain(card)


async def make(town: Town, card: Message) -> str:
    """Press the last button; what became of it."""
    await town.press(card, "Make it")
    await until(lambda: not card.components and "On its way" not in text_of(card), WAIT_S)
    return plain(card)


async def test_four_choices_make_a_digest_and_post_the_first(town: Town) -> None:
    card = await town.message("/setup")
    assert card.ephemeral
    said = await choose(town, card, "Where", str(town.scene.channel.id))
    assert f"1. Channel**: <#{town.scene.channel.id}>" in said
    assert "2. Sources**: Reddit, News" in await choose(town, card, "Which sources", "reddit", "news")
    assert "daily at 17:00" in await choose(town, card, "When", "17:00")
    assert "Europe/Berlin" in await choose(town, card, "zone", "Europe/Berlin")
    said = await make(town, card)
    assert "Posted in" in said
    assert "daily at 17:00 (Europe/Berlin), next <t:" in said
    (one,) = await town.subscriptions()
    assert [source.name for source in one.plan.sources] == ["reddit", "news"]
    assert (one.plan.schedule.at, one.plan.schedule.timezone) == ("17:00", "Europe/Berlin")
    assert len(town.posts()) >= 1


async def test_what_was_chosen_outlives_a_restart(start: Start) -> None:
    async with start() as scene:
        town = Town(scene)
        card = await town.message("/setup")
        await choose(town, card, "Where", str(scene.channel.id))
        await choose(town, card, "When", "h")
    async with start() as scene:
        town = Town(scene)
        assert "every hour" in await choose(town, card, "Which sources", "hackernews")
        assert "Posted in" in await make(town, card)
        (one,) = await town.subscriptions()
        assert one.plan.schedule.every is Every.HOUR
        assert [source.name for source in one.plan.sources] == ["hackernews"]


async def test_any_time_zone_can_be_typed_and_a_wrong_one_is_told(town: Town) -> None:
    card = await town.message("/setup")
    opened = await town.press(card, "Another time zone")
    assert await opened.wait_acknowledged()
    before = text_of(card)
    sent = await town.local.submit_modal(town.admin, opened, {"value": "asia/kathmandu"})
    assert "Asia/Kathmandu" in await town.changed_by(sent, card, before)
    opened = await town.press(card, "Another time zone")
    assert await opened.wait_acknowledged()
    sent = await town.local.submit_modal(town.admin, opened, {"value": "Atlantis"})
    said = await sent.wait_message(predicate=lambda message: message is not card and not message.loading)
    assert "is no time zone" in plain(said)


async def test_what_is_lacking_in_a_channel_is_named_and_can_be_mended(town: Town) -> None:
    place = town.guild.add_channel("place")
    await town.known(place)
    await town.allowed(place, deny=["send_messages"], user=town.local.bot_user)
    card = await town.message("/setup")
    assert "⚠️ In #place I lack Send Messages" in await choose(town, card, "Where", str(place.id))
    edits = len(card.edits)
    await town.press(card, "Make it")
    await until(lambda: len(card.edits) > edits, WAIT_S)
    assert await town.subscriptions() == ()
    await town.allowed(place, deny=[], user=town.local.bot_user)
    assert "Posted in" in await make(town, card)


async def test_a_first_digest_without_news_is_made_all_the_same(town: Town, sources: dict[str, FakeSource]) -> None:
    for source in sources.values():
        source.outcome = found(0)
    card = await town.message("/setup")
    await choose(town, card, "Where", str(town.scene.channel.id))
    said = await make(town, card)
    assert "nothing new" in said
    assert "It runs daily" in said
    assert len(await town.subscriptions()) == 1


async def test_what_the_server_has_switched_off_is_not_offered_and_refused_where_it_is_typed(town: Town) -> None:
    await town.say("/config set setting:sources value:reddit")
    card = await town.message("/setup")
    (menu,) = [
        item for row in card.components for item in row["components"] if "sources" in item.get("placeholder", "")
    ]
    assert [option["value"] for option in menu["options"]] == ["reddit"]
    said = await town.say("/digest add channel:general sources:news")
    assert "News is switched off in this server. Switch it on with /config set sources" in said
    choices = await town.local.autocomplete(town.admin, town.scene.channel, "/digest add channel:general sources:")
    assert not any("news" in choice["value"] for choice in choices)


async def test_two_presses_make_one_digest(town: Town) -> None:
    card = await town.message("/setup")
    await choose(town, card, "Where", str(town.scene.channel.id))
    await asyncio.gather(*(town.press(card, "Make it") for _ in range(2)))
    await until(lambda: not card.components and "On its way" not in text_of(card), WAIT_S)
    assert len(await town.subscriptions()) == 1


async def test_nothing_is_made_without_a_channel_although_the_button_is_pressed(town: Town) -> None:
    card = await town.message("/setup")
    pressed = await town.local.click(town.admin, card, control(card, "Make it"), forge=True)
    said = await pressed.wait_message(WAIT_S, lambda message: message is not card and not message.loading)
    assert "Choose a channel first." in plain(said)
    assert await town.subscriptions() == ()


async def test_members_may_not(town: Town) -> None:
    exchange = await town.local.send_command(town.ada, town.scene.channel, "setup")
    assert "Only for admins" in plain(await town.ended(exchange))
    card = await town.message("/setup")
    pressed = await town.local.click(town.ada, card, control(card, "Another time zone"), forge=True)
    assert "Only for admins" in plain(await town.ended(pressed))


async def test_a_card_of_another_server_does_nothing_here(town: Town) -> None:
    card = await town.message("/setup")
    elsewhere = town.local.add_guild("Elsewhere", ["general"])
    await until(lambda: town.scene.bot.get_guild(elsewhere.id))
    stranger = town.owner(elsewhere)
    asked = await town.scene.answer("/signals reddit", stranger, elsewhere.first_text_channel())
    forged = await town.local.select(
        stranger, asked, control(card, "Where"), [str(town.scene.channel.id)], forge=True
    )
    assert "belongs to another server" in plain(await town.ended(forged))


# -- workflows


async def digest(town: Town, name: str, channel: Channel, options: str = "", user: User | None = None) -> None:
    home = channel.guild
    assert home is not None
    where = home.first_text_channel()
    said = await town.say(f"/digest add channel:{channel.name} name:{name} {options}", user, where)
    assert f"Made · {name}" in said, said


async def test_all_digests_of_the_server_are_posted_and_none_of_another(town: Town) -> None:
    other = town.guild.add_channel("other")
    await town.known(other)
    elsewhere = town.local.add_guild("Elsewhere", ["general"])
    await until(lambda: town.scene.bot.get_guild(elsewhere.id))
    await digest(town, "One", town.scene.channel, "sources:reddit")
    await digest(town, "Two", other, "sources:hackernews")
    await digest(town, "Theirs", elsewhere.first_text_channel(), "", town.owner(elsewhere))
    said = await town.say("/workflow start name:Launch")
    assert "Launch is done" in said
    assert "2 digests: 2 posted." in said
    assert town.posts(elsewhere.first_text_channel()) == []
    assert "reddit" in plain(town.posts()[0])
    assert "hackernews" in plain(town.posts(other)[0])
    history = await town.say("/workflow history")
    assert "**Launch**" in history
    assert "by command · 2 digests: 2 posted" in history
    theirs = await town.say("/workflow history", town.owner(elsewhere), elsewhere.first_text_channel())
    assert "Launch" not in theirs


async def test_its_sources_and_query_go_before_the_digests_own(town: Town, sources: dict[str, FakeSource]) -> None:
    await digest(town, "One", town.scene.channel, "sources:reddit")
    await town.say("/workflow start sources:news query:rust")
    assert [question.query for question in sources["news"].asked] == ["rust"]
    assert sources["reddit"].asked == []


async def test_without_digests_it_says_how_to_make_one(town: Town) -> None:
    assert "/setup" in await town.say("/workflow start")
    assert "There is no source" in await town.say("/workflow start sources:redit")


async def test_members_may_start_nothing(town: Town) -> None:
    for path in ("workflow start", "workflow history"):
        assert "Only for admins" in await town.send(path, {}, town.ada)


async def test_what_takes_long_shows_its_progress(
    start: Start, sources: dict[str, FakeSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.following.PAUSE_S", 0.02)
    async with start() as scene:
        town = Town(scene)
        sources["reddit"].gate = asyncio.Event()
        await digest(town, "One", town.scene.channel, "sources:reddit")
        exchange = await town.scene.type("/workflow start", town.admin)
        message = await exchange.wait_message(WAIT_S, lambda one: "On its way" in text_of(one))
        await until(lambda: "1 asking the sources" in plain(message))
        sources["reddit"].gate.set()
        assert "1 posted" in plain(await town.ended(exchange))
