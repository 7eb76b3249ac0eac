"""``python -m bot backup FILE`` and ``restore FILE``: the database copied, and a copy put in its place."""

from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url

from bot.store import engine as engines
from bot.store.errors import NewerDatabase, StoreError
from bot.store.schema import ANSWERS, REVISIONS


def backup(database_url: str, target: Path) -> str:
    """Copy the database to a new file, also while the bot runs; says what was done. Raises ``StoreError``."""
    engines.copy(make_url(database_url), target)
    return f"The database was copied to {target} ({target.stat().st_size / 1024:,.0f} kB)."


def restore(database_url: str, source: Path, now: datetime) -> str:
    """Put a copy of ``source`` in the database's place, which is kept under another name; says what was done.

    Raises ``StoreError``, and then the database is as it was: when ``source`` is damaged, of a later version or
    none of this program's, and while the bot runs.
    """
    revision, tables = engines.look_into(source)
    if revision is None and ANSWERS.name not in tables:
        raise StoreError(f"{source} holds nothing of this program.")
    if revision is not None and revision not in REVISIONS:
        raise NewerDatabase(f"{source} was made by a later version of this program (revision {revision}).")
    try:
        kept = engines.put_in_place(make_url(database_url), source, now)
    except OSError as error:
        raise StoreError(f"{source} could not be restored: {error}.") from error
    return f"{source} was restored." + ("" if kept is None else f" What was there before is now {kept}.")
