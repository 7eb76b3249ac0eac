"""The demo's ``workflow:started`` is one that the bot's HTTP port takes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from aiohttp import web

from agents.events import WorkflowStarted
from bot.demo_workflow import WorkflowSender
from bot.ingress import posted
from bot.ingress.signatures import Signatures, parse_secrets

Answer = Callable[[], web.Response]


@asynccontextmanager
async def bot_at(sender: WorkflowSender, answer: Answer) -> AsyncIterator[list[WorkflowStarted]]:
    """What the bot does with a request, but for its database: checks who signed, and reads it."""
    told = sender.environment()
    signatures = Signatures(parse_secrets(told["WEBHOOK_SECRET"]), lambda: datetime.now(UTC))
    heard: list[WorkflowStarted] = []

    async def events(request: web.Request) -> web.Response:
        body = await request.read()
        signatures.check(request.headers, body)
        assert request.content_type == "application/json"
        heard.append(posted.read(body, {}))
        return answer()

    app = web.Application()
    app.router.add_post("/events", events)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, told["HTTP_HOST"], int(told["HTTP_PORT"])).start()
    try:
        yield heard
    finally:
        await runner.cleanup()


async def test_it_is_signed_and_starts_every_digest() -> None:
    sender = WorkflowSender()
    accepted = web.json_response({"workflow_id": "0123456789abcdef", "new": True}, status=202)
    async with bot_at(sender, lambda: accepted) as heard:
        said = await sender.send()
    (event,) = heard
    assert event.digests
    assert not event.guild_ids
    assert not event.subscription_ids
    assert said.startswith("The bot started workflow 01234567.")


async def test_what_the_bot_says_against_it_is_told() -> None:
    sender = WorkflowSender()
    refused = web.json_response({"detail": "The database is away."}, status=503)
    async with bot_at(sender, lambda: refused):
        assert await sender.send() == "The bot did not take it: The database is away."


async def test_a_bot_that_is_not_there_is_said_to_be_away() -> None:
    assert "Is it running?" in await WorkflowSender().send()
