"""Digests: subscriptions, workflows, their runs, and the messages of each."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_COUNTED = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _subscriptions()
    _workflows()
    _runs()


def _subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("guild_id", sa.BigInteger, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("name_key", sa.String(200), nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("due_at", sa.Float),
        sa.Column("ran_at", sa.Float),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.UniqueConstraint("guild_id", "name_key", name="subscriptions_by_name"),
    )
    op.create_index("subscriptions_by_due", "subscriptions", ["state", "due_at"])
    op.create_table(
        "subscription_changes",
        sa.Column("id", _COUNTED, primary_key=True),
        sa.Column("guild_id", sa.BigInteger, nullable=False),
        sa.Column("subscription_id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("actor_id", sa.BigInteger, nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("old", sa.Text),
        sa.Column("new", sa.Text),
    )
    op.create_index("subscription_changes_by_guild", "subscription_changes", ["guild_id", "id"])
    op.create_index("subscription_changes_by_age", "subscription_changes", ["at"])
    op.create_table(
        "leases",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("until", sa.Float, nullable=False),
    )


def _workflows() -> None:
    op.create_table(
        "workflows",
        sa.Column("number", _COUNTED, primary_key=True),
        sa.Column("id", sa.String(100), nullable=False, unique=True),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("origin", sa.String(10), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("guild_id", sa.BigInteger),
        sa.Column("accepted_at", sa.Float, nullable=False),
        sa.Column("begun", sa.Boolean, nullable=False),
        sa.Column("finished_at", sa.Float),
        sqlite_autoincrement=True,
    )
    op.create_index("workflows_by_progress", "workflows", ["begun", "finished_at"])
    op.create_index("workflows_by_guild", "workflows", ["guild_id"])
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(256), primary_key=True),
        sa.Column("workflow_id", sa.String(100), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("webhooks_by_age", "webhooks", ["at"])


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", _COUNTED, primary_key=True),
        sa.Column("workflow", _COUNTED, sa.ForeignKey("workflows.number", ondelete="CASCADE"), nullable=False),
        sa.Column("subscription_id", sa.String(16), nullable=False),
        sa.Column("subscription_name", sa.String(60), nullable=False),
        sa.Column("guild_id", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("items", sa.Integer, nullable=False),
        sa.Column("left_over", sa.Integer, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("since", sa.Float),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("finished_at", sa.Float),
        sa.UniqueConstraint("workflow", "subscription_id", name="runs_of_workflow"),
        sqlite_autoincrement=True,
    )
    op.create_index("runs_by_state", "runs", ["state", "id"])
    op.create_index("runs_by_guild", "runs", ["guild_id", "id"])
    op.create_index("runs_by_subscription", "runs", ["subscription_id", "id"])
    run_id = sa.ForeignKey("runs.id", ondelete="CASCADE")
    op.create_table(
        "parts",
        sa.Column("run_id", _COUNTED, run_id, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("subscription_id", sa.String(16), nullable=False),
        sa.Column("guild_id", sa.BigInteger, nullable=False),
        sa.Column("channel_id", sa.BigInteger, nullable=False),
        sa.Column("forum", sa.Boolean, nullable=False),
        sa.Column("nonce", sa.String(25), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("chart", sa.LargeBinary),
        sa.Column("seen", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("tried_at", sa.Float),
        sa.Column("not_before", sa.Float),
        sa.Column("sent_at", sa.Float),
        sa.Column("message_id", sa.BigInteger),
        sa.Column("problem", sa.Text, nullable=False),
    )
    op.create_index("parts_by_state", "parts", ["state", "not_before"])
    op.create_index("parts_shown", "parts", ["subscription_id", "sent_at"])
    op.create_index("parts_by_guild", "parts", ["guild_id"])
    op.create_table(
        "served_guilds",
        sa.Column("guild_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Float, nullable=False),
    )
