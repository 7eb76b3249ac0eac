"""What became of digests, drawn: runs and workflows, while they are under way and afterwards."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from bot.cards import limits
from bot.cards.card import Button, Card, Colour, Embed, Field
from bot.cards.custom_ids import PlanControl
from bot.cards.plans import Names, change_entry
from bot.cards.text import quoted
from bot.store.outbox import Origin, PastRun, RunState, Workflow
from bot.store.subscriptions import SubscriptionChange

RUNS_PAGE = 8
"""Runs on a page of the history."""
CHANGES_SHOWN = 5
WORKFLOWS_SHOWN = 12

_MARKS = {
    RunState.ASKING: "⏳", RunState.SENDING: "⏳", RunState.SENT: "✅", RunState.EMPTY: "⚪", RunState.FAILED: "❌",
    RunState.HELD: "❔", RunState.CANCELLED: "⏹️",
}  # fmt: skip
_WORDS = {
    RunState.ASKING: "asking the sources", RunState.SENDING: "being sent", RunState.SENT: "posted",
    RunState.EMPTY: "nothing new", RunState.FAILED: "failed", RunState.HELD: "held back",
    RunState.CANCELLED: "cancelled",
}  # fmt: skip
_ORIGINS = {
    Origin.SCHEDULE: "on schedule", Origin.COMMAND: "by command", Origin.WEBHOOK: "by webhook",
    Origin.AGENT: "by an agent",
}  # fmt: skip


OUTCOMES = {
    state: _WORDS[state]
    for state in (RunState.SENT, RunState.EMPTY, RunState.FAILED, RunState.HELD, RunState.CANCELLED)
}
"""By which the history can be asked, with what each is called."""
_DETAIL = re.compile(r"(?P<before>[0-9]{1,18})(?:\.(?P<subscription_id>[0-9a-f]{0,16})\.(?P<state>[a-z]{0,12}))?")


# -- runs


@dataclass(frozen=True, slots=True)
class Page:
    """Which runs a page of the history shows."""

    before: int | None = None
    """Those older than this run; None: the newest."""
    subscription_id: str | None = None
    """None: of every digest."""
    state: RunState | None = None
    """One of ``OUTCOMES``; None: whatever became of them."""

    @property
    def whole(self) -> bool:
        """Whether no digest and no outcome was asked for."""
        return self.subscription_id is None and self.state is None

    def detail(self) -> str:
        """For a control's id."""
        return f"{self.before or 0}.{self.subscription_id or ''}.{self.state or ''}"

    @classmethod
    def read(cls, detail: str) -> Self:
        """What ``detail`` wrote; the newest of all when it is forged."""
        found = _DETAIL.fullmatch(detail)
        if found is None:
            return cls()
        state = next((state for state in OUTCOMES if state.value == found["state"]), None)
        return cls(int(found["before"]) or None, found["subscription_id"] or None, state)


def history_card(
    page: Page,
    found: Sequence[PastRun],
    changes: Sequence[SubscriptionChange],
    names: Names,
    guild_id: int,
    *,
    older: bool,
) -> Card:
    """A page of runs, newest first; the first one of all tells who changed what, too. ``older``: there are more."""
    budget = limits.Budget()
    first = page.before is None
    title = budget.fit(("What became of digests" if page.whole else _asked_for(page, found),), limits.TITLE)
    footer = budget.fit(("Runs are kept for 30 days, changes for 90.",), limits.FOOTER)
    fields = _changes_field(changes, names, budget) if first and page.whole else ()
    nothing = "There is none." if not page.whole else "No digest has run yet."
    description = budget.fit(
        _runs(found) if found else (nothing if first else "There is nothing older.",), limits.DESCRIPTION
    )
    following = replace(page, before=found[-1].run_id if found else 1)
    buttons = (
        Button(
            "Newest",
            str(PlanControl("history", guild_id, replace(page, before=None).detail())),
            emoji="⏮️",
            disabled=first,
        ),
        Button("Older", str(PlanControl("history", guild_id, following.detail())), emoji="▶️", disabled=not older),
    )
    rows = (buttons,) if older or not first else ()
    return Card(Embed(title, description, Colour.PENDING, fields, footer), rows)


def _asked_for(page: Page, found: Sequence[PastRun]) -> str:
    """Such as ``Runs of News: failed``."""
    name = "one digest" if not found else quoted(found[0].subscription_name, 40) or "?"
    runs = "Runs" if page.subscription_id is None else f"Runs of {name}"
    return runs if page.state is None else f"{runs}: {OUTCOMES[page.state]}"


def _runs(page: Sequence[PastRun]) -> Iterator[str]:
    for note in (400, 200, 80, 0):
        yield "\n\n".join(_run(run, note) for run in page)


def _run(run: PastRun, note: int) -> str:
    name, began = quoted(run.subscription_name, 40) or "?", f"<t:{int(run.started_at.timestamp())}:f>"
    origin = _ORIGINS.get(run.origin, "somehow")
    lines = [f"{_MARKS[run.state]} **{name}** · {began} · {_outcome(run)} · {origin}"]
    if note and run.note:
        lines.append(f"-# {quoted(run.note, note)}")
    return "\n".join(lines)


def _outcome(run: PastRun) -> str:
    words = _WORDS[run.state]
    if run.items and run.state in {RunState.SENT, RunState.HELD, RunState.SENDING}:
        words += f", {run.items:,} {'item' if run.items == 1 else 'items'}"
    return f"{words}, {run.left:,} left for the next" if run.left else words


def _changes_field(changes: Sequence[SubscriptionChange], names: Names, budget: limits.Budget) -> tuple[Field, ...]:
    if not changes:
        return ()
    name = budget.fit(("Who changed what",), limits.FIELD_NAME)
    shown = changes[:CHANGES_SHOWN]
    offers = (
        "\n".join(change_entry(change, names, most) for change in shown[:count])
        for count, most in ((CHANGES_SHOWN, 3), (CHANGES_SHOWN, 1), (CHANGES_SHOWN, 0), (3, 0))
    )
    return (Field(name, budget.fit(offers, limits.FIELD_VALUE)),)


# -- one run that somebody waits for


def making_card(workflow: Workflow | None) -> Card:
    """A digest, or several, is under way; ``workflow`` as far as it is known."""
    text = "The sources are being asked." if workflow is None else _progress(workflow)
    return Card(Embed("On its way…", text, Colour.PENDING))


def _progress(workflow: Workflow) -> str:
    told = counts_words(workflow.counts)
    return told or "The sources are being asked."


def run_card(run: PastRun, channel_id: int, more: Sequence[str] = (), hints: Sequence[str] = ()) -> Card:
    """What became of a digest that somebody started; ``more`` lines are ours, ``hints`` sentences are escaped."""
    lines = [f"{_MARKS[run.state]} {_ended(run, channel_id)}"]
    if run.note:
        lines.append(quoted(run.note, 500))
    lines += [*more, *(f"⚠️ {quoted(hint, 300)}" for hint in hints)]
    colour = {RunState.SENT: Colour.ANSWERED, RunState.EMPTY: Colour.NOTICE}.get(run.state, Colour.PARTLY)
    return Card(Embed(quoted(run.subscription_name, 60) or "Digest", "\n".join(lines), colour))


def _ended(run: PastRun, channel_id: int) -> str:
    if run.state is RunState.SENT and not run.items:
        return f"There is nothing new, and <#{channel_id}> was told so."
    if run.state is RunState.SENT:
        left = f" {run.left:,} more come with the next one." if run.left else ""
        return f"Posted in <#{channel_id}>: {run.items:,} {'item' if run.items == 1 else 'items'}.{left}"
    if run.state is RunState.EMPTY:
        return "There is nothing new, so nothing was posted."
    if run.state is RunState.HELD:
        return f"Held back: nobody knows whether it was posted. Look into <#{channel_id}>."
    if run.state is RunState.CANCELLED:
        return "Cancelled: it was paused or removed meanwhile."
    return f"It could not be posted in <#{channel_id}>." if run.state.final else "Still under way."


def still_under_way() -> Card:
    """It takes longer than anybody should wait."""
    text = "It goes on without you waiting. `/digest history` tells what became of it."
    return Card(Embed("Still under way", text, Colour.PENDING))


# -- workflows


def counts_words(counts: Mapping[RunState, int]) -> str:
    """Such as ``3 posted, 1 nothing new``."""
    return ", ".join(f"{counts[state]:,} {_WORDS[state]}" for state in RunState if counts.get(state))


def workflow_card(workflow: Workflow) -> Card:
    """What became of a workflow that somebody started."""
    total = sum(workflow.counts.values())
    if not total:
        text = "There is no active digest here, so nothing was posted. `/setup` makes one."
        return Card(Embed("Nothing to do", text, Colour.NOTICE))
    well = all(state in {RunState.SENT, RunState.EMPTY} for state, count in workflow.counts.items() if count)
    text = f"{_digests(total)}: {counts_words(workflow.counts)}."
    hint = "" if well else "\n`/digest history` tells why."
    title = quoted(workflow.name, 60) or "The workflow"
    return Card(Embed(f"{title} is done", text + hint, Colour.ANSWERED if well else Colour.PARTLY))


def workflows_card(workflows: Sequence[Workflow]) -> Card:
    """The newest, newest first."""
    budget = limits.Budget()
    title = budget.fit(("Workflows of this server",), limits.TITLE)
    footer = budget.fit(("/digest history tells of every single digest. Both are kept for 30 days.",), limits.FOOTER)
    nothing = "None has run yet. `/workflow start` starts one, and so does every digest's schedule."
    lines = "\n".join(_workflow(workflow) for workflow in workflows[:WORKFLOWS_SHOWN])
    description = budget.fit((lines or nothing,), limits.DESCRIPTION)
    return Card(Embed(title, description, Colour.PENDING, footer=footer))


def _workflow(workflow: Workflow) -> str:
    total = sum(workflow.counts.values())
    mark = "✅" if workflow.finished_at is not None else "⏳"
    told = f"{_digests(total)}: {counts_words(workflow.counts)}" if total else "no digest"
    name = f" **{quoted(workflow.name, 40)}**" if workflow.name else ""
    accepted = f"<t:{int(workflow.accepted_at.timestamp())}:f>"
    return f"{mark}{name} {accepted} · {_ORIGINS.get(workflow.origin, 'somehow')} · {told}"


def _digests(count: int) -> str:
    return f"{count:,} {'digest' if count == 1 else 'digests'}"
