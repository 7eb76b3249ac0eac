"""What digests ask the database again and again is found by indexes: no table that grows is read from end to end."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import event

from tests.bot.store.digest_store import DAY, NOON, Clock, Life, rendered, sqlite

GROWING = {"subscriptions", "workflows", "runs", "parts", "webhooks", "served_guilds"}


class Heard:
    """Every statement that the database was given, once each, with values."""

    def __init__(self, life: Life) -> None:
        self.statements: dict[str, Any] = {}
        event.listen(life.database._engine.sync_engine, "before_cursor_execute", self._hear)

    def _hear(self, _connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.split(maxsplit=1)[0] in {"SELECT", "UPDATE", "DELETE", "INSERT"}:
            self.statements[statement] = values[0] if isinstance(values, list) else values


def read_whole(file: Path, statements: dict[str, Any]) -> list[tuple[str, str]]:
    """Tables that are read from end to end, and by which statement."""
    with closing(sqlite3.connect(file)) as connection:
        return [
            (step, statement)
            for statement, values in statements.items()
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            if step.startswith("SCAN ") and step.split()[1] in GROWING and "INDEX" not in step
        ]


async def test_no_growing_table_is_read_whole_while_digests_are_made_and_sent(tmp_path: Path) -> None:
    async with sqlite(tmp_path, Clock())() as life:
        for number in range(3):
            await life.add(f"Digest {number}", guild=number + 1, channel_id=number + 1, due_at=NOON)
        heard = Heard(life)
        await life.subscriptions.hold_lease("schedule", "me", NOON, DAY)
        assert len(await life.subscriptions.due(NOON, 10)) == 3
        await life.started()
        assert await life.outbox.begin_next(10, 10) == 0
        runs = await life.outbox.asking(10)
        await life.outbox.seen([run.subscription.id for run in runs], NOON - DAY)
        await life.outbox.write([rendered(run) for run in runs])
        first, second, third = await life.outbox.claim(NOON, 10, (5,))
        await life.outbox.not_sent(first.run_id, 0, NOON, "busy")
        await life.outbox.unknown(second.run_id, 0, NOON, "dropped")
        await life.outbox.dead(third.run_id, 0, "no access", refused_access=True)
        await life.outbox.interrupted()
        await life.outbox.sent({(one.run_id, 0): 1 for one in (first, second)}, NOON)
        assert len(await life.outbox.finish(NOON)) == 1
    assert len(heard.statements) > 20
    assert read_whole(tmp_path / "signals.db", heard.statements) == []
