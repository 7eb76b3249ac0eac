"""The tables, in SQLAlchemy's terms, for every database that the bot runs on."""

from sqlalchemy import Column, Float, Index, MetaData, String, Table, Text

METADATA = MetaData()

ANSWERS = Table(
    "answers",
    METADATA,
    Column("id", String(20), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("question", Text, nullable=False),  # JSON
    Column("body", Text),  # JSON of what was found; NULL once only the question is kept
    Column("created_at", Float, nullable=False),  # seconds since 1970, UTC
    Index("answers_by_age", "created_at"),
)
