"""Answers of the last days, kept for the buttons under them.

Written behind: ``put`` only remembers; a task of the store writes batches. Whatever happens to the database, an
answer given now can be paged through now, from memory; what suffers is logged and counted.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from sqlalchemy import RowMapping, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from agents.events import SourceReport, utc_now
from agents.signal import Frozen, LeftOut, Signal
from agents.telemetry import logger
from bot.answer import Answer, Question, answer_id, signals_digest
from bot.recent import Recent
from bot.store.database import Database
from bot.store.errors import StoreError
from bot.store.group_commit import GroupCommit
from bot.store.schema import ANSWERS
from bot.tasks import beside

KEEP_ANSWER = timedelta(days=7)
KEEP_QUESTION = timedelta(days=90)

_REWRITE_AFTER_S = 3600.0
"""An answer given again is written again only after this long: it only moves the day on which it is forgotten."""
_PURGE_EVERY_S = 3600.0
_BATCH = 100
_FORGOTTEN = 1000
_NOBODY = "user:"
"""In the place of a user's tenant in the database: it keeps no user ids, and nothing asks for this one."""


@dataclass(frozen=True, slots=True)
class Expired:
    """The answer is gone, but what was asked is known."""

    tenant: str
    question: Question


class _Body(Frozen):
    signals: tuple[Signal, ...]
    reports: tuple[SourceReport, ...]
    found: int
    error: str | None = None
    left_out: tuple[LeftOut, ...] = ()


@dataclass(slots=True)
class StoreCounts:
    """What happened since the start."""

    written: int = 0
    dropped: int = 0
    """Answers that were never saved: too many waited, or the time to close was over."""
    write_failures: int = 0
    read_failures: int = 0


class AnswerStore:
    """Keeps answers for 7 days and their questions for 90; use as an async context manager.

    At most ``waiting`` answers wait to be written (the oldest is dropped), ``remembered`` stay in memory. Every
    ``pause_s`` at most one batch is written; after a failure the wait grows up to a minute.
    """

    def __init__(
        self,
        database: Database,
        *,
        remembered: int = 500,
        waiting: int = 1000,
        pause_s: float = 0.5,
        read_timeout_s: float = 1.5,
        close_timeout_s: float = 3.0,
        keep_timeout_s: float = 15.0,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = StoreCounts()
        self._database = database
        self._line = GroupCommit(database, "answer-store-keeper", timeout_s=keep_timeout_s)
        self._remembered = remembered
        self._forgotten = 0
        self._forgotten_at: Recent[str, datetime] = Recent(_FORGOTTEN)
        """When a tenant's answers were last forgotten: what was found before must not be kept after."""
        self._recent: Recent[str, Answer] = Recent(remembered)
        self._written_at: Recent[str, float] = Recent(remembered)
        self._waiting: OrderedDict[str, Answer] = OrderedDict()
        self._most_waiting = waiting
        self._pause_s = pause_s
        self._read_timeout_s = read_timeout_s
        self._close_timeout_s = close_timeout_s
        self._now = now
        self._monotonic = monotonic
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._purged_at: float | None = None
        self._log = logger("bot.store")

    async def __aenter__(self) -> Self:
        self._writer = beside(self._write_behind(), "answer-store-writer")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def put(self, answer: Answer) -> None:
        """Remember an answer at once and write it soon; never waits, never fails."""
        if self._is_forgotten(answer):
            return
        self._recent.put(answer.id, answer)
        written_at = self._written_at.get(answer.id)
        if written_at is not None and self._monotonic() - written_at < _REWRITE_AFTER_S:
            return
        self._waiting[answer.id] = answer
        if len(self._waiting) > self._most_waiting:
            self._waiting.popitem(last=False)
            self.counts.dropped += 1
        self._wake.set()

    async def keep(self, answers: Sequence[Answer]) -> None:
        """Write these now, and remember them; for what must not be shown before it is kept. Raises ``StoreError``."""
        encoded = await asyncio.to_thread(
            lambda: [(answer, row) for answer in answers if (row := self._encode(answer)) is not None]
        )
        await self._line.do(self._keep_all, encoded)
        self.counts.written += len(encoded)
        for answer in answers:
            if not self._is_forgotten(answer):
                self._recent.put(answer.id, answer)

    async def get(self, answer_id: str) -> Answer | Expired | None:
        """The answer; ``Expired`` after 7 days; None when unknown, after 90 days, or when the database fails."""
        answer = self._recent.get(answer_id) or self._waiting.get(answer_id)
        return await self._read(answer_id) if answer is None else self._aged(answer)

    async def newest(self, tenant: str, limit: int) -> tuple[Answer, ...]:
        """A tenant's answers, newest first; of a user's own, and where the database fails, those in memory."""
        known = {answer.id: answer for answer in self._recent.newest() if answer.tenant == tenant}
        if tenant.isdecimal():
            query = select(ANSWERS).where(ANSWERS.c.tenant == tenant, ANSWERS.c.body.is_not(None))
            query = query.order_by(ANSWERS.c.created_at.desc()).limit(limit)
            try:
                async with self._database.reading(self._read_timeout_s) as connection:
                    rows = (await connection.execute(query)).mappings().all()
                stored = [answer for answer in map(_readable, rows) if answer is not None]
            except StoreError as error:
                self.counts.read_failures += 1
                self._log.warning("answers could not be read", error=_first_line(error))
                stored = []
            known = {**{answer.id: answer for answer in stored}, **known}
        found = [answer for answer in known.values() if isinstance(self._aged(answer), Answer)]
        return tuple(sorted(found, key=lambda answer: answer.created_at, reverse=True)[:limit])

    async def close(self) -> None:
        """Write what waits, for at most ``close_timeout_s``. Closing twice is harmless."""
        await self._line.close()
        writer, self._writer = self._writer, None
        if writer is None:
            return
        self._closing.set()
        self._wake.set()
        try:
            async with asyncio.timeout(self._close_timeout_s):
                await writer
        except TimeoutError:
            self._log.warning("answers not saved in time", answers=len(self._waiting))
        finally:
            self.counts.dropped += len(self._waiting)
            self._waiting.clear()

    def forget(self, tenant: str) -> None:
        """Drop a tenant's answers from memory, also those that wait to be written; their rows are the caller's."""
        self._forgotten += 1
        self._forgotten_at.put(tenant, self._now())
        self._recent.forget_where(lambda answer: answer.tenant == tenant)
        for known in [answer.id for answer in self._waiting.values() if answer.tenant == tenant]:
            del self._waiting[known]
        self._written_at = Recent(self._remembered)

    async def delete_personal(self, tenant: str) -> int:
        """Delete the answers that a user's tenant was given in the last 7 days; how many.

        The database does not say whose they are. But their ids are made from the tenant and all that they show, so
        for this tenant they can be found again. Raises ``StoreError``; some may be deleted then.
        """
        async with self._database.writing():  # while no batch can be written
            self.forget(tenant)
        deleted, last_id = 0, ""
        while rows := await self._unnamed(last_id):
            last_id = rows[-1]["id"]
            own = await asyncio.to_thread(_own, tenant, rows)
            if own:
                async with self._database.writing() as connection:
                    await connection.execute(delete(ANSWERS).where(ANSWERS.c.id.in_(own)))
            deleted += len(own)
        return deleted

    async def _unnamed(self, after_id: str) -> Sequence[RowMapping]:
        """The next answers that were given to some user, in order of their ids."""
        wanted = (ANSWERS.c.tenant == _NOBODY) & ANSWERS.c.body.is_not(None) & (ANSWERS.c.id > after_id)
        query = select(ANSWERS).where(wanted).order_by(ANSWERS.c.id).limit(_BATCH)
        async with self._database.reading(self._read_timeout_s) as connection:
            return (await connection.execute(query)).mappings().all()

    def _aged(self, answer: Answer) -> Answer | Expired | None:
        age = self._now() - answer.created_at
        if age < KEEP_ANSWER:
            return answer
        return Expired(answer.tenant, answer.question) if age < KEEP_QUESTION else None

    async def _read(self, answer_id: str) -> Answer | Expired | None:
        forgotten = self._forgotten
        try:
            async with self._database.reading(self._read_timeout_s) as connection:
                row = (await connection.execute(select(ANSWERS).where(ANSWERS.c.id == answer_id))).mappings().first()
            stored = None if row is None else _stored(row)
        except (StoreError, ValueError) as error:  # ValueError: a row that another version wrote in another form
            self.counts.read_failures += 1
            self._log.warning("an answer could not be read", answer_id=answer_id, error=_first_line(error))
            return None
        found = self._aged(stored) if isinstance(stored, Answer) else stored
        if isinstance(found, Answer) and forgotten == self._forgotten:
            self._recent.put(answer_id, found)
        return found

    async def _write_behind(self) -> None:
        failures = 0
        while not (self._closing.is_set() and not self._waiting):
            worked = await self._try_to_write()
            failures = 0 if worked else failures + 1
            if self._closing.is_set():
                if not worked:
                    return
                continue
            if worked and not self._waiting:
                await self._wake.wait()
            await self._pause(min(60.0, self._pause_s * 2 ** min(failures, 10)))

    async def _pause(self, seconds: float) -> None:
        """Let a batch gather; closing ends the pause."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    async def _try_to_write(self) -> bool:
        self._wake.clear()
        try:
            await self._purge()
            await self._write()
        except StoreError as error:
            self.counts.write_failures += 1
            self._log.warning("answers could not be saved", waiting=len(self._waiting), error=str(error))
            return False
        return True

    async def _write(self) -> None:
        if not self._waiting:
            return
        batch = [answer for answer, _ in zip(self._waiting.values(), range(_BATCH), strict=False)]
        encoded = [(answer, row) for answer in batch if (row := self._encode(answer)) is not None]
        async with self._database.writing() as connection:
            # Chosen again: while this waited for its turn, a tenant's answers may have been forgotten.
            rows = [row for answer, row in encoded if self._waiting.get(answer.id) is answer]
            await _replace(connection, rows)
        self.counts.written += len(rows)
        written_at = self._monotonic()
        for answer in batch:
            if self._waiting.get(answer.id) is answer:
                self._written_at.put(answer.id, written_at)
                del self._waiting[answer.id]

    async def _keep_all(
        self, connection: AsyncConnection, several: Sequence[Sequence[tuple[Answer, dict[str, object]]]]
    ) -> Sequence[None]:
        await _replace(
            connection, [row for encoded in several for answer, row in encoded if not self._is_forgotten(answer)]
        )
        return [None] * len(several)

    def _is_forgotten(self, answer: Answer) -> bool:
        forgotten_at = self._forgotten_at.get(answer.tenant)
        return forgotten_at is not None and answer.created_at < forgotten_at

    def _encode(self, answer: Answer) -> dict[str, object] | None:
        try:
            return _row(answer)
        except ValueError as error:
            self.counts.dropped += 1
            self._log.warning("an answer cannot be written as JSON", answer_id=answer.id, error=_first_line(error))
            return None

    async def _purge(self) -> None:
        """Forget answers and questions whose time is over; once an hour."""
        if self._purged_at is not None and self._monotonic() - self._purged_at < _PURGE_EVERY_S:
            return
        now = self._now()
        age = ANSWERS.c.created_at
        async with self._database.writing() as connection:
            await connection.execute(delete(ANSWERS).where(age < (now - KEEP_QUESTION).timestamp()))
            old = (age < (now - KEEP_ANSWER).timestamp()) & ANSWERS.c.body.is_not(None)
            await connection.execute(update(ANSWERS).where(old).values(body=None))
        self._purged_at = self._monotonic()


async def _replace(connection: AsyncConnection, rows: Sequence[dict[str, object]]) -> None:
    by_id = {row["id"]: row for row in rows}
    await connection.execute(delete(ANSWERS).where(ANSWERS.c.id.in_(list(by_id))))
    if by_id:
        await connection.execute(ANSWERS.insert(), list(by_id.values()))


def _stored(row: RowMapping) -> Answer | Expired:
    question = Question.model_validate_json(row["question"])
    if row["body"] is None:
        return Expired(row["tenant"], question)
    body = _Body.model_validate_json(row["body"])
    return Answer(
        id=row["id"],
        tenant=row["tenant"],
        question=question,
        signals=body.signals,
        reports=body.reports,
        found=body.found,
        error=body.error,
        left_out=body.left_out,
        created_at=datetime.fromtimestamp(row["created_at"], UTC),
    )


def _readable(row: RowMapping) -> Answer | None:
    """None for a row that another version wrote in another form."""
    try:
        stored = _stored(row)
    except ValueError:
        return None
    return stored if isinstance(stored, Answer) else None


def _own(tenant: str, rows: Iterable[RowMapping]) -> list[str]:
    """The ids of those rows that were given to the tenant."""
    return [row["id"] for row in rows if _id_of(tenant, row) == row["id"]]


def _id_of(tenant: str, row: RowMapping) -> str | None:
    try:
        kept = _stored(row)
    except ValueError:  # written by another version in another form
        return None
    if not isinstance(kept, Answer):
        return None
    return answer_id(tenant, kept.question, signals_digest(kept.signals), kept.reports, kept.found, kept.error)


def _row(answer: Answer) -> dict[str, object]:
    body = _Body.model_construct(
        signals=answer.signals,
        reports=answer.reports,
        found=answer.found,
        error=answer.error,
        left_out=answer.left_out,
    )
    return {
        "id": answer.id,
        "tenant": answer.tenant if answer.tenant.isdecimal() else _NOBODY,
        "question": answer.question.model_dump_json(),
        "body": body.model_dump_json(),
        "created_at": answer.created_at.timestamp(),
    }


def _first_line(error: BaseException) -> str:
    """Without the statement and its values, which SQLAlchemy puts on the lines after."""
    return str(error).partition("\n")[0] or type(error).__name__
