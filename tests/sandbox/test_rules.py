"""Every limit, at it and beyond it; and what is noted of what broke one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sandbox.command_rules import check_command, check_set
from sandbox.errors import FieldError, InvalidForm
from sandbox.openapi import find_document
from sandbox.rules import check_layout, check_message
from sandbox.server import LocalDiscord

from .clients import Rest, settle

WIDE = "𝔰"  # one code point, two UTF-16 units, four bytes


def embed(**fields: Any) -> dict[str, Any]:
    return {"embeds": [fields]}


def button(**fields: Any) -> dict[str, Any]:
    return {"type": 2, "style": 1, "label": "x", "custom_id": "x", **fields}


def row(*components: Any) -> dict[str, Any]:
    return {"type": 1, "components": list(components)}


def select(**fields: Any) -> dict[str, Any]:
    return {"type": 3, "custom_id": "s", "options": [{"label": "a", "value": "a"}], **fields}


def options(count: int) -> list[dict[str, str]]:
    return [{"label": str(n), "value": str(n)} for n in range(count)]


def buttons(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [button(custom_id=str(n)) for n in range(start, start + count)]


FIELD = {"name": "n", "value": "v"}
FITS: list[dict[str, Any]] = [
    {"content": WIDE * 2000},
    {"content": "x", "nonce": WIDE * 25},
    {"embeds": [{"description": "d"}] * 10},
    embed(title="t" * 256, description="d" * 4096),
    embed(fields=[FIELD] * 25),
    embed(fields=[{"name": "n" * 256, "value": "v" * 1024}]),
    embed(footer={"text": "f" * 2048}, author={"name": "a" * 256}),
    {"embeds": [{"description": WIDE * 3000}, {"description": WIDE * 3000}]},
    embed(title="t", color=0xFFFFFF, url="https://example.com"),
    {"components": [row(*buttons(5, 5 * n)) for n in range(5)]},
    {"components": [row(button(label="l" * 80, custom_id="c" * 100))]},
    {"components": [row(select(options=options(25), max_values=25))]},
    {"content": "x", "allowed_mentions": {"parse": ["users"], "roles": ["1"]}},
]
BREAKS: list[tuple[dict[str, Any], str]] = [
    ({"content": "x" * 2001}, "content"),
    ({"content": 5}, "content"),
    ({"content": "x", "nonce": "n" * 26}, "nonce"),
    ({"embeds": [{"description": "d"}] * 11}, "embeds"),
    (embed(title="t" * 257), "embeds.0.title"),
    (embed(description="d" * 4097), "embeds.0.description"),
    (embed(fields=[FIELD] * 26), "embeds.0.fields"),
    (embed(fields=[{"name": "n" * 257, "value": "v"}]), "embeds.0.fields.0.name"),
    (embed(fields=[{"name": "n", "value": "v" * 1025}]), "embeds.0.fields.0.value"),
    (embed(fields=[{"name": "", "value": "v"}]), "embeds.0.fields.0.name"),
    (embed(footer={"text": "f" * 2049}), "embeds.0.footer.text"),
    (embed(author={"name": "a" * 257}), "embeds.0.author.name"),
    ({"embeds": [{"description": "d" * 3000}, {"description": "d" * 3001}]}, "embeds"),
    (embed(title="t", url="javascript:alert(1)"), "embeds.0.url"),
    (embed(title="t", color=0x1000000), "embeds.0.color"),
    ({"components": [row(*buttons(1, n)) for n in range(6)]}, "components"),
    ({"components": [row(*buttons(6))]}, "components.0.components"),
    ({"components": [row()]}, "components.0.components"),
    ({"components": [button()]}, "components.0.type"),
    ({"components": [row(button(label="l" * 81))]}, "components.0.components.0.label"),
    ({"components": [row(button(label=None))]}, "components.0.components.0.label"),
    ({"components": [row(button(custom_id=""))]}, "components.0.components.0.custom_id"),
    ({"components": [row(button(custom_id="c" * 101))]}, "components.0.components.0.custom_id"),
    ({"components": [row(button(), button())]}, "components.0.components.1.custom_id"),
    ({"components": [row(button(style=5, custom_id=None))]}, "components.0.components.0.url"),
    ({"components": [row(select(), button())]}, "components.0.components"),
    ({"components": [row(select(options=options(26)))]}, "components.0.components.0.options"),
    ({"components": [row(select(options=[]))]}, "components.0.components.0.options"),
    ({"components": [row(select(max_values=2))]}, "components.0.components.0.max_values"),
    ({"components": [row(select(options=options(1) * 2))]}, "components.0.components.0.options.1.value"),
    ({"components": [{"type": 10, "content": "needs V2"}]}, "components.0.type"),
    ({"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}, "allowed_mentions"),
    ({"content": "x", "allowed_mentions": {"parse": ["all"]}}, "allowed_mentions.parse"),
    ({"flags": 1 << 15, "components": [{"type": 10, "content": "x"}] * 41}, "components"),
    ({"flags": 1 << 15, "components": [{"type": 10, "content": "x" * 2001}] * 2}, "components"),
    ({"flags": 1 << 15, "content": "x", "components": [{"type": 10, "content": "x"}]}, "content"),
]


def broken(body: dict[str, Any]) -> list[str]:
    errors = list(check_message(body))
    if not errors:
        errors = list(
            check_layout(
                body.get("content", ""), body.get("embeds", []), body.get("components"), body.get("flags", 0)
            )
        )
    return [".".join(map(str, error.path)) for error in errors]


@pytest.mark.parametrize("body", FITS)
def test_messages_at_the_limit(body: dict[str, Any]) -> None:
    assert broken(body) == []


@pytest.mark.parametrize(("body", "field"), BREAKS)
def test_messages_beyond_the_limit(body: dict[str, Any], field: str) -> None:
    assert field in broken(body)


def command(**fields: Any) -> dict[str, Any]:
    return {"name": "c", "description": "d", **fields}


def option(**fields: Any) -> dict[str, Any]:
    return {"type": 3, "name": "o", "description": "d", **fields}


def named(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [option(name=f"o{n}", **fields) for n in range(count)]


def choices(count: int, size: int = 1) -> list[dict[str, str]]:
    return [{"name": str(n).ljust(size, "x"), "value": str(n)} for n in range(count)]


@pytest.mark.parametrize(
    "definition",
    [
        command(name="c" * 32, description="d" * 100),
        command(name="größe-2_x"),
        command(options=named(25)),
        command(options=[option(choices=choices(25))]),
        command(options=[option(required=True), option(name="p")]),
        command(options=[option(type=2, options=[option(type=1, options=[option()])])]),
        {"type": 2, "name": "Any Case And Spaces"},
        command(options=named(10, choices=[{"name": "x" * 70, "value": "y"}])),
    ],
)
def test_commands_at_the_limit(definition: dict[str, Any]) -> None:
    assert check_command(definition, ()) == []


@pytest.mark.parametrize(
    ("definition", "field"),
    [
        (command(name="Upper"), "name"),
        (command(name="c" * 33), "name"),
        (command(name=""), "name"),
        (command(name="with space"), "name"),
        (command(name=None), "name"),
        (command(description=""), "description"),
        (command(description="d" * 101), "description"),
        (command(options=named(26)), "options"),
        (command(options=[option(), option()]), "options"),
        (command(options=[option(name="UP")]), "options.0.name"),
        (command(options=[option(choices=choices(26))]), "options.0.choices"),
        (command(options=[option(choices=choices(1, 101))]), "options.0.choices.0.name"),
        (command(options=[option(type=4, choices=choices(1))]), "options.0.choices.0.value"),
        (command(options=[option(choices=choices(1), autocomplete=True)]), "options.0.autocomplete"),
        (command(options=[option(), option(name="p", required=True)]), "options.1"),
        (command(options=[option(type=1), option(name="p")]), "options"),
        (command(options=[option(type=1, options=[option(type=1, options=[option(type=1)])])]), "options.0.options"),
        (command(options=[option(type=99)]), "options.0.type"),
        (command(contexts=[0, 0]), "contexts"),
        (command(integration_types=[7]), "integration_types"),
        (command(options=[option(name=f"o{n}", choices=choices(25, 90)) for n in range(4)]), ""),
        ({"type": 2, "name": "x", "description": "not here"}, "description"),
        ("text", ""),
    ],
)
def test_commands_beyond_the_limit(definition: Any, field: str) -> None:
    assert field in [".".join(map(str, error.path)) for error in check_command(definition, ())]


def test_sets_of_commands() -> None:
    hundred = [command(name=f"c{n}") for n in range(100)]
    assert check_set([*hundred, *({"type": 2, "name": f"m{n}"} for n in range(15))]) == []
    assert check_set([*hundred, command(name="more")])
    assert check_set([{"type": 3, "name": f"m{n}"} for n in range(16)])
    assert check_set([command(), command()])
    assert check_set([command(), {"type": 2, "name": "c"}]) == []


def test_errors_nest_as_discords_do() -> None:
    error = InvalidForm([FieldError(("embeds", 0, "title"), "CODE", "message")])
    assert error.body() == {
        "message": "Invalid Form Body",
        "code": 50035,
        "errors": {"embeds": {"0": {"title": {"_errors": [{"code": "CODE", "message": "message"}]}}}},
    }


@pytest.fixture(params=[None, "auto"])
async def local(request: pytest.FixtureRequest) -> AsyncIterator[LocalDiscord]:
    if request.param == "auto" and find_document() is None:
        pytest.skip("Discord's OpenAPI document is not beside the project")
    async with LocalDiscord(openapi=request.param, enforce_limits=False) as server:
        yield server


async def test_what_breaks_a_rule_is_refused_and_noted(rest: Rest, local: LocalDiscord) -> None:
    place = settle(local)
    for body, field in BREAKS:
        local.violations.clear()
        answer = await rest.post(place.channel, **body)
        assert (answer.status, answer.body["code"]) == (400, 50035), body
        assert field in [violation.field for violation in local.violations], (body, local.violations)
    assert not place.channel.messages


async def test_of_what_breaks_rules_the_first_are_kept_and_all_are_counted(
    rest: Rest, local: LocalDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.rest.pipeline.VIOLATIONS_KEPT", 2)
    place = settle(local)
    for length in (2001, 2002, 2003, 2004):
        await rest.post(place.channel, content="x" * length)
    assert [len(violation.body["content"]) for violation in local.violations] == [2001, 2002]
    assert local.violation_count == 4
    local.reset()
    assert (local.violations, local.violation_count) == ([], 0)


async def test_what_keeps_the_rules_passes(rest: Rest, local: LocalDiscord) -> None:
    place = settle(local)
    for body in FITS:
        assert (await rest.post(place.channel, **body)).status == 200, body
    assert local.violations == []


@pytest.mark.parametrize("body", [{}, {"content": " \n"}, {"embeds": []}, {"embeds": [{}]}, {"content": None}])
async def test_empty_messages_are_refused(rest: Rest, local: LocalDiscord, body: dict[str, Any]) -> None:
    answer = await rest.post(settle(local).channel, **body)
    assert (answer.status, answer.body["code"]) == (400, 50006)


async def test_the_document_finds_what_the_rules_do_not_know(rest: Rest) -> None:
    if find_document() is None:
        pytest.skip("Discord's OpenAPI document is not beside the project")
    async with LocalDiscord() as local:
        place = settle(local)
        answer = await Rest(rest.session, local).post(place.channel, content="x", tts="loud")
        assert answer.status == 400
        assert [(v.by, v.field) for v in local.violations] == [("openapi", "tts")]
    async with LocalDiscord(validate=False) as unchecked:
        place = settle(unchecked)
        assert (await Rest(rest.session, unchecked).post(place.channel, content="x", tts="loud")).status == 200
