"""Answers to test with."""

from datetime import UTC, datetime, timedelta

from agents.events import Requester, SignalsResponse, SourceReport, SourceRequest, SourceStatus
from agents.signal import AlsoIn, Engagement, Signal
from bot.answer import Answer, Question
from bot.subscription import Plan, State, Subscription

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
QUESTION = Question(sources=(SourceRequest(name="reddit", options={"subreddit": "python"}),), query="types")
TITLES = {"reddit": "Reddit", "hackernews": "Hacker News", "news": "News"}


def signal(number: int = 1, /, **changes: object) -> Signal:
    """A signal with everything known, as a source would give it."""
    return Signal.model_validate(
        {
            "id": f"reddit:t3_{number}",
            "source": "reddit",
            "title": f"Story number {number}",
            "url": f"https://www.example.com/stories/{number}",
            "discussion_url": f"https://www.reddit.com/comments/{number}",
            "origin": "r/python",
            "excerpt": "What it is about, in a sentence.",
            "timestamp": NOON - timedelta(hours=number),
            "engagement": Engagement(points=312, comments=45),
            "score": 0.82,
            "also_in": (AlsoIn(source="hackernews", url="https://news.ycombinator.com/item?id=1", points=99),),
            **changes,
        }
    )


def answer(
    count: int = 12,
    *,
    tenant: str = "81384788765712384",
    question: Question = QUESTION,
    signals: tuple[Signal, ...] | None = None,
    reports: tuple[SourceReport, ...] = (SourceReport(source="reddit", status=SourceStatus.OK, count=40),),
    found: int = 40,
    error: str | None = None,
    created_at: datetime = NOON,
) -> Answer:
    """An answer of ``count`` stories."""
    response = SignalsResponse(
        request_id="0" * 32,
        requester=Requester(kind="discord", tenant=tenant),
        signals=tuple(signal(number) for number in range(count)) if signals is None else signals,
        provider="signals-scout",
        reports=reports,
        found=found,
        error=error,
        occurred_at=created_at,
    )
    return Answer.of(tenant, question, response)


def subscription(*, state: State = State.ACTIVE, due_at: datetime | None = NOON, **plan: object) -> Subscription:
    """A digest that a server has; ``plan`` is what differs from the defaults."""
    return Subscription(
        id="00112233aabbccdd",
        guild_id=81384788765712384,
        plan=Plan.model_validate({"name": "Morning paper", "channel_id": 222333444555666777, **plan}),
        version=1,
        state=state,
        due_at=due_at,
        ran_at=None,
        failures=0,
        problem="",
    )
