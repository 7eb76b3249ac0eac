"""The buttons under an answer: they work after a restart, for whoever presses them."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, Self

import aiohttp
import discord
from discord.ext import commands

from agents import telemetry
from bot.answer import Answer, Question
from bot.asking import Asking
from bot.cards import custom_ids, notices
from bot.cards.answer import AnswerCards
from bot.cards.custom_ids import AGAIN_PATTERN, PAGE_PATTERN
from bot.cogs.signals import origin_of
from bot.delivery.places import ACKNOWLEDGE_TIMEOUT_S, Place, acknowledge, as_discord
from bot.failures import answer_failure, tell
from bot.store.answers import Expired

Press = Callable[[discord.Interaction], Awaitable[None]]
_NSFW = "This answer has items that are not safe for work, and they are no longer shown here. Ask again without them."


class FindAnswer(Protocol):
    """Where answers given earlier are found."""

    async def get(self, answer_id: str) -> Answer | Expired | None:
        """The answer, or what is left of it."""
        ...


class ButtonsCog(commands.Cog, name="buttons"):
    """Turns pages and asks again. Ids that are not ours, or not under the message, get an answer too."""

    def __init__(
        self,
        bot: commands.Bot | commands.AutoShardedBot,
        asking: Asking,
        answers: FindAnswer,
        cards: AnswerCards,
        session: aiohttp.ClientSession,
    ) -> None:
        self._bot = bot
        self._asking = asking
        self._answers = answers
        self._cards = cards
        self._session = session

    async def cog_load(self) -> None:
        """Register the patterns; they belong to no view, so none that times out can take them away."""
        self._bot.add_dynamic_items(PageItem, AgainItem)

    async def cog_unload(self) -> None:
        """Forget the patterns."""
        self._bot.remove_dynamic_items(PageItem, AgainItem)

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Answer presses and modals that no pattern of ours takes; discord.py would leave them without a word."""
        if interaction.type not in {discord.InteractionType.component, discord.InteractionType.modal_submit}:
            return
        if not _is_ours(interaction) and not _is_answered_elsewhere(interaction):
            await self.guarded(interaction, lambda pressed: tell(pressed, notices.unknown_button()))

    async def guarded(self, interaction: discord.Interaction, press: Press) -> None:
        """Run a press in a trace of its own; whatever goes wrong is told to the person."""
        with telemetry.span("button", {"interaction_id": str(interaction.id)}):
            try:
                await press(interaction)
            except Exception as error:  # noqa: BLE001 - told to the person, and logged unless it was expected
                await answer_failure(interaction, error)

    async def turn_page(self, interaction: discord.Interaction, answer_id: str, page: int, owner_id: int) -> None:
        """Show a page: in place for the owner, as a private copy with buttons of its own for anyone else."""
        answer = await self._own(interaction, answer_id)
        if not isinstance(answer, Answer):
            return
        if any(signal.nsfw for signal in answer.signals) and not await self._may_show_nsfw(interaction):
            await tell(interaction, notices.not_allowed(_NSFW))
            return
        drawn = as_discord(self._cards.card(answer, page, interaction.user.id))
        async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT_S):
            if interaction.user.id == owner_id:
                await interaction.response.edit_message(**drawn)
            else:
                await interaction.response.send_message(**drawn, ephemeral=True)

    async def _may_show_nsfw(self, interaction: discord.Interaction) -> bool:
        """Whether the setting and the channel still are as they were when the answer was given."""
        origin = origin_of(interaction)
        return origin.age_restricted and (await self._asking.settings_of(origin)).nsfw

    async def ask_again(self, interaction: discord.Interaction, answer_id: str) -> None:
        """Ask the same question anew, for whoever pressed, as an answer that only they see."""
        answer = await self._own(interaction, answer_id, accept_expired=True)
        if answer is None:
            return

        async def defer(_question: Question, _private: bool) -> Place:
            return await acknowledge(interaction, self._session, private=True)

        origin = origin_of(interaction)
        settings = await self._asking.settings_of(origin)
        await self._asking.ask(self._asking.again(answer.question, settings), origin, settings, defer)

    async def _own(
        self, interaction: discord.Interaction, answer_id: str, *, accept_expired: bool = False
    ) -> Answer | Expired | None:
        """The answer if it was given here and is usable; otherwise the person is told, and None.

        A user's own answer may be turned by whoever sees it: the button stands under a message that they were sent.
        """
        answer = await self._answers.get(answer_id)
        if answer is not None and answer.tenant.isdecimal() and answer.tenant != origin_of(interaction).tenant:
            await tell(interaction, notices.foreign_button())
            return None
        if answer is None or (isinstance(answer, Expired) and not accept_expired):
            await tell(interaction, notices.expired(answer_id if answer is not None else None))
            return None
        return answer


def _is_answered_elsewhere(interaction: discord.Interaction) -> bool:
    """Whether another cog answers every press of this kind, forged ones too."""
    data: Any = interaction.data or {}
    families = (
        custom_ids.CONFIG_FAMILY,
        custom_ids.PRIVACY_FAMILY,
        custom_ids.DIGEST_FAMILY,
        custom_ids.PLAN_FAMILY,
    )
    return str(data.get("custom_id", "")).startswith(families)


def _is_ours(interaction: discord.Interaction) -> bool:
    """Whether a pattern takes this press: a button with an id of ours that really is under the message."""
    data: Any = interaction.data or {}
    kind, custom_id = data.get("component_type"), str(data.get("custom_id", ""))
    if (
        interaction.message is None
        or kind != discord.ComponentType.button.value
        or custom_ids.parse(custom_id) is None
    ):
        return False
    rows = [row for row in interaction.message.components if isinstance(row, discord.ActionRow)]
    return any(item.custom_id == custom_id for row in rows for item in row.children)


def _cog(interaction: discord.Interaction) -> ButtonsCog:
    client: Any = interaction.client
    cog = client.get_cog(ButtonsCog.__cog_name__)
    assert isinstance(cog, ButtonsCog)
    return cog


class PageItem(discord.ui.DynamicItem[discord.ui.Button[Any]], template=PAGE_PATTERN):
    """Previous and next."""

    def __init__(self, item: discord.ui.Button[Any], button: custom_ids.PageButton) -> None:
        super().__init__(item)
        self._button = button

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Made by discord.py from a press."""
        assert isinstance(item, discord.ui.Button)
        return cls(item, custom_ids.PageButton(match["answer_id"], int(match["page"]), int(match["owner_id"])))

    async def callback(self, interaction: discord.Interaction) -> None:
        """The press."""
        cog, button = _cog(interaction), self._button
        await cog.guarded(
            interaction, lambda pressed: cog.turn_page(pressed, button.answer_id, button.page, button.owner_id)
        )


class AgainItem(discord.ui.DynamicItem[discord.ui.Button[Any]], template=AGAIN_PATTERN):
    """Ask again."""

    def __init__(self, item: discord.ui.Button[Any], button: custom_ids.AgainButton) -> None:
        super().__init__(item)
        self._button = button

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Made by discord.py from a press."""
        assert isinstance(item, discord.ui.Button)
        return cls(item, custom_ids.AgainButton(match["answer_id"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        """The press."""
        cog, answer_id = _cog(interaction), self._button.answer_id
        await cog.guarded(interaction, lambda pressed: cog.ask_again(pressed, answer_id))
