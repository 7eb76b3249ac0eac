"""One answer for everything that can fail: commands, buttons, modals, text commands."""

import asyncio
from datetime import timedelta

import discord
from discord import app_commands
from discord.ext import commands

from agents import telemetry
from agents.errors import BusClosed, BusFull, LifecycleError, NotConfigured, ScoutError
from agents.events import utc_now
from bot.admission import Refused
from bot.asking import NotHere, NotNow, SwitchedOff
from bot.cards import config as config_cards
from bot.cards import notices
from bot.cards.card import Card
from bot.configuring import CannotHold, MayNotConfigure, OtherServer, Overtaken
from bot.delivery.places import PLACE_FAULTS, Place, answer_privately, as_discord
from bot.delivery.shut_out import Banned
from bot.store.errors import SaveUnknown, StoreError

Asker = discord.Interaction | commands.Context  # type: ignore[type-arg]
"""Whoever is to be told: an interaction, or the context of a text or hybrid command."""

TELL_TIMEOUT_S = 30.0
WORTH_TELLING_S = 1.5
"""Discord takes an answer for 3 s. Who has no turn by then, because so many of the same server are told the same,
sees that the bot did not respond: to try later would cost as much and lead nowhere."""
CROWDED_S = 10.0
"""What people are told to wait when the bus has no room."""
_LATE = {10062, 40060, 50027}
"""Discord's codes for an interaction that is unknown, answered already, or whose token has ended."""
_WRAPPERS = (commands.HybridCommandError, commands.CommandInvokeError, app_commands.CommandInvokeError)
_log = telemetry.logger("bot.failures")


async def answer_failure(asker: Asker, error: BaseException, pending: Place | None = None) -> None:
    """Tell the person in words what happened; what is our fault is logged once, with its traceback.

    ``pending`` is what was begun as the answer, if anything: it is replaced. Refusals of one server are told a few at
    a time, and not at all where that takes too long; while Discord shuts us out nobody can be told anything. Never
    raises but for cancellation: when the person cannot be told any more, that is logged.
    """
    cause = _cause(error)
    if isinstance(cause, Banned):
        return
    if not isinstance(cause, NotNow):
        await _answer(asker, cause, pending)
        return
    room = cause.refusal.room
    try:
        async with asyncio.timeout(WORTH_TELLING_S):
            await room.acquire()
    except TimeoutError:
        return
    try:
        await _answer(asker, cause, pending)
    finally:
        room.release()


async def _answer(asker: Asker, cause: BaseException, pending: Place | None) -> None:
    with telemetry.span("failure.answer"):
        card = _expected(cause)
        if card is None:
            if isinstance(cause, discord.HTTPException) and cause.code in _LATE:
                _log.warning("too late to answer", code=cause.code, where=_where(asker))
                return
            _log.error("command failed", where=_where(asker), exc_info=cause)
            card = notices.failed(telemetry.trace_id())
        try:
            await (tell(asker, card) if pending is None else pending.edit(card))
        except PLACE_FAULTS as failure:
            _log.warning("the person could not be told", where=_where(asker), error=type(failure).__name__)


async def tell(asker: Asker, card: Card) -> None:
    """Show a card as the answer: privately where nothing was acknowledged yet, else in place of what is pending.

    Raises one of ``PLACE_FAULTS``.
    """
    async with asyncio.timeout(TELL_TIMEOUT_S):
        await _tell(asker, card)


async def _tell(asker: Asker, card: Card) -> None:
    if isinstance(asker, commands.Context):
        if asker.interaction is None:
            await asker.send(**as_discord(card))
            return
        asker = asker.interaction
    if not asker.response.is_done():
        await answer_privately(asker, card)
    elif asker.response.type is discord.InteractionResponseType.deferred_channel_message:
        await asker.edit_original_response(**as_discord(card, editing=True))
    else:
        await asker.followup.send(**as_discord(card), ephemeral=True)


def _cause(error: BaseException) -> BaseException:
    while isinstance(error, _WRAPPERS) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _where(asker: Asker) -> str:
    try:
        command = asker.command
    except (AttributeError, KeyError, TypeError):  # an interaction so malformed that the client cannot read its name
        command = None
    return command.qualified_name if command is not None else "no command"


def _expected(error: BaseException) -> Card | None:
    """The card for what a person or the moment is the reason of; None for what is our fault."""
    if isinstance(error, NotNow):
        return _refused(error)
    if isinstance(error, NotHere):
        return notices.ask_elsewhere(error.channel_ids)
    if isinstance(error, ScoutError):
        return _not_asked(error)
    if isinstance(error, StoreError):
        return notices.perhaps_saved(str(error)) if isinstance(error, SaveUnknown) else notices.store_away(str(error))
    if isinstance(error, (MayNotConfigure, OtherServer, CannotHold, Overtaken)):
        return _not_configured(error)
    if isinstance(error, (app_commands.CommandNotFound, app_commands.CommandSignatureMismatch)):
        return notices.unknown_command()
    if isinstance(error, commands.CommandNotFound):
        return notices.unknown_command()
    if isinstance(error, (app_commands.TransformerError, commands.UserInputError)):
        return notices.invalid(_wrong_input(error))
    if isinstance(error, (app_commands.CheckFailure, commands.CheckFailure)):
        return notices.not_allowed(str(error))
    if isinstance(error, discord.Forbidden):
        return notices.not_allowed(
            "I lack a permission here. I need to see this channel, send messages and embed links."
        )
    return None


def _not_asked(error: ScoutError) -> Card:
    if isinstance(error, (BusClosed, LifecycleError)):
        return notices.stopping()
    if isinstance(error, BusFull):
        return notices.busy(CROWDED_S)
    if isinstance(error, (NotConfigured, SwitchedOff)):
        return notices.not_available(error.sentence)
    return notices.invalid(error.sentence)


def _not_configured(error: MayNotConfigure | OtherServer | CannotHold | Overtaken) -> Card:
    if isinstance(error, MayNotConfigure):
        return notices.admins_only(error.role_id, in_server=error.guild_id is not None)
    if isinstance(error, OtherServer):
        return notices.other_server()
    if isinstance(error, CannotHold):
        return notices.cannot_hold(error.problems)
    return config_cards.overtaken_card(error.changes)


def _refused(error: NotNow) -> Card:
    wait_s = error.refusal.retry_after_s
    if error.refusal.why is Refused.COOLDOWN:
        return notices.cooldown(wait_s, utc_now() + timedelta(seconds=wait_s))
    return notices.busy(wait_s) if error.refusal.why is Refused.BUSY else notices.stopping()


def _wrong_input(error: app_commands.TransformerError | commands.UserInputError) -> str:
    if isinstance(error, app_commands.TransformerError):
        return f"“{str(error.value)[:100]}” is not a value that this option takes."
    if isinstance(error, commands.BadFlagArgument):
        return f"“{error.argument[:100]}” is not a value that {error.flag.name} takes."
    if isinstance(error, commands.TooManyFlags):
        return f"{error.flag.name} was given more than once."
    return f"{str(error).rstrip('.')}. Options are written like query: rust timeframe: 7d"
