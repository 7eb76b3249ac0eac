"""``/signals``: one subcommand per source, made from what the sources declare, plus ``all``."""

import asyncio
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from agents import telemetry
from agents.events import LONGEST_QUERY
from agents.signal import Timeframe
from agents.source import Option
from bot.answer import Question
from bot.asking import ALL, Asking, Origin
from bot.cards.progress import pending_card
from bot.delivery.places import EDIT_TIMEOUT_S, MessagePlace, Place, acknowledge, as_discord
from bot.failures import Asker, answer_failure
from bot.guild_settings import MOST_SIGNALS, GuildSettings

Ctx = commands.Context[Any]
_TEXT, _WHOLE = discord.AppCommandOptionType.string, discord.AppCommandOptionType.integer
_LONGEST_NUMBER = 9


def origin_of(asker: Asker) -> Origin:
    """Who asks and where: in the guild if it has installed the bot, else only as a user."""
    channel = asker.channel
    if isinstance(asker, commands.Context):
        guild_id, user_id = asker.guild.id if asker.guild is not None else None, asker.author.id
    else:
        guild_id, user_id = asker.guild_id if asker.is_guild_integration() else None, asker.user.id
    if guild_id is None:
        return Origin(f"user:{user_id}", user_id)
    return Origin(
        tenant=str(guild_id),
        user_id=user_id,
        guild_id=guild_id,
        channel_ids=_channel_ids(channel),
        age_restricted=_is_age_restricted(channel),
    )


def _channel_ids(channel: object) -> tuple[int, ...]:
    ids = (getattr(channel, "id", None), getattr(channel, "parent_id", None))
    return tuple(channel_id for channel_id in ids if channel_id is not None)


def _is_age_restricted(channel: object) -> bool:
    is_nsfw = getattr(channel, "is_nsfw", None)
    return bool(is_nsfw()) if is_nsfw is not None else False


class SignalsCog(commands.Cog, name="signals"):
    """Asks for signals, as slash command and, where the bot reads messages, by mention."""

    def __init__(
        self, bot: commands.Bot | commands.AutoShardedBot, asking: Asking, session: aiohttp.ClientSession
    ) -> None:
        self._bot = bot
        self._asking = asking
        self._session = session
        self._group = self._build()

    async def cog_load(self) -> None:
        """Add the commands."""
        self._bot.add_command(self._group)

    async def cog_unload(self) -> None:
        """Take the commands away again."""
        self._bot.remove_command(self._group.name)

    def _build(self) -> commands.HybridGroup[Any, ..., Any]:
        async def default(ctx: Ctx, *, rest: str = "") -> None:
            await self.ask(ctx, rest.split(maxsplit=1)[0] if rest else None, {})

        # The decorators for installs and contexts stand below hybrid_group, or discord.py ignores them.
        described = commands.hybrid_group(name="signals", description="What is fresh and worth knowing, ranked")
        group: commands.HybridGroup[Any, ..., Any] = described(everywhere(default))
        for spec in self._asking.specs.values():
            self._add(group, spec.name, spec.help, spec.options)
        self._add(group, ALL, "Every source at once, merged and ranked together", ())
        return group

    def _add(
        self, group: commands.HybridGroup[Any, ..., Any], name: str, help_line: str, options: Sequence[Option]
    ) -> None:
        """A subcommand in both forms, with the same options.

        A hybrid command's own slash form makes a context and a message of each interaction, which takes longer than
        the answer; so its slash form is a plain one.
        """
        offered = offers(options)

        async def by_text(ctx: Ctx, *, flags: Any) -> None:
            await self.ask(ctx, name, {given: getattr(flags, given) for given in offered})

        async def by_slash(interaction: discord.Interaction, **given: object) -> None:
            await self.ask(interaction, name, given)

        by_text.__annotations__["flags"] = flag_converter(name, offered)
        by_slash.__signature__ = slash_signature(offered)  # type: ignore[attr-defined]
        group.add_command(commands.hybrid_command(name=name, description=help_line, with_app_command=False)(by_text))
        described = app_commands.describe(**{option: offer.help for option, offer in offered.items()})(by_slash)
        assert group.app_command is not None
        group.app_command.add_command(app_commands.Command(name=name, description=help_line, callback=described))

    async def ask(self, asker: Asker, source: str | None, given: Mapping[str, object]) -> None:
        """Put the question and answer it; whatever goes wrong is told to the person, within the same trace.

        None asks the default source.
        """
        place: Place | None = None

        async def begin(question: Question, private: bool) -> Place:
            nonlocal place
            place = await self._begin(asker, question, private=private)
            return place

        attributes = {"source": (source or "default")[:40]}
        if isinstance(asker, discord.Interaction):
            attributes["interaction_id"] = str(asker.id)
        with telemetry.span("command.signals", attributes):
            try:
                origin = origin_of(asker)
                settings = await self._asking.settings_of(origin)
                _refuse_in_public(asker, settings)
                question = self._asking.question(source, given, settings)
                await self._asking.ask(question, origin, settings, begin)
            except Exception as error:  # noqa: BLE001 - told to the person, and logged unless it was expected
                await answer_failure(asker, error, place)

    async def _begin(self, asker: Asker, question: Question, *, private: bool) -> Place:
        if isinstance(asker, discord.Interaction):
            return await acknowledge(asker, self._session, private=private)
        titles = {name: spec.title for name, spec in self._asking.specs.items()}
        async with asyncio.timeout(EDIT_TIMEOUT_S):
            return MessagePlace(await asker.send(**as_discord(pending_card(question, (), titles))))

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """A bare mention asks the default source."""
        me = self._bot.user
        if me is None or message.author.bot or message.content.strip() not in {f"<@{me.id}>", f"<@!{me.id}>"}:
            return
        ctx = await self._bot.get_context(message)
        await self.ask(ctx, None, {})


def _refuse_in_public(asker: Asker, settings: GuildSettings) -> None:
    """Only an interaction can be answered so that nobody else sees it. Raises ``CheckFailure``."""
    if settings.private_answers and isinstance(asker, commands.Context):
        raise commands.CheckFailure("Answers are private in this server, so ask with `/signals` instead.")


def everywhere(command: Any) -> Any:
    """Installable to servers and to users; usable in servers, direct messages and group chats."""
    installs = app_commands.allowed_installs(guilds=True, users=True)
    return installs(app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)(command))


class AsTyped(commands.Converter[object], app_commands.Transformer):
    """An option as Discord's client is told to offer it, handed on as it arrives.

    Whatever it is, ``Asking.question`` checks it, in words that name the option, for slash and text commands alike.
    ``least`` and ``most`` bound a number, or the length of a text.
    """

    def __init__(
        self,
        kind: discord.AppCommandOptionType,
        *,
        least: int | None = None,
        most: int | None = None,
        choices: Sequence[str] = (),
    ) -> None:
        self._kind = kind
        self._least = least
        self._most = most
        self._choices = choices

    @property
    def type(self) -> discord.AppCommandOptionType:
        """See ``app_commands.Transformer``, as the three after it."""
        return self._kind

    @property
    def min_value(self) -> int | None:
        """The bound below."""
        return self._least

    @property
    def max_value(self) -> int | None:
        """The bound above."""
        return self._most

    @property
    def choices(self) -> list[app_commands.Choice[int | float | str]] | None:
        """What Discord's client lets people choose from."""
        return [app_commands.Choice(name=choice, value=str(choice)) for choice in self._choices] or None

    async def transform(self, interaction: discord.Interaction, value: object, /) -> object:
        """Of a slash command."""
        return value

    async def convert(self, ctx: commands.Context[Any], argument: str) -> object:
        """Of a message, where numbers are text."""
        is_number = self._kind is _WHOLE and argument.isdecimal() and len(argument) <= _LONGEST_NUMBER
        return int(argument) if is_number else argument


@dataclass(frozen=True, slots=True)
class Offer:
    """One option as people are offered it."""

    takes: AsTyped
    help: str
    positional: bool = False
    """In a message, what people write before the first ``name:``."""


def offers(options: Sequence[Option]) -> dict[str, Offer]:
    """The options of one subcommand by name, in the order in which people see them; each may be left out."""
    query = Offer(
        AsTyped(_TEXT, least=1, most=LONGEST_QUERY), "Words to look for; leave out for the best of all", True
    )
    return {
        "query": query,
        **{option.name: Offer(AsTyped(_TEXT, choices=option.choices), option.help[:100]) for option in options},
        "timeframe": Offer(
            AsTyped(_TEXT, choices=tuple(Timeframe)), "How far back (default: the server's, else 24h)"
        ),
        "limit": Offer(
            AsTyped(_WHOLE, least=1, most=MOST_SIGNALS),
            f"How many, 1 to {MOST_SIGNALS} (default: the server's, else 10)",
        ),
    }


def slash_signature(offered: Mapping[str, Offer]) -> Signature:
    """What discord.py makes a slash command's options of."""
    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=offer.takes)
        for name, offer in offered.items()
    ]
    return Signature([Parameter("interaction", Parameter.POSITIONAL_OR_KEYWORD), *options])


def flag_converter(name: str, offered: Mapping[str, Offer]) -> type[commands.FlagConverter]:
    """The same options in a message: ``query: rust timeframe: 7d``."""
    body: dict[str, Any] = {
        "__annotations__": {option: offer.takes for option, offer in offered.items()},
        "__module__": __name__,
        **{
            option: commands.flag(default=None, description=offer.help, positional=offer.positional)
            for option, offer in offered.items()
        },
    }
    return types.new_class(
        f"{name.title()}Flags", (commands.FlagConverter,), exec_body=lambda space: space.update(body)
    )
