"""From what was found to the messages of each digest: what is new, its answer for the buttons, its chart, its parts.

What costs time is done in threads, some digests at a time.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import orjson

from agents import telemetry
from agents.events import SignalsRequested
from agents.signal import Signal
from bot import chart, left_over
from bot.answer import Answer, answer_id, signals_digest
from bot.cards.digest import MOST_KEPT, Digest, parts
from bot.cards.digest_notes import failed_sources
from bot.chart import Chart
from bot.digest_asking import Found
from bot.digest_question import Wanted
from bot.novelty import Candidates, seen_items
from bot.recent import Recent
from bot.store.outbox import KEEP_SEEN, Part, Rendered, Run, SeenItem, nonce_of
from bot.subscription import Subscription

_CHARTS = 16
_log = telemetry.logger("bot.digests")


class KnowsSeen(Protocol):
    """What of the outbox is needed here."""

    async def seen(self, subscription_ids: Collection[str], since: datetime) -> Mapping[str, tuple[SeenItem, ...]]:
        """See ``bot.store.outbox.Outbox``."""
        ...

    async def left_over(self, subscription_ids: Collection[str]) -> Mapping[str, str]:
        """See ``bot.store.outbox.Outbox``."""
        ...


class KeepsAnswers(Protocol):
    """Where answers go so that the buttons of digests work."""

    async def keep(self, answers: Sequence[Answer]) -> None:
        """Write them now. Raises ``StoreError``."""
        ...


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a digest comes to."""

    digest: Digest
    answer: Answer
    chart: bytes | None
    new: tuple[Signal, ...]
    """All of it, also what the digest has no room for."""
    request: SignalsRequested


@dataclass(frozen=True, slots=True)
class _New:
    """What is new for one digest, best first."""

    subscription: Subscription
    wanted: Wanted
    signals: tuple[Signal, ...]
    chart: Chart | None = None


class Renderer:
    """Makes digests of what was found, for any number of subscriptions."""

    def __init__(self, outbox: KnowsSeen, titles: Mapping[str, str]) -> None:
        self._outbox = outbox
        self._titles = titles
        self._turn = asyncio.Lock()
        """One thread at a time: several would only take turns, and each turn makes the event loop wait."""
        self._charts: Recent[tuple[object, ...], tuple[tuple[Signal, ...], Chart]] = Recent(_CHARTS)
        """With what they show, which keeps the ids in the key those of the signals."""

    async def digests(self, found: Found, several: Sequence[tuple[Subscription, Wanted]]) -> list[Drawn]:
        """What each digest is, in the order given; nothing is written. Raises ``Unreadable``."""
        until = found.at
        ids = [subscription.id for subscription, _ in several]
        seen = await self._outbox.seen(ids, until - KEEP_SEEN)
        kept = await self._outbox.left_over(ids)
        async with self._turn:
            new = await asyncio.to_thread(_new, found, several, seen, kept)
            charted = [await self._charted(one, until) for one in new]
            return await asyncio.to_thread(lambda: [self._drawn(one, found) for one in charted])

    async def rendered(self, runs: Sequence[Run], drawn: Sequence[Drawn]) -> list[Rendered | None]:
        """The messages of each run; None for what could not be drawn because of a fault, which is logged."""
        async with self._turn:
            return await asyncio.to_thread(
                lambda: [_rendered_or_none(run, one) for run, one in zip(runs, drawn, strict=True)]
            )

    async def _charted(self, new: _New, until: datetime) -> _New:
        """With the chart, if one is wanted and there is anything to be seen; digests of the same news share it."""
        if not new.subscription.plan.chart or not new.signals:
            return new
        zone = new.subscription.plan.schedule.timezone
        key = (new.wanted.since, until, zone, *(id(signal) for signal in new.signals))
        known = self._charts.get(key)
        if known is None:
            drawn = await chart.draw(new.signals, new.wanted.since, until, zone, self._titles)
            known = (new.signals, drawn)
            self._charts.put(key, known)
        return replace(new, chart=known[1])

    def _drawn(self, new: _New, found: Found) -> Drawn:
        limit = new.subscription.plan.limit
        answer = _answer(new, found)
        digest = Digest(
            subscription=new.subscription,
            signals=new.signals[:limit],
            left=max(0, len(new.signals) - limit),
            reports=found.response.reports,
            titles=self._titles,
            answer_id=answer.id,
            since=new.wanted.since,
            until=found.at,
            forum=new.wanted.spot.forum,
            chart_alt="" if new.chart is None else new.chart.alt,
        )
        return Drawn(digest, answer, None if new.chart is None else new.chart.png, new.signals, new.wanted.request)


def _rendered_or_none(run: Run, drawn: Drawn) -> Rendered | None:
    try:
        return _rendered(run, drawn)
    except Exception:  # noqa: BLE001
        # One digest that cannot be drawn must not cost all others theirs.
        _log.exception("a digest could not be drawn", run_id=run.id, subscription_id=run.subscription.id)
        return None


def _rendered(run: Run, drawn: Drawn) -> Rendered:
    digest = drawn.digest
    bodies = parts(digest, lambda number: nonce_of(run.workflow_id, run.subscription.id, number))
    shown = [signal for body in bodies for signal in body.shown]
    left = drawn.new[len(shown) :]
    own = not (run.event.sources or run.event.query)
    return Rendered(
        run_id=run.id,
        parts=tuple(
            Part(
                run_id=run.id,
                number=number,
                subscription_id=run.subscription.id,
                guild_id=run.subscription.guild_id,
                channel_id=run.subscription.plan.channel_id,
                forum=digest.forum,
                nonce=nonce_of(run.workflow_id, run.subscription.id, number),
                body=orjson.dumps(body.body).decode(),
                chart=drawn.chart if number == 0 else None,
                seen=seen_items(body.shown),
            )
            for number, body in enumerate(bodies)
        ),
        items=len(shown),
        left=len(left),
        note=failed_sources(digest.reports, digest.titles),
        left_over=_kept(drawn, left) if own else None,
    )


def _kept(drawn: Drawn, left: Sequence[Signal]) -> str:
    return left_over.dump(drawn.request, left, drawn.digest.subscription.plan.schedule, drawn.digest.until)


def _new(
    found: Found,
    several: Sequence[tuple[Subscription, Wanted]],
    seen: Mapping[str, tuple[SeenItem, ...]],
    kept: Mapping[str, str],
) -> list[_New]:
    again = seen_items(found.response.signals) if kept else ()
    made = []
    for subscription, wanted in several:
        new = found.candidates.new(seen[subscription.id])
        if subscription.id in kept:
            waiting = left_over.load(kept[subscription.id], wanted.request, found.response.occurred_at)
            new += Candidates(waiting).new((*seen[subscription.id], *again))
        made.append(_New(subscription, wanted, tuple(one for one in new if one.score >= wanted.min_score)))
    return made


def _answer(new: _New, found: Found) -> Answer:
    tenant = str(new.subscription.guild_id)
    kept = new.signals[:MOST_KEPT]
    reports = found.response.reports
    question = new.wanted.question
    return Answer(
        id=answer_id(tenant, question, signals_digest(kept), reports, len(new.signals), None),
        tenant=tenant,
        question=question,
        signals=kept,
        reports=reports,
        found=len(new.signals),
        error=None,
        created_at=found.response.occurred_at,
    )
