"""``/signals``: one subcommand per source, made from what the sources declare, plus ``all``."""

import types
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from agents import telemetry
from agents.signal import Timeframe
from agents.source import Option
from bot.answer import Question
from bot.asking import ALL, LONGEST_QUERY, MOST_SIGNALS, Asking
from bot.cards.progress import pending_card
from bot.delivery.places import InteractionPlace, MessagePlace, Place, as_discord
from bot.failures import answer_failure

Ctx = commands.Context[Any]
_FRAMES = Literal["1h", "6h", "24h", "7d", "30d"]
assert set(_FRAMES.__args__) == set(Timeframe)  # type: ignore[attr-defined]


def tenant_of(target: discord.Interaction | Ctx) -> str:
    """Whose limits and answers these are: the guild's that installed the bot, else the user's."""
    interaction = target.interaction if isinstance(target, commands.Context) else target
    if interaction is not None:
        if interaction.guild_id is not None and interaction.is_guild_integration():
            return str(interaction.guild_id)
        return f"user:{interaction.user.id}"
    assert isinstance(target, commands.Context)
    return str(target.guild.id) if target.guild is not None else f"user:{target.author.id}"


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
        async def default(ctx: Ctx) -> None:
            passed = ctx.subcommand_passed
            await self.ask(ctx, self._asking.default_source if passed is None else passed, {})

        # The decorators for installs and contexts stand below hybrid_group, or discord.py ignores them.
        described = commands.hybrid_group(name="signals", description="What is fresh and worth knowing, ranked")
        group: commands.HybridGroup[Any, ..., Any] = described(everywhere(default))
        for spec in self._asking.specs.values():
            group.add_command(self._subcommand(spec.name, spec.help, spec.options))
        group.add_command(self._subcommand(ALL, "Every source at once, merged and ranked together", ()))
        return group

    def _subcommand(
        self, name: str, help_line: str, options: Sequence[Option]
    ) -> commands.HybridCommand[Any, ..., Any]:
        flags_type = flag_converter(name, options)
        names = ("query", *(option.name for option in options), "timeframe", "limit")

        async def subcommand(ctx: Ctx, *, flags: Any) -> None:
            await self.ask(ctx, name, {given: getattr(flags, given) for given in names})

        subcommand.__annotations__["flags"] = flags_type
        return commands.hybrid_command(name=name, description=help_line)(subcommand)

    async def ask(self, ctx: Ctx, source: str, given: Mapping[str, object]) -> None:
        """Put the question and answer it; whatever goes wrong is told to the person, within the same trace."""
        with telemetry.span("command.signals", {"source": source[:40]}):
            try:
                question = self._asking.question(source, given)
                await self._asking.ask(
                    question,
                    tenant=tenant_of(ctx),
                    user_id=ctx.author.id,
                    acknowledge=self._acknowledgement(ctx),
                )
            except Exception as error:  # noqa: BLE001 - told to the person, and logged unless it was expected
                await answer_failure(ctx, error)

    def _acknowledgement(self, ctx: Ctx) -> Callable[[Question], Awaitable[Place]]:
        async def defer(_question: Question) -> Place:
            assert ctx.interaction is not None
            return await acknowledge(ctx.interaction, self._session)

        async def begin(question: Question) -> Place:
            titles = {name: spec.title for name, spec in self._asking.specs.items()}
            return MessagePlace(await ctx.send(**as_discord(pending_card(question, (), titles))))

        return begin if ctx.interaction is None else defer

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """A bare mention asks the default source."""
        me = self._bot.user
        if me is None or message.author.bot or message.content.strip() not in {f"<@{me.id}>", f"<@!{me.id}>"}:
            return
        ctx = await self._bot.get_context(message)
        await self.ask(ctx, self._asking.default_source, {})


def everywhere(command: Any) -> Any:
    """Installable to servers and to users; usable in servers, direct messages and group chats."""
    installs = app_commands.allowed_installs(guilds=True, users=True)
    return installs(app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)(command))


async def acknowledge(
    interaction: discord.Interaction, session: aiohttp.ClientSession, *, private: bool = False
) -> InteractionPlace:
    """Acknowledge at once; the answer replaces “is thinking…”. ``private`` decides who will see it, for good."""
    await interaction.response.defer(ephemeral=private, thinking=True)
    return InteractionPlace(interaction.application_id, interaction.token, session)


def flag_converter(name: str, options: Sequence[Option]) -> type[commands.FlagConverter]:
    """The options of one subcommand: slash options, and ``query: rust timeframe: 7d`` in a message.

    What people write before the first ``name:`` in a message is the query.
    """
    annotations: dict[str, Any] = {"query": commands.Range[str, 1, LONGEST_QUERY] | None}
    described: dict[str, Any] = {
        "query": commands.flag(
            default=None, description="Words to look for; leave out for the best of all", positional=True
        )
    }
    for option in options:
        annotations[option.name] = (Literal[option.choices] if option.choices else str) | None
        described[option.name] = commands.flag(default=None, description=option.help[:100])
    annotations["timeframe"] = _FRAMES | None
    described["timeframe"] = commands.flag(default=None, description="How far back (default 24h)")
    annotations["limit"] = commands.Range[int, 1, MOST_SIGNALS] | None
    described["limit"] = commands.flag(default=None, description=f"How many, 1 to {MOST_SIGNALS} (default 10)")
    body = {"__annotations__": annotations, "__module__": __name__, **described}
    return types.new_class(
        f"{name.title()}Flags", (commands.FlagConverter,), exec_body=lambda space: space.update(body)
    )
