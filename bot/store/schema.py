"""The tables, in SQLAlchemy's terms, for every database that the bot runs on.

What changes here needs a migration and its line in ``REVISIONS``; a test holds the two ways to the same tables.
"""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, String, Table, Text

REVISIONS = ("0001", "0002")
"""Every revision there is, oldest first; a new database is made at the last one."""

METADATA = MetaData()

VERSION = Table("alembic_version", METADATA, Column("version_num", String(32), primary_key=True, nullable=False))
"""One row: the revision that the database is at. Alembic's own table."""

ANSWERS = Table(
    "answers",
    METADATA,
    Column("id", String(20), primary_key=True),
    Column("tenant", String(64), nullable=False),  # a guild's id; "user:" for anybody's own
    Column("question", Text, nullable=False),  # JSON
    Column("body", Text),  # JSON of what was found; NULL once only the question is kept
    Column("created_at", Float, nullable=False),  # seconds since 1970, UTC
    Index("answers_by_age", "created_at"),
    Index("answers_by_tenant", "tenant"),
)

GUILD_SETTINGS = Table(
    "guild_settings",
    METADATA,
    Column("guild_id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),  # grows by one with each change
    Column("body", Text, nullable=False),  # JSON of what differs from the defaults
)

GUILD_CHANGES = Table(
    "guild_changes",
    METADATA,
    Column("guild_id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),  # the one that the change made
    Column("setting", String(40), primary_key=True),  # its name in the model
    Column("at", Float, nullable=False),  # seconds since 1970, UTC
    Column("actor_id", BigInteger, nullable=False),
    Column("action", String(20), nullable=False),
    Column("old", Text, nullable=False),  # JSON
    Column("new", Text, nullable=False),  # JSON
    Index("guild_changes_by_age", "at"),
)

REMOVED_GUILDS = Table(
    "removed_guilds",
    METADATA,
    Column("guild_id", BigInteger, primary_key=True, autoincrement=False),
    Column("removed_at", Float, nullable=False),  # seconds since 1970, UTC
)

PROBES = Table(
    "probes", METADATA, Column("id", Integer, primary_key=True, autoincrement=False), Column("filler", Text)
)
"""Written and emptied again to find out whether there is room."""
