"""``/why link`` and *Why these items* in a message's menu: what an answer has, what it has not, and why."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from agents import telemetry
from agents.errors import InvalidOption
from agents.signal import Reason
from agents.urls import canonical
from bot.answer import Answer
from bot.asking import Origin, SettingsOf
from bot.cards import custom_ids, notices
from bot.cards.card import Card
from bot.cards.why import OF_ANSWER, left_out_card, not_seen_card, why_card
from bot.cogs.signals import everywhere, origin_of
from bot.delivery.places import Place, acknowledge
from bot.failures import answer_failure, tell
from bot.store.answers import Expired

MOST_ANSWERS = 20
"""Of a server, that are looked at for a link, newest first."""
_NSFW = "It is in an answer with items that are not safe for work, and not for here."


class FindAnswers(Protocol):
    """Where answers given earlier are found."""

    async def get(self, answer_id: str) -> Answer | Expired | None:
        """The answer, or what is left of it."""
        ...

    async def newest(self, tenant: str, limit: int) -> tuple[Answer, ...]:
        """A tenant's answers, newest first."""
        ...


class WhyCog(commands.Cog, name="why"):
    """Explains answers, privately, to whoever asks."""

    def __init__(
        self,
        bot: commands.Bot | commands.AutoShardedBot,
        answers: FindAnswers,
        settings_of: SettingsOf,
        titles: Mapping[str, str],
        session: aiohttp.ClientSession,
    ) -> None:
        self._bot = bot
        self._answers = answers
        self._settings_of = settings_of
        self._titles = titles
        self._session = session
        self._menu = everywhere(app_commands.ContextMenu(name="Why these items", callback=self._of_message))

    async def cog_load(self) -> None:
        """Add the menu's command."""
        self._bot.tree.add_command(self._menu)

    async def cog_unload(self) -> None:
        """Take it away again."""
        self._bot.tree.remove_command(self._menu.name, type=self._menu.type)

    @everywhere
    @app_commands.command(name="why", description="Why something is in the last answer, or is not")
    @app_commands.describe(link="The address of the story or of its discussion")
    async def why(self, interaction: discord.Interaction, link: app_commands.Range[str, 1, 2000]) -> None:
        """Of the newest answer here that knows of it."""
        place: Place | None = None
        with telemetry.span("command.why", {"interaction_id": str(interaction.id)}):
            try:
                url = _address(link)
                place = await acknowledge(interaction, self._session, private=True)
                await place.edit(await self._verdict(origin_of(interaction), url))
            except Exception as error:  # noqa: BLE001 - told to the person, and logged unless it was expected
                await answer_failure(interaction, error, place)

    async def _verdict(self, origin: Origin, url: str) -> Card:
        answers = await self._answers.newest(origin.tenant, MOST_ANSWERS)
        for answer in answers:
            found = await asyncio.to_thread(answer.account_of, url)  # 5 ms each, for those that have many items
            if found is None:
                continue
            if isinstance(found, int):
                if _has_nsfw(answer) and not await self._may_show_nsfw(origin):
                    return notices.not_allowed(_NSFW)
                return why_card(answer, found, OF_ANSWER, self._titles)
            unsafe = found.nsfw or found.reason is Reason.NSFW
            discreet = unsafe and not await self._may_show_nsfw(origin)
            return left_out_card(answer, found, self._titles, discreet=discreet)
        return not_seen_card(len(answers), url)

    async def _of_message(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Of the answer that a message shows."""
        place: Place | None = None
        with telemetry.span("command.why", {"interaction_id": str(interaction.id)}):
            try:
                answer = await self._shown_in(interaction, message)
                if answer is not None:
                    place = await acknowledge(interaction, self._session, private=True)
                    await place.edit(why_card(answer, 0, OF_ANSWER, self._titles))
            except Exception as error:  # noqa: BLE001 - told to the person, and logged unless it was expected
                await answer_failure(interaction, error, place)

    async def _shown_in(self, interaction: discord.Interaction, message: discord.Message) -> Answer | None:
        """The answer, if it was given here; otherwise the person is told, and None."""
        answer_id = _answer_id(message) if message.author.id == interaction.application_id else None
        if answer_id is None:
            await tell(interaction, notices.no_answer())
            return None
        answer = await self._answers.get(answer_id)
        origin = origin_of(interaction)
        if answer is not None and answer.tenant.isdecimal() and answer.tenant != origin.tenant:
            await tell(interaction, notices.foreign_button())
            return None
        if not isinstance(answer, Answer):
            await tell(interaction, notices.expired(answer_id if answer is not None else None))
            return None
        if _has_nsfw(answer) and not await self._may_show_nsfw(origin):
            await tell(interaction, notices.not_allowed(_NSFW))
            return None
        return answer

    async def _may_show_nsfw(self, origin: Origin) -> bool:
        return origin.age_restricted and (await self._settings_of(origin)).nsfw


def _address(typed: str) -> str:
    """The address in what was typed, such as ``<https://…>``. Raises ``InvalidOption``."""
    url = canonical(typed.strip().strip("<>"))
    if url is None:
        raise InvalidOption("link", "link is the address of a page, beginning with https:// or http://.")
    return url


def _has_nsfw(answer: Answer) -> bool:
    return any(signal.nsfw for signal in answer.signals)


def _answer_id(message: discord.Message) -> str | None:
    """The answer that a message's buttons belong to."""
    for row in message.components:
        for item in getattr(row, "children", ()):
            custom_id = getattr(item, "custom_id", None) or ""
            known = custom_ids.parse(custom_id) or custom_ids.parse_digest(custom_id)
            if known is not None:
                return known.answer_id
    return None
