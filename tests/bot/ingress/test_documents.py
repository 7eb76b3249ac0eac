"""The OpenAPI document and the schemas are served, valid, and say what the models and the server do."""

from typing import Any

import jsonschema_rs
import pytest

from agents.events import TOPICS, SourceRequest, WorkflowStarted
from bot.ingress.documents import SCHEMA_NAMES, event_schemas, openapi
from bot.ingress.posted import PostedWorkflow
from tests.bot.ingress.port import Port


async def test_both_are_served(port: Port) -> None:
    assert (await port.get("/openapi.json")).body == openapi()
    index = (await port.get("/schemas")).body
    assert list(index) == [topic.name for topic in TOPICS]
    for topic, address in index.items():
        assert (await port.get(address)).body == event_schemas()[SCHEMA_NAMES[topic]]


@pytest.mark.parametrize("name", sorted(event_schemas()))
def test_each_schema_is_one_of_the_dialect_that_it_names(name: str) -> None:
    jsonschema_rs.meta.validate(event_schemas()[name])


def test_events_are_valid_by_their_schema_and_others_are_not() -> None:
    schema = event_schemas()[SCHEMA_NAMES["workflow:started"]]
    event = WorkflowStarted(sources=(SourceRequest(name="reddit", options={"subreddit": "python"}),), query="x")
    encoded = event.model_dump(mode="json")
    jsonschema_rs.validate(schema, encoded)
    assert not jsonschema_rs.is_valid(schema, {**encoded, "digests": "perhaps"})
    assert not jsonschema_rs.is_valid(schema, {**encoded, "query": "x" * 201})


def test_every_reference_leads_somewhere_and_every_operation_is_told() -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [one for inner in value.values() for one in references(inner)]
        return [one for inner in value for one in references(inner)] if isinstance(value, list) else []

    document = openapi()
    for reference in references(document):
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert all(operation["summary"] and operation["responses"] for operation in operations)


def test_every_field_that_may_be_sent_is_one_of_the_event_and_is_explained() -> None:
    fields = PostedWorkflow.model_fields
    assert set(fields) < set(WorkflowStarted.model_fields)
    assert all(field.description for field in fields.values())
