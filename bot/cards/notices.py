"""Everything else that the bot says: short, private, and always with what to do next."""

from collections.abc import Sequence
from datetime import datetime
from math import ceil

from bot.cards.card import Button, ButtonStyle, Card, Colour, Embed
from bot.cards.custom_ids import AgainButton
from bot.cards.limits import DESCRIPTION
from bot.cards.text import quoted

_REFERENCE_LENGTH = 8
_NAMED_CHANNELS = 10


def busy(wait_s: float) -> Card:
    """The queue of this place is full; ``wait_s`` is about how long until there is room."""
    return _notice(
        "Busy right now",
        f"Too many questions are waiting here already. Try again in about {_seconds(wait_s)}.",
    )


def cooldown(wait_s: float, until: datetime) -> Card:
    """The same person asks too fast; ``until`` is the moment at which they may again."""
    return _notice(
        "A moment, please",
        f"You can ask again in {_seconds(wait_s)} (<t:{ceil(until.timestamp())}:R>).",
    )


def failed(trace_id: str | None) -> Card:
    """Something broke; the first digits of the trace's id lead the operator to its log lines."""
    reference = (trace_id or "")[:_REFERENCE_LENGTH]
    hint = f" If it happens again, tell the bot's operator this reference: `{reference}`" if reference else ""
    return _notice("That went wrong", f"It is our fault, not yours. Try again in a moment.{hint}", Colour.NONE)


def unknown_command() -> Card:
    """A command that is not, or no longer, the bot's."""
    return _notice(
        "I do not know this command", "It may have changed since Discord last loaded it. `/help` lists all."
    )


def unknown_button() -> Card:
    """A button of an older version, or a forged one."""
    return _notice("This button does nothing any more", "Ask anew with `/signals`; `/help` shows how.")


def foreign_button() -> Card:
    """A button of an answer that was given in another server."""
    return _notice("This answer belongs elsewhere", "It was given in another server. Ask here with `/signals`.")


def nothing_to_search() -> Card:
    """A message has no words that say what it is about."""
    return _notice("Nothing to search for", "This message has no telling words. Type yours: `/signals all query:`")


def no_answer() -> Card:
    """A message's menu was used on something else than an answer of the bot's."""
    return _notice("Not an answer of mine", "Choose this on a message in which I show signals or a digest.")


def expired(answer_id: str | None) -> Card:
    """An answer that is no longer kept; with the id of one whose question still is, it can be asked again."""
    title = "This answer is no longer kept"
    if answer_id is None:
        return _notice(title, "Answers are kept for seven days. Ask anew with `/signals`.")
    again = Button("Ask again", str(AgainButton(answer_id)), emoji="🔄", style=ButtonStyle.PRIMARY)
    return _notice(title, "Answers are kept for seven days, but I still know the question.", rows=((again,),))


def not_available(sentence: str) -> Card:
    """A source that the operator or the server's admins have off; the sentence says what can be done."""
    return _notice("Not available here", quoted(sentence, 500))


def not_allowed(sentence: str) -> Card:
    """The person, or the bot in this channel, lacks a permission; the sentence says which."""
    return _notice("Not allowed", quoted(sentence, 500))


def admins_only(role_id: int | None, *, in_server: bool) -> Card:
    """Only some may configure the bot; ``role_id`` is the role that the server gave the right to, if any."""
    if not in_server:
        return _notice("Only in a server", "Settings belong to a server. Use this in a server that has installed me.")
    role = f", or with the role <@&{role_id}>" if role_id is not None else ""
    return _notice("Only for admins", f"Members with the permission Manage Server{role} may do this.")


def other_server() -> Card:
    """A form or button of one server, used in another."""
    return _notice(
        "This belongs to another server", "Nothing was changed. Use the command here for this server's own."
    )


def cannot_hold(problems: Sequence[str]) -> Card:
    """Settings that cannot work in this server; each problem is a sentence."""
    told = [f"- {quoted(problem, 200)}" for problem in problems[:_NAMED_CHANNELS]]
    more = [f"- … and {len(problems) - _NAMED_CHANNELS} more"] if len(problems) > _NAMED_CHANNELS else []
    return _notice("Not saved", "\n".join(["Nothing was changed:", *told, *more]))


def store_away(sentence: str) -> Card:
    """The database could not be asked or changed; nothing was."""
    return _notice("Not now", f"{quoted(sentence, 300)} Try again in a minute.", Colour.NONE)


def perhaps_saved(sentence: str) -> Card:
    """Nobody knows whether the database made a change."""
    where = "`/config show`, `/digest list` or `/privacy show`"
    hint = f"Look with {where} in a minute, and repeat the change if it was not made."
    return _notice("Perhaps saved", f"{quoted(sentence, 300)} {hint}", Colour.PARTLY)


def ask_elsewhere(channel_ids: Sequence[int]) -> Card:
    """The server's admins chose where members may ask."""
    named = ", ".join(f"<#{channel_id}>" for channel_id in channel_ids[:_NAMED_CHANNELS])
    more = f" and {len(channel_ids) - _NAMED_CHANNELS} more" if len(channel_ids) > _NAMED_CHANNELS else ""
    return _notice("Not in this channel", f"In this server, ask me in {named}{more}.")


def invalid(sentence: str) -> Card:
    """An option that does not exist or has a wrong value; the sentence says what is possible."""
    return _notice("I did not understand that", quoted(sentence, 500))


def stopping() -> Card:
    """The bot is about to stop or restart and takes no new questions."""
    return _notice("I am restarting", "Try again in a minute.")


def _notice(title: str, text: str, colour: Colour = Colour.NOTICE, rows: tuple[tuple[Button, ...], ...] = ()) -> Card:
    assert len(text) <= DESCRIPTION
    return Card(Embed(title, text, colour), rows)


def _seconds(seconds: float) -> str:
    whole = max(1, ceil(seconds))
    if whole == 1:
        return "1 second"
    return f"{whole} seconds" if whole < 120 else f"{ceil(whole / 60)} minutes"
