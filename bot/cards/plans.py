"""A server's digests, drawn: what each is to do, how it stands, what changed about it, and before it is removed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.cards import limits
from bot.cards.answer import status_line
from bot.cards.card import Button, ButtonStyle, Card, Colour, Embed
from bot.cards.custom_ids import PlanControl
from bot.cards.digest import LONGEST_POST_NAME, Digest, post_name
from bot.cards.text import quoted
from bot.store.subscriptions import SubscriptionChange
from bot.subscription import Every, Grouping, Plan, Schedule, State, Subscription
from bot.typed_plan import DAY_NAMES, WEEKEND, WORKDAYS

MARKS = {State.ACTIVE: "▶️", State.PAUSED: "⏸️", State.SUSPENDED: "⛔"}
ACTIONS = {
    "add": "added", "edit": "changed", "pause": "paused", "resume": "resumed", "remove": "removed",
}  # fmt: skip
_NAME = 60
_PROBLEM = 200


@dataclass(frozen=True, slots=True)
class Names:
    """What is called how."""

    sources: Mapping[str, str] = field(default_factory=dict)
    """Titles as written, by name."""
    tags: Mapping[int, str] = field(default_factory=dict)
    """Of the server's forums, by id."""


# -- in words


def schedule_words(schedule: Schedule) -> str:
    """When a digest runs; without its time zone."""
    if schedule.every is Every.CRON:
        return f"by cron {schedule.cron}"
    if schedule.every is Every.HOUR:
        return f"every hour at :{schedule.at[3:]}"
    return f"{_days(schedule.days)} at {schedule.at}"


def _days(days: tuple[int, ...]) -> str:
    if not days:
        return "daily"
    if days == WORKDAYS:
        return "Monday to Friday"
    if days == WEEKEND:
        return "Saturday and Sunday"
    return "on " + ", ".join(DAY_NAMES[day] if len(days) == 1 else DAY_NAMES[day][:3] for day in days)


def facts(plan: Plan, names: Names) -> dict[str, str]:
    """Each thing that an admin chose, by its name as typed, harmless for Discord."""
    schedule = plan.schedule
    quiet = schedule.quiet
    return {
        "channel": f"<#{plan.channel_id}>",
        "when": quoted(f"{schedule_words(schedule)} ({schedule.timezone})", 160),
        "quiet": f"{quiet.since} to {quiet.until}" if quiet else "none",
        "sources": sources_words(plan, names.sources, 300),
        "query": f"“{quoted(plan.query, 200)}”" if plan.query else "none",
        "limit": str(plan.limit),
        "min_score": "the server's" if plan.min_score is None else f"{plan.min_score:g}",
        "grouping": f"by {Grouping(plan.grouping).value}",
        "role": "none" if plan.role_id is None else f"<@&{plan.role_id}>",
        "chart": "yes" if plan.chart else "no",
        "when_empty": "a line" if plan.when_empty else "silence",
        "tag": "none" if plan.tag_id is None else quoted(names.tags.get(plan.tag_id, "one that is gone"), 60),
        "name": quoted(plan.name, _NAME) or "?",
    }


def sources_words(plan: Plan, titles: Mapping[str, str], longest: int) -> str:
    """Which sources are asked, harmless for Discord."""
    if not plan.sources:
        return "all that are on"
    named = (
        " ".join(
            (titles.get(source.name, source.name), *(f"{name}={value}" for name, value in source.options.items()))
        )
        for source in plan.sources
    )
    return quoted(", ".join(named), longest)


def difference(old: Plan, new: Plan, names: Names) -> list[str]:
    """A line for each thing that differs."""
    before, after = facts(old, names), facts(new, names)
    return [f"`{name}`: {before[name]} → {after[name]}" for name in before if before[name] != after[name]]


# -- which there are


def list_card(subscriptions: Sequence[Subscription], titles: Mapping[str, str]) -> Card:
    """All of a server."""
    if not subscriptions:
        text = "`/setup` makes one in a minute, `/digest add` with everything that can be chosen."
        return Card(Embed("There is no digest here yet", text, Colour.NOTICE))
    budget = limits.Budget()
    title = budget.fit((f"Digests of this server ({len(subscriptions)})",), limits.TITLE)
    description = budget.fit(_lists(subscriptions, titles), limits.DESCRIPTION)
    footer = budget.fit(("/digest list with one of them shows everything about it.",), limits.FOOTER)
    problem = any(one.state is State.SUSPENDED for one in subscriptions)
    return Card(Embed(title, description, Colour.PARTLY if problem else Colour.PENDING, footer=footer))


def _lists(subscriptions: Sequence[Subscription], titles: Mapping[str, str]) -> Iterator[str]:
    for name, sources, problem in ((_NAME, 80, _PROBLEM), (_NAME, 30, 60), (40, 0, 0), (20, 0, 0)):
        yield "\n\n".join(_entry(one, titles, name, sources, problem) for one in subscriptions)


def _entry(one: Subscription, titles: Mapping[str, str], name: int, sources: int, problem: int) -> str:
    plan = one.plan
    lines = [f"{MARKS[one.state]} **{quoted(plan.name, name) or '?'}** · <#{plan.channel_id}> · {_next(one)}"]
    if sources:
        when = quoted(f"{schedule_words(plan.schedule)} ({plan.schedule.timezone})", 110)
        asked = f" · “{quoted(plan.query, sources)}”" if plan.query else ""
        lines.append(f"-# {when} · {sources_words(plan, titles, sources)}{asked}")
    if problem and one.problem:
        lines.append(f"-# {quoted(one.problem, problem)}")
    return "\n".join(lines)


def _next(one: Subscription) -> str:
    if one.state is State.PAUSED:
        return "paused"
    if one.state is State.SUSPENDED:
        return "suspended"
    return f"next <t:{int(one.due_at.timestamp())}:R>" if one.due_at is not None else "no next run"


def plan_card(one: Subscription, names: Names, heading: str = "", hints: Sequence[str] = ()) -> Card:
    """Everything about one; ``hints`` are sentences about what would work better."""
    told = facts(one.plan, names)
    name = told.pop("name")
    hidden = {"tag", "quiet", "query", "role"}  # not worth a line where they are nothing
    lines = [f"**{label}**: {value}" for label, value in told.items() if not (label in hidden and value == "none")]
    if one.ran_at is not None:
        lines.append(f"**last run**: <t:{int(one.ran_at.timestamp())}:R>")
    lines.insert(0, f"{MARKS[one.state]} {_next(one)}")
    if one.problem:
        lines.append(f"⛔ {quoted(one.problem, _PROBLEM)}")
    lines += [f"⚠️ {quoted(hint, 300)}" for hint in hints]
    title = f"{heading} · {name}" if heading else name
    colour = Colour.PARTLY if hints or one.state is State.SUSPENDED else Colour.ANSWERED
    return _card(title, "\n".join(lines), colour)


# -- what changed


def changed_card(old: Plan, new: Subscription, names: Names, hints: Sequence[str]) -> Card:
    """What was saved about one."""
    lines = difference(old, new.plan, names) or ["It is so already."]
    lines.append(f"{MARKS[new.state]} {_next(new)}")
    lines += [f"⚠️ {quoted(hint, 300)}" for hint in hints]
    title = f"Saved · {quoted(new.plan.name, _NAME) or '?'}"
    return _card(title, "\n".join(lines), Colour.PARTLY if hints else Colour.ANSWERED)


def turned_card(one: Subscription) -> Card:
    """It was paused, or goes on."""
    name = quoted(one.plan.name, _NAME) or "?"
    if one.state is State.PAUSED:
        return _card(f"Paused · {name}", "It runs no more until `/digest resume`.", Colour.ANSWERED)
    return _card(f"Goes on · {name}", f"In <#{one.plan.channel_id}>, {_next(one)}.", Colour.ANSWERED)


def so_already(one: Subscription) -> Card:
    """It was paused, or active, before."""
    state = "paused" if one.state is State.PAUSED else "active"
    return _card(quoted(one.plan.name, _NAME) or "?", f"It is {state} already.", Colour.NOTICE)


def confirm_remove_card(one: Subscription, guild_id: int) -> Card:
    """Asks before one is removed."""
    detail = f"{one.id}.{one.version}"
    buttons = (
        Button("Remove it", str(PlanControl("remove", guild_id, detail)), style=ButtonStyle.DANGER),
        Button("Keep it", str(PlanControl("keep", guild_id))),
    )
    text = (
        f"Its posts in <#{one.plan.channel_id}> stay. What it has shown is forgotten, so a new one begins anew. "
        "`/digest pause` only stops it for a while."
    )
    title = f"Remove {quoted(one.plan.name, _NAME) or '?'}?"
    return Card(Embed(title, text, Colour.NONE), (buttons,))


def removed_card(one: Subscription) -> Card:
    """It is gone."""
    return _card(f"Removed · {quoted(one.plan.name, _NAME) or '?'}", "It posts nothing any more.", Colour.ANSWERED)


def kept_card() -> Card:
    """Nothing was removed."""
    return _card("Kept", "Nothing was changed.", Colour.NOTICE)


def announcement(actor_id: int, action: str, name: str, lines: Sequence[str]) -> Card:
    """For the log channel."""
    told = "".join(f"\n{line}" for line in lines[:8])
    text = f"<@{actor_id}> {ACTIONS.get(action, 'changed')} the digest **{quoted(name, _NAME) or '?'}**.{told}"
    return _card("Digests changed", text, Colour.NOTICE)


def change_entry(change: SubscriptionChange, names: Names, most: int) -> str:
    """A line of the history, with at most ``most`` of what differs below it."""
    when = f"<t:{int(change.at.timestamp())}:f>"
    name = quoted(change.name, 30) or "?"
    line = f"{when} <@{change.actor_id}> {ACTIONS.get(change.action, quoted(change.action, 20))} **{name}**"
    if change.old is None or change.new is None:
        return line
    lines = difference(change.old, change.new, names)
    rest = [f"-# … and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join([line, *(f"-# {one}" for one in lines[:most]), *rest])


def _card(title: str, text: str, colour: Colour) -> Card:
    budget = limits.Budget()
    return Card(
        Embed(
            budget.fit((title,), limits.TITLE),
            budget.fit((text, f"{text[: limits.DESCRIPTION - 1]}…"), limits.DESCRIPTION),
            colour,
        )
    )


def preview_words(digest: Digest) -> str:
    """Above a preview: that it is one, and what cannot be seen in it."""
    plan = digest.subscription.plan
    lines = [f"**Preview** of what <#{plan.channel_id}> would be shown now. None of it counts as shown."]
    if digest.forum:
        lines.append(f"It would be a post called “{quoted(post_name(digest), LONGEST_POST_NAME)}”.")
    if plan.role_id is not None and digest.signals:
        lines.append(f"It would mention <@&{plan.role_id}>.")
    return "\n".join(lines)


def silence_card(digest: Digest) -> Card:
    """A preview of nothing."""
    title = f"Preview · {quoted(digest.subscription.plan.name, _NAME) or '?'}"
    states = [status_line(report, digest.titles, 90) for report in digest.reports[:10] if not report.status.answered]
    if states and len(states) == len(digest.reports):
        return _card(title, "\n".join(("No source could answer, so nobody knows what is new.", *states)), Colour.NONE)
    text = (
        "There is nothing new since the last one, so nothing would be posted. With `when_empty` a line would say so."
    )
    return _card(title, "\n".join((text, *states)), Colour.PARTLY if states else Colour.NOTICE)


def no_preview_card(one: Subscription) -> Card:
    """The sources took too long."""
    title = f"Preview · {quoted(one.plan.name, _NAME) or '?'}"
    return _card(title, "No answer came in time. Try again in a minute.", Colour.NONE)
