"""What is kept, for how long, and what was deleted, in words."""

from bot.cards.card import Button, ButtonStyle, Card, Colour, Embed, Field
from bot.cards.custom_ids import PrivacyControl
from bot.store.guilds import StoredData

_ABOUT_YOU = (
    "Your id is kept only where a server's settings or digests were changed by you, for 90 days, so that its "
    "admins see who changed what. To limit how fast somebody can ask, and to find your own answers, it is in memory "
    "for a while, never on disk."
)
_DIRECT = (
    "What I answered you outside of servers is kept without your name or id: the answer for 7 days, so that its "
    "buttons work, the question for 90 days."
)
_NOT_KEPT = "Messages, members, names, and what anybody does apart from asking me."
_SERVER = (
    "Its settings and feeds, until they are changed or deleted. Each change of a setting, with who made it, for 90 "
    "days. Answers given in it, without who asked, for 7 days, and their questions for 90 days. Its digests, until "
    "they are removed, with what they have still to show; what they have shown, for 30 days; each change of one, "
    "with who made it, for 90 days."
)
_REMOVED = "All of it is deleted 30 days after I am removed from the server."
_ADMINS = "Its admins can see how much that is and delete it at once, with these same commands."
_LOSS = "Settings go back to their defaults, feeds, digests and history are gone, buttons under answers stop working."


def show_card(stored: StoredData | None, *, in_server: bool) -> Card:
    """What is kept; ``stored``: how much about the server, for its admins."""
    fields = [Field("About you", _ABOUT_YOU)]
    if not in_server:
        fields += [Field("Answers in direct messages", f"{_DIRECT} `/privacy delete` deletes the answers at once.")]
    elif stored is None:
        fields += [Field("About this server", f"{_SERVER} {_REMOVED} {_ADMINS}")]
    else:
        fields += [
            Field("About this server", f"{_SERVER} {_REMOVED}"),
            Field("Right now", f"{_amounts(stored)}\n`/privacy delete` deletes all of it at once."),
        ]
    fields += [Field("Never kept", _NOT_KEPT)]
    return Card(Embed("What I keep, and for how long", "", Colour.NOTICE, tuple(fields)))


def confirm_server_card(stored: StoredData, guild_id: int) -> Card:
    """Asks before a server's data is deleted."""
    text = f"{_amounts(stored)}\n\n{_LOSS} It cannot be brought back."
    return Card(Embed("Delete all that I keep about this server?", text, Colour.NONE), _delete_all(guild_id))


def server_not_deleted_card(guild_id: int, *, perhaps: bool) -> Card:
    """The database could not be changed; ``perhaps``: nobody knows whether it was."""
    if perhaps:
        text = (
            "The database broke off in the middle, so I do not know yet whether all is deleted. `/privacy show` "
            "tells in a minute. If something is left, press again."
        )
        return Card(Embed("Perhaps deleted", text, Colour.PARTLY), _delete_all(guild_id))
    text = "The database cannot be changed just now. Nothing was deleted; press again in a minute."
    return Card(Embed("Not deleted", text, Colour.NONE), _delete_all(guild_id))


def server_deleted_card(stored: StoredData) -> Card:
    """What was deleted."""
    return _notice("Deleted", f"{_amounts(stored)}\n\nNothing is left of it. The defaults hold from now on.")


def confirm_own_card(user_id: int) -> Card:
    """Asks before somebody's own answers are deleted."""
    text = f"{_DIRECT} Their buttons stop working. It cannot be brought back."
    return Card(Embed("Delete your answers?", text, Colour.NONE), _delete_own(user_id))


def own_not_deleted_card(user_id: int) -> Card:
    """The database could not be changed, or broke off between some answers and others."""
    text = "The database cannot be changed just now. Some of your answers may be left; press again in a minute."
    return Card(Embed("Not all is deleted", text, Colour.NONE), _delete_own(user_id))


def own_deleted_card(answers: int) -> Card:
    """What was deleted."""
    rest = "Questions older than 7 days cannot be found for you: nothing says whose they are. They go after 90 days."
    return _notice("Deleted", f"{_count(answers, 'answer')}. {rest}")


def foreign_card() -> Card:
    """Somebody else's button."""
    return _notice("This is not yours to delete", "Nothing was deleted. Use `/privacy delete` yourself.")


def admins_only_card() -> Card:
    """What a server keeps is its admins' to delete."""
    text = "Members with the permission Manage Server may delete this server's data. For your own, write me directly."
    return _notice("Only for admins", text)


def _delete_all(guild_id: int) -> tuple[tuple[Button, ...], ...]:
    return ((Button("Delete all of it", str(PrivacyControl("guild", guild_id)), style=ButtonStyle.DANGER),),)


def _delete_own(user_id: int) -> tuple[tuple[Button, ...], ...]:
    return ((Button("Delete my answers", str(PrivacyControl("user", user_id)), style=ButtonStyle.DANGER),),)


def _amounts(stored: StoredData) -> str:
    settings = stored.current.settings
    changed = sum(getattr(settings, name) != field.default for name, field in type(settings).model_fields.items())
    oldest = f", the oldest from <t:{int(stored.oldest_change.timestamp())}:D>" if stored.oldest_change else ""
    runs = _count(stored.digest_runs, "run")
    return "\n".join(
        (
            f"- {_count(changed, 'setting')} other than the default, {_count(len(settings.feeds), 'feed')}",
            f"- {_count(stored.changes, 'change')} in the history{oldest}",
            f"- {_count(stored.answers, 'answer or question', 'answers and questions')}",
            f"- {_count(stored.digests, 'digest')}, {_count(stored.digest_changes, 'change')} of them, {runs}",
        )
    )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _notice(title: str, text: str) -> Card:
    return Card(Embed(title, text, Colour.NOTICE))
