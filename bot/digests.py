"""From ``workflow:started`` to messages in the outbox, and to ``workflow:finished``.

What is to be done stands in the outbox, and whoever looks there goes on with it: so it does not matter where a
process was killed. A workflow that nobody has written down yet (any agent may emit one) is written down first.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from agents import telemetry
from agents.bus import EventBus
from agents.errors import BusError
from agents.events import SIGNALS_RESPONSE, WORKFLOW_FINISHED, WORKFLOW_STARTED, SourceReport, WorkflowStarted
from bot.cards import digest_notes as notes
from bot.cards.digest import Digest
from bot.clock import Clock, SystemClock
from bot.digest_asking import ANSWER_S, Asker, Found, NoAnswer
from bot.digest_question import NothingToAsk, Spot, Wanted, wanted
from bot.digest_rendering import KeepsAnswers, Renderer
from bot.guild_settings import Operator
from bot.store.errors import StoreError
from bot.store.outbox import Origin, Outbox, Rendered, Run
from bot.store.settings_memory import Versioned
from bot.subscription import Subscription
from bot.tasks import beside

LOOK_S = 15.0
"""How often the outbox is looked into when nobody says that there is something to do."""
FINISH_S = 5.0
SETTLE_S = 0.25
"""Least time between two looks: what happens meanwhile is one reason for the next."""
PURGE_S = 3600.0
AT_ONCE = 8
"""Questions under way, unless told otherwise."""
PAGE = 100
"""Runs that are looked at together."""
DRAWN_AT_ONCE = 20
RUNS_AT_ONCE = 1000
"""Roughly how many runs are begun before those begun already were taken up."""
AGAIN_S = (30.0, 120.0, 600.0)
"""After how long sources are asked again when none answered; then the run fails."""
LONGEST_AGAIN_S = 900.0
NOT_KNOWN_S = 30.0
"""After how long a run is looked at again whose server, or its settings, are not known just now."""
STORE_PAUSES_S = (0.2, 1.0, 5.0, 15.0)
_log = telemetry.logger("bot.digests")

T = TypeVar("T")
SpotOf = Callable[[int, int], Spot | None]
"""What is known about a channel (its server, itself); None: the server is not known just now."""


class KnowsSettings(Protocol):
    """What of ``bot.store.guilds.GuildStore`` is needed here."""

    async def get_several(self, guild_ids: Collection[int]) -> Mapping[int, Versioned]:
        """See there."""
        ...


@dataclass(frozen=True, slots=True)
class Preview:
    """What the next digest would be."""

    digest: Digest
    chart: bytes | None
    """A PNG."""


@dataclass(frozen=True, slots=True)
class _Later:
    """A run that waits before it is taken up again."""

    tries: int
    """How often no source answered."""
    at: float
    """On the monotonic clock."""


class Digests:
    """Makes digests; an async context manager. It takes workflows at once, and makes digests from ``serve`` on.

    ``unavailable`` tells by name which sources the operator has off. ``on_written`` is called when there is something
    to be sent. Of the questions ``at_once`` one server alone has at most half, so that slow ones hold up no other.
    """

    def __init__(
        self,
        bus: EventBus,
        outbox: Outbox,
        answers: KeepsAnswers,
        settings: KnowsSettings,
        operator: Operator,
        *,
        unavailable: Callable[[], Collection[str]],
        clock: Clock | None = None,
        answer_s: float = ANSWER_S,
        at_once: int = AT_ONCE,
    ) -> None:
        self._bus = bus
        self._outbox = outbox
        self._answers = answers
        self._settings = settings
        self._operator = operator
        self._unavailable = unavailable
        self._clock = clock or SystemClock()
        self._asker = Asker(bus.emit, clock=self._clock, answer_s=answer_s)
        self._renderer = Renderer(outbox, operator.sources)
        self._spot_of: SpotOf = lambda _guild_id, _channel_id: None
        self._on_written: Callable[[], None] = lambda: None
        self._woken = asyncio.Event()
        self._ended = asyncio.Event()
        self._places = asyncio.Semaphore(at_once)
        self._most_of_one = (at_once + 1) // 2
        self._held: Counter[int] = Counter()
        """Places that each server has for itself alone."""
        self._under_way: set[int] = set()
        self._later: dict[int, _Later] = {}
        self._purged_at: float | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._subscriptions = (
            self._bus.subscribe(WORKFLOW_STARTED, self.on_workflow_started),
            self._bus.subscribe(SIGNALS_RESPONSE, self._asker.on_response),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for subscription in self._subscriptions:
            subscription.cancel()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._asker.close()

    def serve(self, spot_of: SpotOf, on_written: Callable[[], None], ready: Callable[[], Awaitable[object]]) -> None:
        """Make digests from now on, once ``ready`` returns: when it is known what channels there are."""
        self._spot_of = spot_of
        self._on_written = on_written
        self._own(self._work(ready), "digests")
        self._own(self._finish(), "digests-finished")

    def run_ended(self) -> None:
        """A run may have come to its end."""
        self._ended.set()
        self._woken.set()

    async def on_workflow_started(self, event: WorkflowStarted) -> None:
        """Write it down, unless it is known; returns when that is certain, so that the bus holds back a flood."""
        await self._insist(lambda: self._outbox.accept(event, Origin.AGENT))
        self._woken.set()

    async def preview(self, subscription: Subscription) -> Preview:
        """What the next digest would be, now; nothing is marked as seen.

        Raises ``TimeoutError`` when no source could be asked in time, ``NothingToAsk`` and ``StoreError``.
        """
        known = (await self._settings.get_several((subscription.guild_id,)))[subscription.guild_id]
        asked = self._wanted(subscription, WorkflowStarted(), known, self._spot(subscription) or Spot(), None)
        try:
            found = await self._asker.ask(asked)
        except NoAnswer as error:
            raise TimeoutError from error
        (drawn,) = await self._renderer.digests(found, [(subscription, asked)])
        await self._answers.keep([drawn.answer])
        return Preview(drawn.digest, drawn.chart)

    # Workflows begin and end

    async def _work(self, ready: Callable[[], Awaitable[object]]) -> None:
        await ready()
        while True:
            self._woken.clear()
            await self._insist(self._look)
            await self._clock.sleep(SETTLE_S)
            await self._clock.wait(self._woken, self._look_again_s())

    async def _look(self) -> None:
        """Take up every run that waits, and begin what waits to be begun, in turn."""
        seen: set[int] = set()
        after_id, at_once = 0, 1
        while True:
            page = await self._outbox.asking(PAGE, after_id)
            if page:
                after_id = page[-1].id
                seen.update(run.id for run in page)
                await self._take_up(page)
                continue
            begun = await self._outbox.begin_next(at_once, RUNS_AT_ONCE)
            if begun == 0:
                break
            at_once = min(2 * at_once, 50)  # a flood of workflows that concern nobody is not begun one by one
            self._ended.set()
        self._later = {run_id: later for run_id, later in self._later.items() if run_id in seen}

    def _look_again_s(self) -> float:
        now = self._clock.monotonic()
        waits = (later.at - now for run_id, later in self._later.items() if run_id not in self._under_way)
        return max(0.0, min((LOOK_S, *waits)))

    async def _finish(self) -> None:
        while True:
            self._ended.clear()
            await self._insist(self._finish_ended)
            await self._clock.sleep(SETTLE_S)
            await self._clock.wait(self._ended, FINISH_S)

    async def _finish_ended(self) -> None:
        while finished := await self._outbox.finish(self._clock.utc()):
            for event in finished:
                try:
                    await self._bus.emit(WORKFLOW_FINISHED, event)
                except BusError as error:
                    _log.warning("the end of a workflow was not told", error=error.sentence)
        now = self._clock.monotonic()
        if self._purged_at is None or now - self._purged_at >= PURGE_S:
            await self._outbox.purge(self._clock.utc())
            self._purged_at = now

    # Runs are taken up

    async def _take_up(self, page: Sequence[Run]) -> None:
        """Begin to make those whose time has come; runs with the same question together. Waits for places."""
        settings = await self._settings.get_several({run.subscription.guild_id for run in page})
        now = self._clock.monotonic()
        groups: dict[str, list[tuple[Run, Wanted]]] = {}
        for run in page:
            await asyncio.sleep(0)  # commands have their turn on the loop
            later = self._later.get(run.id)
            if run.id in self._under_way or (later is not None and later.at > now):
                continue
            asked = await self._wanted_by(run, settings[run.subscription.guild_id])
            if asked is not None:
                groups.setdefault(asked.key, []).append((run, asked))
        for group in groups.values():
            alone = _alone(group)
            if alone is not None and self._held[alone] >= self._most_of_one:
                continue  # looked at again as soon as one of its questions is answered
            await self._places.acquire()
            self._under_way.update(run.id for run, _ in group)
            if alone is not None:
                self._held[alone] += 1
            self._own(self._make(group, alone), "digest-runs")

    async def _wanted_by(self, run: Run, known: Versioned) -> Wanted | None:
        """None: not now, or not at all."""
        subscription = run.subscription
        spot = self._spot(subscription)
        if not known.certain or spot is None:
            self._put_off(run, NOT_KNOWN_S)
            return None
        try:
            return self._wanted(subscription, run.event, known, spot, run)
        except NothingToAsk as error:
            await self._outbox.fail([run.id], notes.nothing_to_ask(error.names, self._operator.sources))
            self._ended.set()
            return None

    def _wanted(
        self, subscription: Subscription, event: WorkflowStarted, known: Versioned, spot: Spot, run: Run | None
    ) -> Wanted:
        return wanted(
            subscription,
            event,
            known.settings,
            self._operator,
            spot,
            unavailable=self._unavailable(),
            since=subscription.ran_at if run is None else run.since,
            now=self._clock.utc(),
        )

    def _spot(self, subscription: Subscription) -> Spot | None:
        return self._spot_of(subscription.guild_id, subscription.plan.channel_id)

    def _put_off(self, run: Run, seconds: float, *, tried: int = 0) -> None:
        before = self._later.get(run.id)
        tries = (0 if before is None else before.tries) + tried
        self._later[run.id] = _Later(tries, self._clock.monotonic() + seconds)

    # Runs are made

    async def _make(self, group: Sequence[tuple[Run, Wanted]], alone: int | None) -> None:
        """Ask for a group of runs with the same question, and write down what comes of it."""
        run = group[0][0]
        try:
            with telemetry.span("digests.make", {"digests": len(group)}, parent=run.event.traceparent):
                await self._ask_for(group)
        except Exception as error:  # noqa: BLE001
            # Whatever it is, it must neither end all digests nor be tried for ever.
            _log.exception("digests could not be made", workflow_id=run.workflow_id, runs=len(group))
            telemetry.mark_failed(error)
            await self._try_again([run for run, _ in group], notes.OUR_FAULT)
        finally:
            self._under_way.difference_update(run.id for run, _ in group)
            self._places.release()
            if alone is not None:
                self._held[alone] -= 1
                self._held += Counter()  # forgets servers that hold none
            self._woken.set()

    async def _ask_for(self, group: Sequence[tuple[Run, Wanted]]) -> None:
        runs = [run for run, _ in group]
        try:
            found = await self._asker.ask(group[0][1])
        except NoAnswer:
            await self._try_again(runs, notes.NO_ANSWER)
            return
        reports = found.response.reports
        if not found.answered:
            note = notes.failed_sources(reports, self._operator.sources) or found.response.error or notes.NO_ANSWER
            await self._try_again(runs, note, wait_s=_soonest_s(reports))
            return
        for start in range(0, len(group), DRAWN_AT_ONCE):
            await self._write(found, group[start : start + DRAWN_AT_ONCE])

    async def _try_again(self, runs: Iterable[Run], note: str, wait_s: float = 0.0) -> None:
        """Later; those that were tried too often fail."""
        failed = []
        for run in runs:
            later = self._later.get(run.id)
            tries = 0 if later is None else later.tries
            if tries < len(AGAIN_S):
                self._put_off(run, min(LONGEST_AGAIN_S, max(AGAIN_S[tries], wait_s)), tried=1)
            else:
                failed.append(run.id)
        if failed:
            await self._insist(lambda: self._outbox.fail(failed, note))
            self.run_ended()

    async def _write(self, found: Found, group: Sequence[tuple[Run, Wanted]]) -> None:
        runs = [run for run, _ in group]
        asked = [(run.subscription, wanted) for run, wanted in group]
        drawn = await self._insist(lambda: self._renderer.digests(found, asked))
        results = await self._renderer.rendered(runs, drawn)
        # What a server had deleted while its sources were asked must not come back.
        wanted = await self._insist(lambda: self._outbox.still_asking([run.id for run in runs]))
        shown = [
            one.answer
            for run, one, result in zip(runs, drawn, results, strict=True)
            if result and result.parts and run.id in wanted
        ]
        if shown:
            await self._insist(lambda: self._answers.keep(shown))
        written = [result for result in results if result is not None]
        await self._insist(lambda: self._outbox.write(written))
        faulty = [run.id for run, result in zip(runs, results, strict=True) if result is None]
        if faulty:
            await self._insist(lambda: self._outbox.fail(faulty, notes.OUR_FAULT))
        self._tell(written, faulty)

    def _tell(self, written: Sequence[Rendered], faulty: Sequence[int]) -> None:
        if any(one.parts for one in written):
            self._on_written()
        if faulty or not all(one.parts for one in written):
            self.run_ended()

    async def _insist(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it until the database works; everything here that changes it may be done twice."""
        tries = 0
        while True:
            try:
                return await work()
            except StoreError as error:
                pause_s = STORE_PAUSES_S[min(tries, len(STORE_PAUSES_S) - 1)]
                tries += 1
                _log.warning("digests wait for the database", error=str(error), again_in_s=pause_s)
                await self._clock.sleep(pause_s)

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = beside(work, name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _alone(group: Sequence[tuple[Run, Wanted]]) -> int | None:
    """The server that alone waits for the answer; None: several do."""
    guilds = {run.subscription.guild_id for run, _ in group}
    return guilds.pop() if len(guilds) == 1 else None


def _soonest_s(reports: Sequence[SourceReport]) -> float:
    """When the first of the sources may be asked again, if they all said so."""
    waits = [report.retry_after_s for report in reports]
    return min((wait for wait in waits if wait is not None), default=0.0) if None not in waits else 0.0
