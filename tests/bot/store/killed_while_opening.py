"""Opens copies of an old database, each in a process that is killed at another instant; prints what was left.

Run as a script with a directory that has ``old.db`` in it. Forks from one thread, with everything imported.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from sqlalchemy import Engine, event

from bot.store.database import Database

WAYS = 4


def opening(file: Path) -> None:
    async def main() -> None:
        async with Database(f"sqlite+aiosqlite:///{file}"):
            pass

    asyncio.run(main())


def die_at_statement(number: int) -> None:
    seen = 0

    def count(*_args: object) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", count)
    event.listen(Engine, "commit", count)


def forked(file: Path, statement: int = 0, delay_s: float = 0.0) -> int:
    """The exit status of a process that opened the database, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        if statement:
            die_at_statement(statement)
        opening(file)
        os._exit(0)
    if delay_s:
        time.sleep(delay_s)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    directory = Path(sys.argv[1])
    import alembic.command
    import alembic.config  # noqa: F401

    outcomes = []
    statement = 0
    ended = -9
    while ended == -9:
        statement += 1
        file = directory / f"statement-{statement}" / "signals.db"
        file.parent.mkdir()
        shutil.copy(directory / "old.db", file)
        ended = forked(file, statement=statement)
        outcomes.append((str(file), ended, forked(file)))
    for way in range(WAYS):
        file = directory / f"moment-{way}" / "signals.db"
        file.parent.mkdir()
        shutil.copy(directory / "old.db", file)
        outcomes.append((str(file), forked(file, delay_s=0.015 * way + 0.005), forked(file)))
    sys.stdout.write(json.dumps(outcomes))


if __name__ == "__main__":
    main()
