"""The buttons under a digest: why these items, mute a word. They work after a restart, for whoever presses them."""

from collections.abc import Awaitable, Callable, Mapping

import aiohttp
import discord
from discord.ext import commands

from agents import telemetry
from bot.answer import Answer
from bot.asking import Origin, SettingsOf
from bot.cards import config as config_cards
from bot.cards import custom_ids, notices
from bot.cards.custom_ids import DigestControl
from bot.cards.why import why_card
from bot.cogs import forms
from bot.cogs.admins import Admins, custom_id_of
from bot.cogs.buttons import FindAnswer
from bot.cogs.signals import origin_of
from bot.configuring import Admin, Configuring
from bot.delivery.places import acknowledge
from bot.failures import answer_failure, tell
from bot.guild_settings import LONGEST_WORD

Press = Callable[[discord.Interaction, DigestControl], Awaitable[None]]
_NSFW = "This digest has items that are not safe for work, and they are no longer shown here."


class DigestButtonsCog(commands.Cog, name="digest buttons"):
    """Answers every press of its family, forged ones too; privately, whoever pressed."""

    def __init__(
        self,
        configuring: Configuring,
        answers: FindAnswer,
        settings_of: SettingsOf,
        titles: Mapping[str, str],
        session: aiohttp.ClientSession,
    ) -> None:
        self._configuring = configuring
        self._admins = Admins(configuring, session)
        self._answers = answers
        self._settings_of = settings_of
        self._titles = titles
        self._session = session
        self._presses: dict[str, Press] = {
            "why": self._why,
            "item": self._item,
            "mute": self._ask_word,
            "word": self._mute,
        }

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Presses and forms: matched by their ids, so that nothing is remembered."""
        custom_id = custom_id_of(interaction)
        if custom_id is None or not custom_id.startswith(custom_ids.DIGEST_FAMILY):
            return
        control = custom_ids.parse_digest(custom_id)
        press = self._presses.get(control.verb) if control is not None else None
        with telemetry.span("digest.button", {"interaction_id": str(interaction.id)}):
            try:
                if control is None or press is None:
                    await tell(interaction, notices.unknown_button())
                else:
                    await press(interaction, control)
            except Exception as error:  # noqa: BLE001 - told to the person, and logged unless it was expected
                await answer_failure(interaction, error)

    async def _why(self, interaction: discord.Interaction, control: DigestControl) -> None:
        """The first item, over a menu of all of them."""
        answer = await self._own(interaction, control.answer_id)
        if answer is not None:
            place = await acknowledge(interaction, self._session, private=True)
            await place.edit(why_card(answer, 0, control.nonce, self._titles))

    async def _item(self, interaction: discord.Interaction, control: DigestControl) -> None:
        """Another item, in the same private message."""
        if interaction.message is None or not interaction.message.flags.ephemeral:
            await tell(interaction, notices.unknown_button())
            return
        answer = await self._own(interaction, control.answer_id)
        if answer is not None:
            (chosen,) = forms.chosen(interaction)[:1] or ("0",)
            index = int(chosen) if chosen.isdecimal() and len(chosen) < 4 else 0
            place = await acknowledge(interaction, self._session, private=True, update=True)
            await place.edit(why_card(answer, index, control.nonce, self._titles))

    async def _own(self, interaction: discord.Interaction, answer_id: str) -> Answer | None:
        """What the digest was made from, if it was given here; otherwise the person is told, and None."""
        answer = await self._answers.get(answer_id)
        origin = origin_of(interaction)
        if answer is not None and answer.tenant != origin.tenant:
            await tell(interaction, notices.foreign_button())
            return None
        if not isinstance(answer, Answer):
            await tell(interaction, notices.expired(answer_id if answer is not None else None))
            return None
        if any(signal.nsfw for signal in answer.signals) and not await self._may_show_nsfw(origin):
            await tell(interaction, notices.not_allowed(_NSFW))
            return None
        return answer

    async def _may_show_nsfw(self, origin: Origin) -> bool:
        """Whether the setting and the channel still are as they were when it was posted."""
        return origin.age_restricted and (await self._settings_of(origin)).nsfw

    async def _ask_word(self, interaction: discord.Interaction, control: DigestControl) -> None:
        """Opens a form, for those who may configure."""

        async def ask(_admin: Admin) -> None:
            await forms.open_form(
                interaction,
                str(DigestControl("word", control.nonce, control.answer_id)),
                title="Mute a word",
                label="Word or phrase",
                help_line="Items that have it are left out of every answer and digest in this server",
                placeholder="Whole words count, upper or lower case; several with commas",
                longest=4 * LONGEST_WORD,
            )

        await self._admins.serve(interaction, ask)

    async def _mute(self, interaction: discord.Interaction, _control: DigestControl) -> None:
        """One more muted word: a setting like any other, so it is in the history and can be undone."""

        async def mute(admin: Admin) -> None:
            place = await acknowledge(interaction, self._session, private=True)
            spec = self._configuring.specs["mute"]
            words = ", ".join((*admin.settings.muted, forms.typed(interaction) or ""))
            settings = self._configuring.with_value(admin.settings, spec, words)
            await self._admins.change(
                admin, place, settings, "mute",
                lambda saved: config_cards.changed_card(saved.changes, config_cards.UNDO_HINT),
            )  # fmt: skip

        await self._admins.serve(interaction, mute)
