"""What every ``GuildStore`` keeps to, over each of ``ENGINES``."""

import asyncio

import pytest

from bot.guild_settings import DEFAULTS, GuildSettings
from bot.store.guilds import UNDO, Conflict, SettingChange, Undoable, undoing
from bot.store.settings_memory import Versioned
from tests.bot import samples
from tests.bot.store.digest_store import ADA, BEN, DAY, GUILD, OTHER, Clock, Life, Start
from tests.bot.test_guild_settings import EVERYTHING


async def test_a_server_that_never_set_anything_has_the_defaults(start: Start) -> None:
    async with start() as life:
        assert life.guilds.peek(GUILD) is None, "nobody asked yet"
        assert await life.guilds.get(GUILD) == Versioned(DEFAULTS, 0)
        assert life.guilds.peek(GUILD) == Versioned(DEFAULTS, 0)


async def test_what_was_saved_holds_at_once_after_a_restart_and_for_nobody_else(start: Start) -> None:
    async with start() as life:
        assert await life.save(EVERYTHING, at=0) == Versioned(EVERYTHING, 1)
        assert life.guilds.peek(GUILD) == Versioned(EVERYTHING, 1)
        assert await life.guilds.get(OTHER) == Versioned(DEFAULTS, 0)
    async with start() as life:
        assert life.guilds.peek(GUILD) is None
        assert await life.guilds.get(GUILD) == Versioned(EVERYTHING, 1)
        assert await life.guilds.get(OTHER) == Versioned(DEFAULTS, 0)


async def test_several_servers_are_looked_up_at_once(start: Start) -> None:
    async with start() as life:
        await life.save(EVERYTHING, at=0)
        await life.save(DEFAULTS.changed(limit=5), at=0, guild=OTHER)
    async with start() as life:
        await life.guilds.get(OTHER)
        assert await life.guilds.get_several({GUILD, OTHER, 5}) == {
            GUILD: Versioned(EVERYTHING, 1),
            OTHER: Versioned(DEFAULTS.changed(limit=5), 1),
            5: Versioned(DEFAULTS, 0),
        }
        assert life.guilds.peek(GUILD) == Versioned(EVERYTHING, 1)
        assert await life.guilds.get_several(()) == {}


async def test_the_second_of_two_who_save_at_once_learns_what_holds(start: Start) -> None:
    first, second = DEFAULTS.changed(limit=5), DEFAULTS.changed(limit=7)
    async with start() as life:
        outcomes = await asyncio.gather(life.save(first, at=0), life.save(second, at=0), return_exceptions=True)
        assert outcomes[0] == Versioned(first, 1)
        assert isinstance(outcomes[1], Conflict)
        assert outcomes[1].current == Versioned(first, 1)
        assert life.guilds.peek(GUILD) == Versioned(first, 1)
        with pytest.raises(Conflict):
            await life.save(second, at=2)
        assert len(await life.guilds.history(GUILD, 10)) == 1


async def test_of_many_who_save_at_once_each_gets_a_true_answer(start: Start) -> None:
    async with start() as life:
        guilds = [GUILD + number for number in range(300)]
        saves = [
            life.save(DEFAULTS.changed(limit=1 + turn), at=turn, guild=guild) for turn in range(2) for guild in guilds
        ]
        saved = await asyncio.gather(*saves)
        assert [one.version for one in saved] == [1] * 300 + [2] * 300
    async with start() as life:
        for guild in guilds:
            assert await life.guilds.get(guild) == Versioned(DEFAULTS.changed(limit=2), 2)


async def test_saving_what_holds_already_makes_no_version(start: Start) -> None:
    async with start() as life:
        assert await life.save(DEFAULTS, at=0) == Versioned(DEFAULTS, 0)
        await life.save(DEFAULTS.changed(nsfw=True), at=0)
        assert await life.save(DEFAULTS.changed(nsfw=True), at=1) == Versioned(DEFAULTS.changed(nsfw=True), 1)
        assert len(await life.guilds.history(GUILD, 10)) == 1


async def test_every_change_is_written_down_with_who_when_and_what(start: Start, clock: Clock) -> None:
    async with start() as life:
        await life.save(DEFAULTS.changed(limit=5, muted=("crypto",)), at=0)
        clock.now += DAY
        await life.save(DEFAULTS.changed(limit=6), at=1, by=BEN, action="import")
        newest, oldest = await life.guilds.history(GUILD, 10)
        assert (newest.version, newest.at, newest.actor_id, newest.action) == (2, clock.now, BEN, "import")
        assert set(newest.changes) == {SettingChange("limit", 5, 6), SettingChange("muted", ("crypto",), ())}
        assert (oldest.version, oldest.at, oldest.actor_id, oldest.action) == (1, samples.NOON, ADA, "set")
        assert await life.guilds.history(OTHER, 10) == ()


async def test_every_kind_of_value_survives_the_history(start: Start) -> None:
    async with start() as life:
        await life.save(EVERYTHING, at=0)
        (entry,) = await life.guilds.history(GUILD, 1)
        assert {change.field: change.new for change in entry.changes} == {
            name: getattr(EVERYTHING, name) for name in GuildSettings.model_fields if name != "schema_version"
        }
        assert all(change.old == getattr(DEFAULTS, change.field) for change in entry.changes)


async def test_history_is_read_page_by_page_newest_first(start: Start) -> None:
    async with start() as life:
        for turn in range(7):
            await life.save(DEFAULTS.changed(limit=turn + 1, nsfw=turn % 2 == 0), at=turn)
        pages = [await life.guilds.history(GUILD, 3), await life.guilds.history(GUILD, 3, before=5)]
        assert [[entry.version for entry in page] for page in pages] == [[7, 6, 5], [4, 3, 2]]
        assert [entry.version for entry in await life.guilds.history(GUILD, 3, before=2)] == [1]


async def undoable(life: Life, before: int | None = None) -> list[int]:
    return [entry.version for entry in (await life.guilds.undoable(GUILD, before)).entries]


async def take_back(life: Life, version: int, action: str) -> None:
    """What the settings become does not matter to the history, as long as they change."""
    current = (await life.guilds.undoable(GUILD)).current
    other = current.settings.changed(limit=current.settings.limit % 25 + 1)
    await life.save(other, at=current.version, action=action)


async def test_what_was_taken_back_once_cannot_be_again_and_what_was_passed_over_can(start: Start) -> None:
    async with start() as life:
        assert await life.guilds.undoable(GUILD) == Undoable(Versioned(DEFAULTS, 0), ())
        for at in range(4):
            await life.save(DEFAULTS.changed(limit=at + 1), at=at)
        assert await undoable(life) == [4, 3, 2, 1]
        assert await undoable(life, 3) == [2, 1]
        await take_back(life, 2, undoing(2))
        assert await undoable(life) == [4, 3, 1]
        await take_back(life, 4, undoing(4))
        await life.save(DEFAULTS.changed(limit=25), at=6)
        assert await undoable(life) == [7, 3, 1]
        found, history = await life.guilds.undoable(GUILD), await life.guilds.history(GUILD, 10)
        assert found.current == Versioned(DEFAULTS.changed(limit=25), 7)
        assert found.entries == tuple(entry for entry in history if entry.version in {7, 3, 1})


async def test_an_earlier_programs_undo_took_back_the_newest_that_was_left(start: Start) -> None:
    async with start() as life:
        for at in range(3):
            await life.save(DEFAULTS.changed(limit=at + 1), at=at)
        await take_back(life, 3, UNDO)
        await take_back(life, 2, UNDO)
        assert await undoable(life) == [1]
        await life.save(DEFAULTS.changed(nsfw=True), at=5)
        await take_back(life, 6, undoing(6))
        assert await undoable(life) == [1]


async def test_a_version_is_never_given_twice_not_even_after_everything_was_deleted(
    start: Start, clock: Clock
) -> None:
    async with start() as life:
        for at in range(3):
            await life.save(DEFAULTS.changed(limit=at + 1), at=at)
        await life.save(DEFAULTS.changed(limit=9), at=0, guild=OTHER)
        await life.guilds.delete_guild(GUILD)
        await life.guilds.delete_guild(OTHER)  # whose versions went less far
        assert await life.guilds.get(GUILD) == Versioned(DEFAULTS, 0)
        for offered in (1, 2, 3):
            with pytest.raises(Conflict):
                await life.save(DEFAULTS.changed(limit=25), at=offered)
        assert await life.save(DEFAULTS.changed(limit=5), at=0) == Versioned(DEFAULTS.changed(limit=5), 4)
        (entry,) = await life.guilds.history(GUILD, 10)
        assert entry.version == 4
        assert await life.save(DEFAULTS.changed(limit=6), at=4) == Versioned(DEFAULTS.changed(limit=6), 5)
        await life.guilds.mark_removed(GUILD, clock.now)
        await life.guilds.purge(clock.now + 31 * DAY)
    async with start() as life:
        assert await life.save(DEFAULTS.changed(limit=7), at=0) == Versioned(DEFAULTS.changed(limit=7), 6)
        await life.guilds.reconcile((), clock.now)
        assert (await life.guilds.data_of(GUILD)).removed_at == clock.now
        assert (await life.guilds.data_of(0)).removed_at is None, "what remembers versions is no server"


async def test_what_is_stored_about_a_server_is_told(start: Start, clock: Clock) -> None:
    async with start() as life:
        await life.save(DEFAULTS.changed(limit=5, nsfw=True), at=0)
        await life.keep(samples.answer(1, tenant=str(GUILD), created_at=clock.now))
        await life.guilds.mark_removed(GUILD, clock.now)
        stored = await life.guilds.data_of(GUILD)
        assert stored.current == Versioned(DEFAULTS.changed(limit=5, nsfw=True), 1)
        assert (stored.changes, stored.oldest_change, stored.answers) == (2, clock.now, 1)
        assert stored.removed_at == clock.now
        nothing = await life.guilds.data_of(OTHER)
        assert (nothing.current.version, nothing.changes, nothing.answers) == (0, 0, 0)
        assert (nothing.oldest_change, nothing.removed_at) == (None, None)


async def test_deleting_a_server_leaves_nothing_of_it_and_everything_of_others(start: Start) -> None:
    own, foreign = samples.answer(1, tenant=str(GUILD)), samples.answer(1, tenant=str(OTHER))
    async with start() as life:
        await life.save(EVERYTHING, at=0)
        await life.save(EVERYTHING, at=0, guild=OTHER)
        life.answers.put(foreign)
        await life.keep(own)
        await life.guilds.delete_guild(GUILD)
        for guild, nothing in ((GUILD, True), (OTHER, False)):
            stored = await life.guilds.data_of(guild)
            assert (stored.current.version == 0, stored.changes == 0, stored.answers == 0) == (nothing,) * 3
        assert await life.guilds.get(GUILD) == Versioned(DEFAULTS, 0)
        assert await life.answers.get(own.id) is None
        assert await life.answers.get(foreign.id) == foreign
        assert await life.save(DEFAULTS.changed(limit=5), at=0) == Versioned(DEFAULTS.changed(limit=5), 2)


async def test_changes_are_forgotten_after_ninety_days_but_not_the_settings(start: Start, clock: Clock) -> None:
    async with start() as life:
        await life.save(DEFAULTS.changed(limit=5), at=0)
        clock.now += 60 * DAY
        await life.save(DEFAULTS.changed(limit=6), at=1)
        await life.guilds.purge(clock.now + 31 * DAY)
        assert [entry.version for entry in await life.guilds.history(GUILD, 10)] == [2]
        assert (await life.guilds.get(GUILD)).version == 2


async def test_a_removed_server_s_data_goes_after_thirty_days(start: Start, clock: Clock) -> None:
    async with start() as life:
        for guild in (GUILD, OTHER):
            await life.save(DEFAULTS.changed(limit=5), at=0, guild=guild)
            await life.guilds.mark_removed(guild, clock.now)
        await life.guilds.mark_removed(GUILD, clock.now + 20 * DAY)  # told twice: the first time counts
        await life.guilds.unmark(OTHER)
        await life.guilds.purge(clock.now + 29 * DAY)
        assert (await life.guilds.data_of(GUILD)).changes == 1
        await life.guilds.purge(clock.now + 31 * DAY)
        gone, kept = await life.guilds.data_of(GUILD), await life.guilds.data_of(OTHER)
        assert (gone.current.version, gone.changes, gone.removed_at) == (0, 0, None)
        assert (kept.current.version, kept.changes) == (1, 1)
        assert await life.guilds.get(GUILD) == Versioned(DEFAULTS, 0)


async def test_nothing_is_deleted_at_the_start_before_it_is_known_where_the_bot_is(
    start: Start, clock: Clock
) -> None:
    async with start() as life:
        for guild in (GUILD, OTHER):
            await life.save(DEFAULTS.changed(limit=5), at=0, guild=guild)
            await life.guilds.mark_removed(guild, clock.now)
    clock.now += 31 * DAY
    async with start() as life:
        await asyncio.sleep(0.05)
        assert (await life.guilds.data_of(GUILD)).changes == 1
        await life.guilds.reconcile({GUILD}, clock.now)  # it was added again meanwhile
        async with asyncio.timeout(5):
            while (await life.guilds.data_of(OTHER)).changes:
                await asyncio.sleep(0.01)
        assert (await life.guilds.data_of(GUILD)).changes == 1


async def test_what_happened_while_the_bot_was_away_is_found_at_the_start(start: Start, clock: Clock) -> None:
    async with start() as life:
        for guild in (GUILD, OTHER):
            await life.save(DEFAULTS.changed(limit=5), at=0, guild=guild)
        await life.keep(samples.answer(1, tenant="5", created_at=clock.now))
        await life.guilds.mark_removed(OTHER, clock.now)
        await life.guilds.reconcile([OTHER, 3], clock.now + DAY)
        marks = [(await life.guilds.data_of(guild)).removed_at for guild in (GUILD, OTHER, 5, 3)]
        assert marks == [clock.now + DAY, None, clock.now + DAY, None]


async def test_a_caller_that_is_cancelled_costs_nobody_else_anything(start: Start) -> None:
    async with start() as life:
        for turns in range(8):
            version = (await life.guilds.get(GUILD)).version
            cancelled = asyncio.create_task(life.save(DEFAULTS.changed(limit=1 + version % 25), at=version))
            others = [
                asyncio.create_task(life.save(DEFAULTS.changed(limit=1 + turns), at=turns, guild=GUILD + 1 + number))
                for number in range(3)
            ]
            for _ in range(turns):
                await asyncio.sleep(0.0003)
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
            assert [saved.version for saved in await asyncio.gather(*others)] == [turns + 1] * 3
            stored = (await life.guilds.data_of(GUILD)).current
            assert await life.guilds.get(GUILD) in (stored, life.guilds.peek(GUILD))


async def test_a_cancelled_reader_costs_another_nothing(start: Start) -> None:
    async with start() as life:
        await life.save(EVERYTHING, at=0)
    for turns in range(6):
        async with start() as life:
            cancelled, patient = (asyncio.create_task(life.guilds.get(GUILD)) for _ in range(2))
            for _ in range(turns):
                await asyncio.sleep(0.0005)
            cancelled.cancel()
            assert await patient == Versioned(EVERYTHING, 1)
            await asyncio.gather(cancelled, return_exceptions=True)
