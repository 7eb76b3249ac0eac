"""The tables, in SQLAlchemy's terms, for every database that the bot runs on.

What changes here needs a migration and its line in ``REVISIONS``; a test holds the two ways to the same tables.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

REVISIONS = ("0001", "0002", "0003", "0004")
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

_COUNTED = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers only plain integers by itself. The tables with such a key never use a number twice, so that word of
a run that is gone cannot be taken for another's."""

SUBSCRIPTIONS = Table(
    "subscriptions",
    METADATA,
    Column("id", String(16), primary_key=True),
    Column("guild_id", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),  # in the order of adding, within its server
    Column("name", String(60), nullable=False),
    Column("name_key", String(200), nullable=False),  # the name without regard to case
    Column("plan", Text, nullable=False),  # JSON
    Column("version", Integer, nullable=False),
    Column("state", String(10), nullable=False),
    Column("due_at", Float),  # seconds since 1970, UTC, as all times here
    Column("ran_at", Float),
    Column("failures", Integer, nullable=False),
    Column("problem", Text, nullable=False),
    Column("left_over", Text),  # JSON of what had no room and would not be found again; NULL: nothing
    UniqueConstraint("guild_id", "name_key", name="subscriptions_by_name"),
    Index("subscriptions_by_due", "state", "due_at"),
)

SUBSCRIPTION_CHANGES = Table(
    "subscription_changes",
    METADATA,
    Column("id", _COUNTED, primary_key=True),
    Column("guild_id", BigInteger, nullable=False),
    Column("subscription_id", String(16), nullable=False),
    Column("name", String(60), nullable=False),
    Column("at", Float, nullable=False),
    Column("actor_id", BigInteger, nullable=False),
    Column("action", String(20), nullable=False),
    Column("old", Text),  # JSON
    Column("new", Text),  # JSON
    Index("subscription_changes_by_guild", "guild_id", "id"),
    Index("subscription_changes_by_age", "at"),
)

LEASES = Table(
    "leases",
    METADATA,
    Column("name", String(40), primary_key=True),
    Column("owner", String(100), nullable=False),
    Column("until", Float, nullable=False),
)

WORKFLOWS = Table(
    "workflows",
    METADATA,
    Column("number", _COUNTED, primary_key=True),
    Column("id", String(100), nullable=False, unique=True),
    Column("event", Text, nullable=False),  # JSON of workflow:started
    Column("origin", String(10), nullable=False),
    Column("name", String(100), nullable=False),
    Column("guild_id", BigInteger),  # the one that it may concern
    Column("accepted_at", Float, nullable=False),
    Column("begun", Boolean, nullable=False),
    Column("finished_at", Float),
    Index("workflows_by_progress", "begun", "finished_at"),
    Index("workflows_by_guild", "guild_id"),
    sqlite_autoincrement=True,
)

WEBHOOKS = Table(
    "webhooks",
    METADATA,
    Column("id", String(256), primary_key=True),
    Column("workflow_id", String(100), nullable=False),
    Column("at", Float, nullable=False),
    Index("webhooks_by_age", "at"),
)

RUNS = Table(
    "runs",
    METADATA,
    Column("id", _COUNTED, primary_key=True),
    Column("workflow", _COUNTED, ForeignKey("workflows.number", ondelete="CASCADE"), nullable=False),
    Column("subscription_id", String(16), nullable=False),
    Column("subscription_name", String(60), nullable=False),  # which outlives the subscription
    Column("guild_id", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),
    Column("items", Integer, nullable=False),
    Column("left_over", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("since", Float),  # when the last run before it that came to an end began
    Column("started_at", Float, nullable=False),
    Column("finished_at", Float),
    UniqueConstraint("workflow", "subscription_id", name="runs_of_workflow"),
    Index("runs_by_state", "state", "id"),
    Index("runs_by_guild", "guild_id", "id"),
    Index("runs_by_subscription", "subscription_id", "id"),
    sqlite_autoincrement=True,
)

PARTS = Table(
    "parts",
    METADATA,
    Column("run_id", _COUNTED, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("subscription_id", String(16), nullable=False),
    Column("guild_id", BigInteger, nullable=False),
    Column("channel_id", BigInteger, nullable=False),
    Column("forum", Boolean, nullable=False),
    Column("nonce", String(25), nullable=False),
    Column("body", Text, nullable=False),  # JSON; empty once it is sent
    Column("chart", LargeBinary),
    Column("seen", Text, nullable=False),  # JSON: a list of key and title
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tried_at", Float),
    Column("not_before", Float),
    Column("sent_at", Float),
    Column("message_id", BigInteger),
    Column("problem", Text, nullable=False),
    Index("parts_by_state", "state", "not_before"),
    Index("parts_shown", "subscription_id", "sent_at"),
    Index("parts_by_guild", "guild_id"),
)

SERVED_GUILDS = Table(
    "served_guilds",
    METADATA,
    Column("guild_id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),  # when a part of it was last taken to be sent
)

PROBES = Table(
    "probes", METADATA, Column("id", Integer, primary_key=True, autoincrement=False), Column("filler", Text)
)
"""Written and emptied again to find out whether there is room."""
