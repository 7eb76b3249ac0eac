"""What is said about digests that could not be posted: sentences for the history, and cards for admins."""

from bot.cards.card import Card, Colour, Embed
from bot.cards.text import quoted

_REFUSALS = {
    10003: "The channel no longer exists. Choose another with /digest edit.",
    10004: "I am not in this server any more.",
    40067: "The forum wants a tag for every post. Choose one with /digest edit.",
    50001: "I cannot see the channel. Give me View Channel there.",
    50008: "The channel takes no messages. Choose another with /digest edit.",
    50013: (
        "I lack a permission in the channel. I need View Channel, Send Messages (in threads: Send Messages in "
        "Threads), Embed Links, and for charts Attach Files."
    ),
    50024: "The channel is of another kind than it was. Choose it again with /digest edit.",
    50083: "The thread is locked. Unlock it, or choose another channel with /digest edit.",
    160005: "The thread is locked. Unlock it, or choose another channel with /digest edit.",
    160006: "The server has as many active threads as Discord allows. Close some of them.",
}
_BLOCKED = {200000, 200001, 240000}
"""Discord's codes for what a server's AutoMod, or Discord's own filter, stopped."""
TOO_LATE = "Discord could not be reached, or wanted me to wait, for a day. The next digest has what this one had."
NO_HISTORY = (
    "Discord did not say whether it took this message, and I could not look. If it is not in the channel, /digest "
    "run posts it. Give me Read Message History there: then I can look myself next time."
)
NO_POST = (
    "Discord did not say whether it took this post, and I found none. Posting it again by myself could show it "
    "twice: if it is not in the forum, /digest run posts it."
)
TOO_MUCH = (
    "Discord did not say whether it took this message, and too much was said in the channel since to find it. If it "
    "is not there, /digest run posts it."
)
_HELD = "If it is there, the next digest may repeat what it shows."


def refused(code: int) -> str:
    """Why a channel takes no digest, and what to do; ``code`` is Discord's."""
    return _REFUSALS.get(code, f"Discord refuses my posts in this channel (its code is {code}).")


def unfit(code: int) -> str:
    """Why a message was not taken, even when it was made smaller."""
    if code in _BLOCKED:
        return "AutoMod or Discord's own filter blocked this message. Allow the bot there, or mute what it stops at."
    return f"Discord did not take this message, and a smaller one neither (its code is {code})."


def suspended(name: str, channel_id: int, problem: str) -> Card:
    """A digest was refused several times in a row; nothing more is tried until access returns."""
    text = (
        f"**{quoted(name, 60)}** for <#{channel_id}> was refused three times in a row, so I stopped posting it.\n"
        f"{quoted(problem, 400)}\nIt resumes by itself as soon as I may post there."
    )
    return Card(Embed("A digest is suspended", text, Colour.NONE))


def held(name: str, channel_id: int, problem: str) -> Card:
    """Nobody knows whether a message was posted; it is not posted again."""
    text = f"**{quoted(name, 60)}** for <#{channel_id}>: {quoted(problem, 400)}\n{_HELD}"
    return Card(Embed("A digest may be missing", text, Colour.PARTLY))
