"""What a digest had no room for, and the next one would not find again."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Room for it."""
    op.add_column("subscriptions", sa.Column("left_over", sa.Text))
