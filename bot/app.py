"""Puts the bot together and runs it: the only module that knows every part."""

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import discord
from discord.ext import commands
from discord.webhook.async_ import async_context

from agents import telemetry
from agents.agent import AgentConfig
from agents.assembly import running_agents
from agents.bus import EventBus
from agents.bus.memory import MemoryBus
from agents.events import SIGNALS_PROGRESS, SIGNALS_RESPONSE, WORKFLOW_FINISHED
from agents.feeds import LooksAtFeeds
from agents.ranking.telling import standing_out, telling_words
from agents.scout import SCOUT_CONFIG, SignalsScout
from bot.admission import Admission
from bot.asking import Asking, Origin
from bot.cards.answer import AnswerCards
from bot.cards.card import Card
from bot.cards.digest import smaller
from bot.cards.trends import Word
from bot.client import SignalsBot
from bot.clock import Clock, SystemClock
from bot.cogs.access import AccessCog
from bot.cogs.buttons import ButtonsCog
from bot.cogs.config import ConfigCog
from bot.cogs.digest import DigestCog
from bot.cogs.digest_buttons import DigestButtonsCog
from bot.cogs.feeds import FeedsCog
from bot.cogs.guilds import GuildsCog
from bot.cogs.help import HelpCog
from bot.cogs.privacy import PrivacyCog
from bot.cogs.related import RelatedCog
from bot.cogs.setup import SetupCog, SetupForm
from bot.cogs.signals import SignalsCog
from bot.cogs.starting import Starting
from bot.cogs.trends import TrendsCog
from bot.cogs.why import WhyCog
from bot.cogs.workflow import WorkflowCog
from bot.configuring import Configuring
from bot.delivery.access import ClientAccess
from bot.delivery.admins import ServerAdmins
from bot.delivery.answers import AnswerDelivery
from bot.delivery.outbox import OutboxSender
from bot.delivery.pacing import Pacer
from bot.delivery.places import as_discord
from bot.delivery.rest import DiscordRest
from bot.delivery.reviving import Reviver
from bot.delivery.shut_out import InteractionRequests, guard_client
from bot.digest_question import Spot
from bot.digests import Digests
from bot.feeds import ServerFeeds
from bot.following import Following
from bot.gateway import set_addresses
from bot.guild_settings import DEFAULTS, TTL_RANGE_S, GuildSettings, Operator
from bot.ingress.events import Events
from bot.ingress.health import Health
from bot.ingress.server import Ingress
from bot.ingress.signatures import parse_secrets
from bot.schedule import first_due
from bot.scheduler import Scheduler
from bot.settings import Settings
from bot.store.answers import AnswerStore
from bot.store.database import Database
from bot.store.guilds import GuildStore, SqlGuildStore
from bot.store.outbox import Outbox
from bot.store.sql_outbox import SqlOutbox
from bot.store.sql_subscriptions import SqlSubscriptions
from bot.store.subscriptions import Subscriptions
from bot.subscribing import Subscribing

DRAIN_S = 4.0
"""How long answers under way may take at the end; with all that follows the process ends within 10 s."""
LAST_WORDS_S = 1.0
READY_S = 15.0
"""For how long a write that worked shows that the database can be written."""
READY_TIMEOUT_S = 3.0
CLOSE_S = 1.5
LOGIN_PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_AUTHENTICATION_FAILED = 4004

_log = telemetry.logger("bot")


class TokenRefused(Exception):
    """Discord does not accept the token."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the cogs are made of, apart from the client that loads them."""

    bus: EventBus
    scout: SignalsScout
    admission: Admission
    database: Database
    answers: AnswerStore
    guilds: GuildStore
    subscriptions: Subscriptions
    outbox: Outbox
    digests: Digests
    scheduler: Scheduler
    pacer: Pacer
    feeds: LooksAtFeeds
    cards: AnswerCards
    session: aiohttp.ClientSession
    settings: Settings
    clock: Clock
    """By which digests are planned, made and sent; agents live by the machine's."""


@asynccontextmanager
async def assembled(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Parts]:
    """Everything behind the client, started; closed in the opposite order. Raises ``StoreError``."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(settings.database_url))
        answers = await stack.enter_async_context(AnswerStore(database, close_timeout_s=CLOSE_S))
        guilds = await stack.enter_async_context(SqlGuildStore(database, answers))
        bus = MemoryBus()
        agents = await stack.enter_async_context(
            running_agents(settings, bus, scout_config(settings), auto_discovery=True)
        )
        subscriptions = await stack.enter_async_context(SqlSubscriptions(database, now=clock.utc))
        outbox = await stack.enter_async_context(SqlOutbox(database, now=clock.utc))
        operator = _operator(agents.scout, settings)
        digests = await stack.enter_async_context(
            Digests(
                bus,
                outbox,
                answers,
                guilds,
                operator,
                unavailable=lambda: agents.scout.unavailable,
                clock=clock,
                at_once=max(1, settings.max_concurrency // 4),  # commands have the other places of the agents
            )
        )
        scheduler = await stack.enter_async_context(Scheduler(subscriptions, outbox, bus.emit, clock=clock))
        yield Parts(
            bus=bus,
            scout=agents.scout,
            admission=Admission(
                permits=settings.guild_concurrency,
                queue=settings.guild_queue,
                total=settings.max_concurrency,
                cooldown_s=settings.user_cooldown_s,
                burst=settings.user_burst,
            ),
            database=database,
            answers=answers,
            guilds=guilds,
            subscriptions=subscriptions,
            outbox=outbox,
            digests=digests,
            scheduler=scheduler,
            pacer=Pacer(clock),
            feeds=agents.feeds,
            cards=AnswerCards({spec.name: spec.title for spec in agents.scout.specs}),
            session=await stack.enter_async_context(aiohttp.ClientSession()),
            settings=settings,
            clock=clock,
        )


def scout_config(settings: Settings) -> AgentConfig:
    """The scout's own, but for what is decided here.

    That is concurrency, by admission, fairly between guilds; and how old an answer may be, which each request says:
    the cache keeps answers as long as any server may want.
    """
    update = {"max_concurrent_tasks": settings.max_concurrency, "cache_ttl_s": float(TTL_RANGE_S[1])}
    return SCOUT_CONFIG.model_copy(update=update)


def operator_of(parts: Parts) -> Operator:
    """What servers may choose from, and what holds where they chose nothing."""
    return _operator(parts.scout, parts.settings)


def _operator(scout: SignalsScout, settings: Settings) -> Operator:
    return Operator(
        sources={spec.name: spec.title for spec in scout.specs},
        concurrency=settings.guild_concurrency,
        cooldown_s=settings.user_cooldown_s,
        cache_ttl_s=SCOUT_CONFIG.cache_ttl_s,
        subreddits=settings.reddit_subreddits,
    )


async def load_cogs(bot: commands.Bot | commands.AutoShardedBot, parts: Parts) -> None:
    """Give a client its commands; works on any bot, so that tests can use a plain one."""
    titles = {spec.name: spec.title for spec in parts.scout.specs}

    async def post(channel_id: int, tenant: str | None, card: Card) -> bool:
        async with parts.pacer.turn():
            return await post_to_channel(bot, channel_id, tenant, card)

    delivery = AnswerDelivery(parts.bus.emit, parts.cards, titles, parts.answers, post)
    parts.bus.subscribe(SIGNALS_PROGRESS, delivery.on_progress)
    parts.bus.subscribe(SIGNALS_RESPONSE, delivery.on_response)
    asking = Asking(
        parts.scout.specs,
        parts.scout.unavailable,
        parts.admission,
        delivery,
        operator=operator_of(parts),
        answer_timeout_s=parts.settings.answer_timeout_s,
        settings_of=partial(settings_of, parts.guilds),
    )
    await bot.add_cog(SignalsCog(bot, asking, parts.session))
    await bot.add_cog(ButtonsCog(bot, asking, parts.answers, parts.cards, parts.session))
    await bot.add_cog(HelpCog(bot, asking))
    await bot.add_cog(WhyCog(bot, parts.answers, asking.settings_of, titles, parts.session))
    await bot.add_cog(TrendsCog(asking, _words_of, parts.session))
    await bot.add_cog(RelatedCog(bot, asking, telling_words, parts.session))
    configuring = Configuring(parts.guilds, operator_of(parts), post)
    feeds = ServerFeeds(configuring, parts.feeds, parts.admission)
    await bot.add_cog(ConfigCog(configuring, feeds, parts.session))
    await bot.add_cog(FeedsCog(feeds, configuring, parts.session))
    await bot.add_cog(PrivacyCog(configuring, parts.answers, parts.admission, parts.session))
    await bot.add_cog(GuildsCog(bot, parts.guilds))
    await _load_digest_cogs(bot, parts, configuring)


def _words_of(recent: Sequence[str], before: Sequence[str], most: int) -> tuple[Word, ...]:
    return tuple(Word(one.word, one.titles, one.before) for one in standing_out(recent, before, most))


async def _load_digest_cogs(
    bot: commands.Bot | commands.AutoShardedBot, parts: Parts, configuring: Configuring
) -> None:
    """What people see of digests, and type about them."""
    specs = {spec.name: spec for spec in parts.scout.specs}
    following = Following(parts.outbox)
    parts.bus.subscribe(WORKFLOW_FINISHED, following.on_workflow_finished)
    subscribing = Subscribing(
        configuring,
        parts.subscriptions,
        parts.outbox,
        parts.bus.emit,
        specs,
        parts.scout.unavailable,
        parts.scheduler.wake,
        now=parts.clock.utc,
    )
    starting = Starting(subscribing, following, parts.admission)
    setup = SetupForm(configuring, subscribing, starting, parts.session, now=parts.clock.utc)
    await bot.add_cog(
        DigestCog(
            configuring,
            subscribing,
            parts.subscriptions,
            parts.outbox,
            starting,
            parts.digests.preview,
            parts.admission,
            parts.session,
            setup.presses,
        )
    )
    settings = partial(settings_of, parts.guilds)
    await bot.add_cog(DigestButtonsCog(configuring, parts.answers, settings, subscribing.titles, parts.session))
    await bot.add_cog(SetupCog(setup))
    await bot.add_cog(WorkflowCog(configuring, subscribing, starting, parts.outbox, parts.session))


@asynccontextmanager
async def delivering(parts: Parts, bot: commands.Bot | commands.AutoShardedBot) -> AsyncIterator[OutboxSender]:
    """Digests are made and sent as this client; around its whole life, from before it connects."""
    clock, known = parts.clock, asyncio.Event()
    access = ClientAccess(bot)
    token = parts.settings.discord_token.get_secret_value()
    async with AsyncExitStack() as stack:
        rest = await stack.enter_async_context(DiscordRest(parts.settings.discord_api_url, token))
        log_channel = partial(_log_channel_of, parts.guilds)
        admins = await stack.enter_async_context(ServerAdmins(rest, parts.pacer, access, log_channel, clock))
        reviver = await stack.enter_async_context(
            Reviver(parts.subscriptions, access, first_due, clock=clock, on_revived=parts.scheduler.wake)
        )
        sender = await stack.enter_async_context(
            OutboxSender(
                parts.outbox,
                parts.subscriptions,
                rest,
                parts.pacer,
                access,
                admins,
                clock=clock,
                smaller=smaller,
                ready=known.wait,
                on_final=parts.digests.run_ended,
                on_suspended=reviver.suspended,
            )
        )
        await bot.add_cog(AccessCog(reviver, known))
        parts.digests.serve(partial(spot_of, bot), sender.wake, known.wait)
        yield sender


@asynccontextmanager
async def listening(parts: Parts, bot: SignalsBot) -> AsyncIterator[Ingress | None]:
    """The HTTP port, if there is to be one. Raises ``CannotListen``."""
    settings = parts.settings
    if not settings.http_port:
        yield None
        return
    secrets = parse_secrets(settings.webhook_secret.get_secret_value())
    sources = {spec.name: spec for spec in parts.scout.specs}
    events = Events(secrets, sources, parts.outbox, parts.bus.emit)

    async def discord_fault() -> str | None:
        return bot.fault

    database_fault = partial(parts.database.checked, max_age_s=READY_S, timeout_s=READY_TIMEOUT_S)
    notes = {"events": "POST /events is on" if secrets else "POST /events is off: WEBHOOK_SECRET is not set"}
    health = Health({"database": database_fault, "discord": discord_fault}, notes)
    async with Ingress(settings.http_host, settings.http_port, events, health) as ingress:
        _log.info("listening", host=settings.http_host, port=ingress.port, events=bool(secrets))
        yield ingress


async def _log_channel_of(guilds: GuildStore, guild_id: int) -> int | None:
    known = guilds.peek(guild_id) or await guilds.get(guild_id)
    return known.settings.log_channel_id


def spot_of(client: discord.Client, guild_id: int, channel_id: int) -> Spot | None:
    """What is known about a digest's channel; None while its server is not known, or in an outage."""
    guild = client.get_guild(guild_id)
    if guild is None or guild.unavailable:
        return None
    channel: Any = guild.get_channel_or_thread(channel_id)
    if not hasattr(channel, "is_nsfw"):
        return Spot()
    return Spot(forum=isinstance(channel, discord.ForumChannel), age_restricted=channel.is_nsfw())


async def settings_of(guilds: GuildStore, origin: Origin) -> GuildSettings:
    """What holds where somebody asks; the defaults outside of servers, and where nothing can be found out."""
    if origin.guild_id is None:
        return DEFAULTS
    known = guilds.peek(origin.guild_id) or await guilds.get(origin.guild_id)
    return known.settings


async def post_to_channel(client: discord.Client, channel_id: int, tenant: str | None, card: Card) -> bool:
    """Post a card in a channel of the tenant's own guild; False when there is none or the bot may not."""
    channel: Any = client.get_channel(channel_id)
    guild = getattr(channel, "guild", None)
    if guild is None or str(guild.id) != tenant or not hasattr(channel, "send"):
        return False
    try:
        await channel.send(**as_discord(card))
    except discord.HTTPException as error:
        _log.warning("could not post", channel_id=channel_id, status=error.status, code=error.code)
        return False
    return True


def keep_the_loop_responsive() -> None:
    """Settings of the whole process, for its start, when everything is imported.

    Threads that rank give way to the loop after 0.3 ms instead of 5, at each of the several times that it asks for
    its turn. What was imported is left out of garbage collections, which would stop everything for 50 ms; the young
    are looked through less often than by default: with ten answers under way, most of them are still needed.
    """
    sys.setswitchinterval(0.0003)
    gc.set_threshold(2_000, 5, 20)
    gc.collect()
    gc.freeze()


async def run(settings: Settings, clock: Clock | None = None) -> None:
    """Run the bot until SIGTERM or SIGINT, then let answers under way finish; ``clock``: the machine's, if none.

    Raises ``CannotListen`` (before it connects), ``TokenRefused`` and ``StoreError``.
    """
    set_addresses(settings.discord_api_url, settings.discord_gateway_url)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with assembled(settings, clock) as parts:
        bot = SignalsBot(lambda loading: load_cogs(loading, parts), text_commands=settings.text_commands)
        guard_client(bot.http, parts.pacer)
        async_context.set(InteractionRequests(parts.pacer))
        async with delivering(parts, bot) as sender, listening(parts, bot) as ingress:
            connected = asyncio.create_task(_connect(bot, settings), name="discord")
            stopped = asyncio.create_task(stop.wait(), name="stop-signal")
            refused = asyncio.create_task(sender.token_refused.wait(), name="token-refused")
            try:
                await asyncio.wait((connected, stopped, refused), return_when=asyncio.FIRST_COMPLETED)
                if stop.is_set():
                    await _drain(parts, sender, ingress)
            finally:
                stopped.cancel()
                refused.cancel()
                await _close(bot, connected)
        if sender.token_refused.is_set():
            raise TokenRefused
        if connected.done() and not connected.cancelled():
            connected.result()


async def _connect(bot: SignalsBot, settings: Settings) -> None:
    """Log in, again and again while Discord cannot be reached, and stay connected."""
    await _reaching(bot, lambda: _log_in(bot, settings.discord_token.get_secret_value()))
    try:
        await _reaching(bot, bot.connect)
    except discord.ConnectionClosed as error:
        if error.code == _AUTHENTICATION_FAILED:  # the token was reset meanwhile
            raise TokenRefused from error
        raise


async def _log_in(bot: SignalsBot, token: str) -> None:
    try:
        await bot.login(token)
    except discord.LoginFailure as error:
        raise TokenRefused from error
    except BaseException:
        await bot.http.close()
        bot.http.connector = discord.utils.MISSING  # closed with its session; the next log-in makes another
        raise


async def _reaching(bot: SignalsBot, step: Callable[[], Awaitable[None]]) -> None:
    """Take one step towards Discord, with growing pauses between attempts."""
    pauses = iter(LOGIN_PAUSES_S)
    while not bot.is_closed():
        try:
            await step()
        except (OSError, aiohttp.ClientError, discord.HTTPException, discord.GatewayNotFound, TimeoutError) as error:
            pause_s = next(pauses, LOGIN_PAUSES_S[-1])
            _log.warning("Discord cannot be reached", error=type(error).__name__, again_in_s=pause_s)
            await asyncio.sleep(pause_s)
        else:
            return


async def _drain(parts: Parts, sender: OutboxSender, ingress: Ingress | None) -> None:
    """Admit nobody, let answers and messages under way finish, then have the rest say that they were stopped."""
    _log.info("stopping")
    parts.admission.close()
    async with asyncio.TaskGroup() as draining:
        draining.create_task(sender.drain(DRAIN_S))
        if ingress is not None:
            draining.create_task(ingress.close())
        draining.create_task(_last_answers(parts))


async def _last_answers(parts: Parts) -> None:
    if not await _idle(parts.admission, DRAIN_S):
        await parts.bus.drain(0.0)
        await _idle(parts.admission, LAST_WORDS_S)


async def _idle(admission: Admission, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await admission.idle()
    except TimeoutError:
        return False
    return True


async def _close(bot: SignalsBot, connected: asyncio.Task[None]) -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await bot.close()
    except TimeoutError:
        _log.warning("the connection was not closed in time")
    connected.cancel()
    await asyncio.wait((connected,), timeout=CLOSE_S)
