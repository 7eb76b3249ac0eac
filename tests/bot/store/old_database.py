"""Databases as earlier versions of this program made them, and damaged ones."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.bot import samples


def unversioned(file: Path) -> None:
    """As made before there were revisions: answers alone, one of them a user's own."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(
            "CREATE TABLE answers (id VARCHAR(20) NOT NULL, tenant VARCHAR(64) NOT NULL, question TEXT NOT NULL, "
            "body TEXT, created_at FLOAT NOT NULL, PRIMARY KEY (id))"
        )
        connection.execute("CREATE INDEX answers_by_age ON answers (created_at)")
        question = samples.QUESTION.model_dump_json()
        for number, tenant in enumerate(("81384788765712384", "user:110373943822540800", "user:7")):
            connection.execute(
                "INSERT INTO answers VALUES (?, ?, ?, NULL, ?)",
                (f"{number:020}", tenant, question, samples.NOON.timestamp()),
            )


def look(file: Path) -> tuple[str | None, list[str], list[str]]:
    """The revision, the names of all tables and indexes with their columns, and the tenants of answers."""
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        made = []
        for kind, name in connection.execute("SELECT type, name FROM sqlite_schema ORDER BY type, name").fetchall():
            pragma = "table_info" if kind == "table" else "index_xinfo"
            columns = connection.execute(f"PRAGMA {pragma}({name})").fetchall()
            made.append(f"{kind} {name}: {sorted(columns)}")
        has_revision = any(one.startswith("table alembic_version:") for one in made)
        revision = (
            connection.execute("SELECT version_num FROM alembic_version").fetchone()[0] if has_revision else None
        )
        has_answers = any(one.startswith("table answers:") for one in made)
        tenants = [t for (t,) in connection.execute("SELECT tenant FROM answers ORDER BY id")] if has_answers else []
    return revision, made, tenants
