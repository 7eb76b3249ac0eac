"""What strangers may send: ``workflow:started`` and nothing else, each field of it checked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.errors import InvalidOption, UnknownSource
from agents.events import LONGEST_QUERY, SourceRequest, WorkflowStarted
from agents.source import SourceSpec
from agents.text import plain
from bot.ingress import strict_json

_MOST_PROBLEMS = 20
_LONGEST_POINTER = 200
_MOST_IDS = 1000
_IN_WORDS = {"extra_forbidden": "There is no such field", "model_type": "Input should be an object"}
"""Instead of pydantic's words."""

Snowflake = Annotated[str, Field(pattern="^[1-9][0-9]{0,18}$")]
SubscriptionId = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


class _Posted(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PostedSource(_Posted):
    """A source and its options."""

    name: str = Field(max_length=40, description="As in /signals", examples=["reddit"])
    options: dict[str, str] = Field(
        default_factory=dict,
        max_length=10,
        description="As in the source's command",
        examples=[{"subreddit": "python"}],
    )


class PostedWorkflow(_Posted):
    """A workflow to be started. Its id is given by the bot, so that nobody can guess or take another's."""

    auto_discovery: bool = Field(False, description="true: agents look at the sources unasked as well")
    digests: bool = Field(True, description="false: no server gets a digest")
    sources: list[PostedSource] = Field(
        default_factory=list, max_length=10, description="Asked instead of the digests' own; empty: the usual ones"
    )
    query: str | None = Field(
        None, max_length=LONGEST_QUERY, description="Asked instead of the digests' own; null: as usual"
    )
    guild_ids: list[Snowflake] = Field(
        default_factory=list, max_length=_MOST_IDS, description="Only these servers; empty: all"
    )
    subscription_ids: list[SubscriptionId] = Field(
        default_factory=list, max_length=_MOST_IDS, description="Exactly these digests; empty: all active ones"
    )


class PostedEvent(_Posted):
    """The body of ``POST /events``."""

    type: Literal["workflow:started"]
    data: PostedWorkflow


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where (a JSON Pointer, RFC 6901, as a fragment)."""

    pointer: str
    detail: str


class Unacceptable(Exception):
    """The body is not what it should be."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.pointer}: {problem.detail}" for problem in problems))
        self.problems = tuple(problems)


def read(body: bytes, sources: Mapping[str, SourceSpec]) -> WorkflowStarted:
    """The event that a body asks for, with an id of its own. Raises ``Unacceptable``."""
    try:
        posted = PostedEvent.model_validate(strict_json.loads(body.decode()))
    except ValidationError as error:
        raise Unacceptable(list(_problems(error))) from error
    except ValueError as error:
        raise Unacceptable([Problem("#", str(error))]) from error
    data = posted.data
    return WorkflowStarted(
        auto_discovery=data.auto_discovery,
        digests=data.digests,
        sources=tuple(_source(number, asked, sources) for number, asked in enumerate(data.sources)),
        query=plain(data.query, LONGEST_QUERY),
        guild_ids=tuple(data.guild_ids),
        subscription_ids=tuple(data.subscription_ids),
    )


def _source(number: int, asked: PostedSource, sources: Mapping[str, SourceSpec]) -> SourceRequest:
    place = ("data", "sources", number)
    spec = sources.get(asked.name)
    if spec is None:
        raise Unacceptable([Problem(_pointer((*place, "name")), UnknownSource(asked.name, tuple(sources)).sentence)])
    try:
        return SourceRequest(name=spec.name, options=spec.parse_options(asked.options))
    except InvalidOption as error:
        raise Unacceptable([Problem(_pointer((*place, "options", error.option)), error.sentence)]) from error


def _problems(error: ValidationError) -> Iterator[Problem]:
    for found in error.errors(include_url=False, include_input=False, include_context=False)[:_MOST_PROBLEMS]:
        yield Problem(_pointer(found["loc"]), _IN_WORDS.get(found["type"], found["msg"]))


def _pointer(place: Sequence[int | str]) -> str:
    escaped = (str(step).replace("~", "~0").replace("/", "~1") for step in place)
    return "".join(("#", *(f"/{step}" for step in escaped)))[:_LONGEST_POINTER]
