"""Answers. The first databases were made without a revision, so they may have the table already."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table where there is none."""
    if sa.inspect(op.get_bind()).has_table("answers"):
        return
    op.create_table(
        "answers",
        sa.Column("id", sa.String(20), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("body", sa.Text),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_index("answers_by_age", "answers", ["created_at"])
