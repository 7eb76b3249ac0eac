"""A server's settings, drawn: what holds, what changed, who changed it, and the form that changes it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

from bot.cards import limits
from bot.cards.card import Button, ButtonStyle, Card, Choice, Colour, Embed, Field, Select, SelectKind
from bot.cards.custom_ids import ConfigControl
from bot.cards.feeds import left_out_lines
from bot.cards.limits import shorten
from bot.cards.text import clean, domain, quoted
from bot.guild_settings import GuildSettings, Kind, SettingSpec, dump_value

HISTORY_PAGE = 5
"""Changes on a page of the history."""
LONGEST_FORM = 4000
"""Characters that a text field of a form takes."""
MOST_IN_MENU = 25

_SHOWN = (300, 150, 80, 40)
_LONGEST_IN_FULL = 1500
_LONGEST_CHANGED = 200
_MOST_CHANGES = 25
_ANNOUNCED = 6
_MOST_PROBLEMS = 21


@dataclass(frozen=True, slots=True)
class ValueChange:
    """One setting's old and new value."""

    spec: SettingSpec
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class PastChange:
    """A line of the history."""

    at: datetime
    actor_id: int
    action: str
    changes: tuple[ValueChange, ...]


def digest(settings: GuildSettings, spec: SettingSpec) -> str:
    """Eight hex digits of a setting's value: what a form carries to find out whether it changed meanwhile."""
    return blake2b(dump_value(settings, spec.field).encode(), digest_size=4).hexdigest()


def shown(spec: SettingSpec, value: Any, longest: int) -> str:
    """A value, harmless for Discord; of a list as many as fit about ``longest`` characters, and how many more."""
    if spec.kind is Kind.FEEDS and value:  # an address may hold a key that only its owner should see
        parts = [quoted(feed.title or domain(feed.url) or "a feed", 60) for feed in value]
    elif spec.kind in {Kind.CHANNEL, Kind.CHANNELS, Kind.ROLE}:
        parts = spec.show(value).split(", ")
    elif spec.kind is Kind.TEXTS:
        parts = [quoted(part, 60) for part in spec.show(value).split(", ")]
    else:
        parts = [quoted(spec.show(value), longest)]
    return _listed(parts, longest)


def change_line(change: ValueChange, longest: int = _LONGEST_CHANGED) -> str:
    """Such as ``limit``: 10 → 5."""
    old, new = (shown(change.spec, value, longest) for value in (change.old, change.new))
    return f"`{change.spec.name}`: {old} → {new}"


# -- what holds


def settings_card(specs: Sequence[SettingSpec], settings: GuildSettings, *, certain: bool = True) -> Card:
    """Every setting on one card."""
    budget = limits.Budget()
    title = budget.fit(("Settings of this server",), limits.TITLE)
    text = "`/config set` changes one, `/config panel` is a form, `/config history` tells who changed what."
    doubt = "\n⚠️ The database cannot be asked just now: these are the last known settings, or the defaults."
    description = budget.fit((text if certain else text + doubt,), limits.DESCRIPTION)
    fields = next(
        fields
        for longest in (*_SHOWN, 20)
        if (fields := _fields(specs, settings, longest)) is not None and _length(fields) <= budget.left
    )
    return Card(Embed(title, description, Colour.PENDING, fields))


def _fields(specs: Sequence[SettingSpec], settings: GuildSettings, longest: int) -> tuple[Field, ...] | None:
    fields = tuple(
        Field(
            f"`{spec.name}`",
            f"{shown(spec, spec.of(settings), longest)}\n-# {spec.help} · default: {shown(spec, spec.default, 100)}",
        )
        for spec in specs
    )
    return fields if all(len(field.value) <= limits.FIELD_VALUE for field in fields) else None


def setting_card(spec: SettingSpec, settings: GuildSettings) -> Card:
    """One setting in full."""
    return Card(_setting_embed(spec, settings))


def _setting_embed(spec: SettingSpec, settings: GuildSettings, note: str = "") -> Embed:
    value = spec.of(settings)
    lines = [
        *([note, ""] if note else []),
        f"{spec.help}.",
        f"**Now**: {shown(spec, value, _LONGEST_IN_FULL)}",
        f"**Default**: {shown(spec, spec.default, 200)}",
        f"**Takes** {quoted(spec.range, 300)}.",
        *([] if spec.settable else ["Feeds are added and removed with `/feeds`."]),
    ]
    text = "\n".join(lines)
    assert len(text) <= limits.DESCRIPTION
    return Embed(f"Setting · {spec.name}", text, Colour.PENDING)


# -- what changed


def changed_card(changes: Sequence[ValueChange], hint: str = "") -> Card:
    """It was saved: old and new."""
    if not changes:
        return _notice("Nothing to change", "It is so already.")
    return _notice("Saved", _lines(changes, hint), Colour.ANSWERED)


ROLE_HINT = (
    "Discord itself shows `/config` only to members with Manage Server. An admin can show it to this role as well: "
    "Server Settings → Integrations → this bot → `/config`."
)
UNDO_HINT = "`/config undo` takes it back."


def overtaken_card(changes: Sequence[ValueChange]) -> Card:
    """Somebody else saved meanwhile; ``changes`` are what holds now and what was wanted."""
    lines = [
        f"`{change.spec.name}` is {shown(change.spec, change.old, _LONGEST_CHANGED)}." for change in changes[:10]
    ]
    first = "Somebody else changed the settings in the meantime, so nothing of yours was saved. What holds now:"
    return _notice("Not saved", _within([first, *lines], "Look at it, and if you still want your change, repeat it."))


def undone_card(undone: PastChange, changes: Sequence[ValueChange], problems: Sequence[str] = ()) -> Card:
    """A change was taken back; ``problems`` say why some of it was not."""
    who = f"This takes back what <@{undone.actor_id}> changed <t:{int(undone.at.timestamp())}:R>."
    hint = "`/config undo` once more takes back the change before that one; to have this one again, set it again."
    text = _lines(changes, f"{who}\n{hint}")
    if not problems:
        return _notice("Taken back", text, Colour.ANSWERED)
    return Card(Embed("Taken back in part", text, Colour.PARTLY, (Field("Not taken back", _problems(problems)),)))


def not_undone_card(undone: PastChange, problems: Sequence[str], guild_id: int, place: str) -> Card:
    """Nothing of a change can be taken back; ``place`` is where the one before it is looked for."""
    button = Button("Take back the one before it", str(ConfigControl("undo", guild_id, place)), emoji="↩️")
    what = f"What <@{undone.actor_id}> changed <t:{int(undone.at.timestamp())}:R> cannot be as it was before."
    text = f"{what} Nothing was changed.\n{_problems(problems)}"
    return Card(Embed("Cannot be taken back", text, Colour.PARTLY), ((button,),))


def nothing_to_undo(*, left: bool = False) -> Card:
    """There is no change, or none but those that cannot be taken back (``left``)."""
    other = "else " if left else ""
    return _notice(
        "Nothing to take back", f"In the last 90 days nothing {other}was changed that was not taken back already."
    )


def announcement(actor_id: int, action: str, changes: Sequence[ValueChange]) -> Card:
    """One line for the log channel."""
    rest = f"; and {len(changes) - _ANNOUNCED} more" if len(changes) > _ANNOUNCED else ""
    told = "; ".join(change_line(change, 100) for change in changes[:_ANNOUNCED])
    return Card(
        Embed(
            "Settings changed",
            f"<@{actor_id}> ({_ACTIONS.get(action, quoted(action, 20))}): {told}{rest}",
            Colour.NOTICE,
        )
    )


# -- history

_ACTIONS = {"set": "set", "reset": "reset", "undo": "undo", "import": "import", "panel": "form"}


def history_card(
    page: Sequence[PastChange], zone: str, *, guild_id: int, newer: int | None, older: int | None
) -> Card:
    """A page of changes, newest first; ``newer`` and ``older`` are where the pages beside it begin, if there are."""
    if not page:
        return _notice("History", "In the last 90 days nothing was changed here.")
    budget = limits.Budget()
    title = budget.fit(("History",), limits.TITLE)
    footer = budget.fit((f"Times are of {clean(zone)}. Changes are kept for 90 days.",), limits.FOOTER)
    description = budget.fit(_entries(page, ZoneInfo(zone)), limits.DESCRIPTION)
    buttons = (
        _turn("Newer", "◀️", guild_id, newer, "newer"),
        _turn("Older", "▶️", guild_id, older, "older"),
    )
    rows = (buttons,) if newer is not None or older is not None else ()
    return Card(Embed(title, description, Colour.PENDING, footer=footer), rows)


def _turn(label: str, emoji: str, guild_id: int, before: int | None, side: str) -> Button:
    custom_id = str(ConfigControl("history", guild_id, f"{before or 0}.{side}"))
    return Button(label, custom_id, emoji=emoji, disabled=before is None)


def _entries(page: Sequence[PastChange], zone: ZoneInfo) -> Iterator[str]:
    for longest, most in ((120, 18), (80, 6), (40, 3), (20, 2)):
        yield "\n\n".join(_entry(past, zone, longest, most) for past in page)


def _entry(past: PastChange, zone: ZoneInfo, longest: int, most: int) -> str:
    when = f"{past.at.astimezone(zone):%Y-%m-%d %H:%M}"
    lines = [f"**{when}** · <@{past.actor_id}> · {_ACTIONS.get(past.action, quoted(past.action, 20))}"]
    lines += [change_line(change, longest) for change in past.changes[:most]]
    if len(past.changes) > most:
        lines.append(f"… and {len(past.changes) - most} more")
    return "\n".join(lines)


# -- export and import


def export_card() -> Card:
    """Goes with the file."""
    return _notice(
        "Settings of this server, as a file",
        "`/config import` takes it, here or in another server. Its feeds' addresses are in it in full.",
        Colour.ANSWERED,
    )


def import_refused(problems: Sequence[str]) -> Card:
    """What is wrong with a file."""
    lines = [f"- {quoted(problem, 200)}" for problem in problems[:_MOST_PROBLEMS]]
    return _notice("This file cannot be imported", _within(["Nothing was changed.", *lines], ""), Colour.NONE)


def import_card(
    changes: Sequence[ValueChange], guild_id: int, ticket: str, left_out: Sequence[tuple[str, str]] = ()
) -> Card:
    """What importing would change, to be confirmed; ``left_out``: feeds by name, each with why in a sentence."""
    buttons = (
        Button("Import", str(ConfigControl("apply", guild_id, ticket)), emoji="✅", style=ButtonStyle.PRIMARY),
        Button("Discard", str(ConfigControl("discard", guild_id, ticket)), emoji="🗑️"),
    )
    hint = "All of it, or nothing. Nothing is changed yet."
    if left_out:
        hint += " Feeds that cannot be read are left out; to wait for them, discard this and import again later."
    return Card(Embed("Import this?", _lines(changes, hint), Colour.PARTLY, _left_out(left_out)), (buttons,))


def nothing_to_import(left_out: Sequence[tuple[str, str]]) -> Card:
    """All that could be taken over from a file holds already; ``left_out`` as for ``import_card``."""
    if not left_out:
        return changed_card(())
    text = "Everything else in this file is so already. Nothing was changed."
    return Card(Embed("Nothing to change", text, Colour.NOTICE, _left_out(left_out)))


def _left_out(feeds: Sequence[tuple[str, str]]) -> tuple[Field, ...]:
    if not feeds:
        return ()
    named = limits.Budget().fit(("\n".join(left_out_lines(feeds, most)) for most in (8, 4, 2)), limits.FIELD_VALUE)
    return (Field("Left out: feeds that cannot be read", named),)


def import_over() -> Card:
    """The confirmation comes too late."""
    return _notice(
        "This import is over",
        "It was applied or discarded already, or I was restarted meanwhile. `/config show` tells what holds; "
        "to import, use `/config import` again.",
    )


def import_foreign() -> Card:
    """Somebody else's confirmation."""
    return _notice("Not yours to confirm", "Only who uploaded the file can import it.")


def import_discarded() -> Card:
    """Nothing was changed."""
    return _notice("Discarded", "Nothing was changed.")


# -- the form


def panel_card(
    specs: Sequence[SettingSpec],
    settings: GuildSettings,
    guild_id: int,
    chosen: SettingSpec | None = None,
    saved: Sequence[ValueChange] | None = None,
    exists: Callable[[int], bool] = lambda _: True,
) -> Card:
    """The form: a menu of settings, and for the chosen one what it takes; ``saved`` is what was just changed.

    ``exists`` tells of a channel's or role's id whether it is still there: only then a menu can show it as chosen.
    """
    menu = Select(
        str(ConfigControl("pick", guild_id)),
        SelectKind.TEXT,
        "Choose a setting",
        tuple(_in_menu(spec, settings, spec is chosen) for spec in specs[:MOST_IN_MENU]),
    )
    if chosen is None:
        text = "Choose a setting to see it and to change it. Whoever may configure this server may use this form."
        return Card(Embed("Configuration", text, Colour.PENDING), selects=(menu,))
    control = _control(chosen, settings, guild_id)
    if control is not None:
        control = replace(control, chosen=tuple(filter(exists, control.chosen)))
    detail = f"{chosen.field}.{digest(settings, chosen)}"
    buttons: tuple[Button, ...] = ()
    if chosen.settable:
        reset = ConfigControl("default", guild_id, detail)
        same = chosen.of(settings) == chosen.default
        buttons = (Button("Back to the default", str(reset), emoji="↩️", disabled=same),)
    if chosen.settable and control is None:
        change = Button("Change", str(ConfigControl("edit", guild_id, detail)), emoji="✏️", style=ButtonStyle.PRIMARY)
        buttons = (change, *buttons)
    embed = _setting_embed(chosen, settings, _saved_note(saved))
    return Card(embed, (buttons,) if buttons else (), selects=(menu,) if control is None else (menu, control))


def form_too_long() -> Card:
    """A list that no form can hold."""
    return _notice(
        "Too long for a form",
        "This list has more than Discord's forms can hold. `/config export` gives it as a file; change it there, "
        "and `/config import` it.",
    )


def _saved_note(saved: Sequence[ValueChange] | None) -> str:
    if saved is None:
        return ""
    return "\n".join(f"✅ {change_line(change, 150)}" for change in saved[:3]) or "It was so already."


def _in_menu(spec: SettingSpec, settings: GuildSettings, chosen: bool) -> Choice:
    value = spec.of(settings)
    if spec.kind in {Kind.CHANNEL, Kind.CHANNELS, Kind.ROLE, Kind.FEEDS} and value:
        told = f"{len(value)} chosen" if isinstance(value, tuple) else "chosen"
    else:
        told = shorten(clean(spec.show(value)), 60)
    return Choice(spec.name, spec.field, shorten(f"{told} · {spec.help}", 100), chosen)


def _control(spec: SettingSpec, settings: GuildSettings, guild_id: int) -> Select | None:
    """The menu that sets a setting; None where it is typed, or has commands of its own."""
    value = spec.of(settings)
    custom_id = str(ConfigControl("put", guild_id, f"{spec.field}.{digest(settings, spec)}"))
    if spec.kind in {Kind.BOOL, Kind.CHOICE}:
        typed = spec.typed(value)
        names = dict.fromkeys((*spec.choices, *(("none",) if spec.default is None else ())))
        choices = tuple(Choice(name, name, chosen=name == typed) for name in names)
        return Select(custom_id, SelectKind.TEXT, f"Choose {spec.name}", choices[:MOST_IN_MENU])
    if spec.kind is Kind.TEXTS and spec.choices:
        names = dict.fromkeys(name for name in spec.choices[: MOST_IN_MENU + 1] if name != "all")
        choices = tuple(Choice(name, name, chosen=name in value) for name in names)
        return Select(custom_id, SelectKind.TEXT, "None chosen: all", choices, least=0, most=len(choices))
    if spec.kind is Kind.ROLE:
        return Select(custom_id, SelectKind.ROLE, "None chosen: none", chosen=(value,) if value else (), least=0)
    if spec.kind is Kind.CHANNEL:
        return Select(custom_id, SelectKind.CHANNEL, "None chosen: none", chosen=(value,) if value else (), least=0)
    if spec.kind is Kind.CHANNELS and len(value) <= MOST_IN_MENU:
        placeholder = "None chosen: everywhere"
        return Select(custom_id, SelectKind.CHANNEL, placeholder, chosen=value, least=0, most=MOST_IN_MENU)
    return None


# -- parts


def _problems(problems: Sequence[str]) -> str:
    """One line each, for a field."""
    return limits.Budget().fit((_problem_lines(problems, most) for most in (8, 4, 2)), limits.FIELD_VALUE)


def _problem_lines(problems: Sequence[str], most: int) -> str:
    more = [f"- … and {len(problems) - most} more"] if len(problems) > most else []
    return "\n".join([*(f"- {quoted(problem, 200)}" for problem in problems[:most]), *more])


def _lines(changes: Sequence[ValueChange], hint: str) -> str:
    for longest in (_LONGEST_CHANGED, 100, 40, 20):
        text = "\n".join([*(change_line(change, longest) for change in changes[:_MOST_CHANGES]), hint]).strip()
        if len(text) <= limits.DESCRIPTION:
            break
    return text


def _within(lines: Iterable[str], last: str) -> str:
    """As many lines as a description takes, and the last."""
    room = limits.DESCRIPTION - len(last) - 1
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join([*kept, last]).strip()


def _listed(parts: Sequence[str], longest: int) -> str:
    kept: list[str] = []
    length = 0
    for part in parts:
        length += len(part) + 2
        if kept and length > longest:
            return f"{', '.join(kept)} and {len(parts) - len(kept)} more"
        kept.append(part)
    return ", ".join(kept)


def _length(fields: Iterable[Field]) -> int:
    return sum(len(field.name) + len(field.value) for field in fields)


def _notice(title: str, text: str, colour: Colour = Colour.NOTICE) -> Card:
    assert len(text) <= limits.DESCRIPTION
    return Card(Embed(title, text, colour))
