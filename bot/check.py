"""``python -m bot check``: what is configured, what is missing, and how to fix it; no secret is ever printed."""

import asyncio
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import aiohttp
from pydantic_settings import DotEnvSettingsSource

from agents.settings import SourceSettings
from agents.source import Source
from bot.ingress.health import SERVICE
from bot.ingress.server import why_not
from bot.ingress.signatures import parse_secrets
from bot.settings import Settings
from bot.store.database import prospects
from bot.store.errors import StoreError

ASK_TIMEOUT_S = 10.0
ASK_NEAR_S = 1.0
"""What is on this machine."""


class Verdict(StrEnum):
    """How one thing stands."""

    GOOD = "ok"
    OFF = "off"
    BAD = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the check; a ``BAD`` one keeps the bot from running."""

    what: str
    verdict: Verdict
    sentence: str


async def check(settings: Settings, sources: tuple[Source, ...], *, offline: bool) -> list[Finding]:
    """Everything that can be found out without starting; asks Discord whether the token is good, unless offline."""
    found = [await _token(settings, offline=offline), _database(settings.database_url)]
    found.append(Finding("text commands", *_text_commands(settings)))
    found.append(await _port(settings))
    found.append(Finding("POST /events", *_events(settings)))
    found.extend(_sources(sources))
    found.append(Finding("traces", *_traces(settings)))
    return found


async def _token(settings: Settings, *, offline: bool) -> Finding:
    token = settings.discord_token.get_secret_value()
    if not token:
        fix = "set DISCORD_TOKEN to the bot's token from the Discord developer portal (Bot, then Reset Token)"
        return Finding("DISCORD_TOKEN", Verdict.BAD, fix)
    if offline:
        return Finding("DISCORD_TOKEN", Verdict.GOOD, "set; Discord was not asked")
    try:
        timeout = aiohttp.ClientTimeout(total=ASK_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{settings.discord_api_url}/users/@me", headers={"Authorization": f"Bot {token}"}) as answer,
        ):
            status = answer.status
            name = str((await answer.json()).get("username", "")) if status == 200 else ""
    except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as error:
        sentence = f"{settings.discord_api_url} cannot be reached ({type(error).__name__}): check the network"
        return Finding("DISCORD_API_URL", Verdict.BAD, sentence)
    if status == 200:
        return Finding("DISCORD_TOKEN", Verdict.GOOD, f"Discord knows it as {name}")
    if status == 401:
        fix = "Discord does not accept it: copy it again from the developer portal (Bot, then Reset Token)"
        return Finding("DISCORD_TOKEN", Verdict.BAD, fix)
    return Finding("DISCORD_API_URL", Verdict.BAD, f"answered with status {status}: try again in a moment")


def _database(database_url: str) -> Finding:
    try:
        return Finding("DATABASE_URL", Verdict.GOOD, prospects(database_url))
    except StoreError as error:
        return Finding("DATABASE_URL", Verdict.BAD, str(error))


def _text_commands(settings: Settings) -> tuple[Verdict, str]:
    if settings.text_commands:
        return Verdict.GOOD, "people may also mention the bot"
    return Verdict.OFF, "slash commands only; TEXT_COMMANDS=true answers mentions too"


async def _port(settings: Settings) -> Finding:
    host, port = settings.http_host, settings.http_port
    if not port:
        return Finding("HTTP_PORT", Verdict.OFF, "no health checks and no POST /events; 8080 is usual")
    try:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port)
    except OSError as error:
        if await _listens_already(host, port):
            return Finding("HTTP_PORT", Verdict.GOOD, f"{host}:{port} is taken by a bot of this kind, which runs")
        variable, _, sentence = why_not(error, host, port).partition(": ")
        return Finding(variable, Verdict.BAD, sentence)
    server.close()
    await server.wait_closed()
    return Finding("HTTP_PORT", Verdict.GOOD, f"{host}:{port} is free")


async def _listens_already(host: str, port: int) -> bool:
    """Whether what is there says of itself that it is this program."""
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - where it listens, not we
    address = f"http://[{near}]:{port}/healthz" if ":" in near else f"http://{near}:{port}/healthz"
    timeout = aiohttp.ClientTimeout(total=ASK_NEAR_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(address) as answer,
        ):
            return answer.status == 200 and (await answer.json()).get("service") == SERVICE
    except (OSError, aiohttp.ClientError, TimeoutError, ValueError, AttributeError):
        return False


def _events(settings: Settings) -> tuple[Verdict, str]:
    secrets = len(parse_secrets(settings.webhook_secret.get_secret_value()))
    if not secrets:
        return Verdict.OFF, "WEBHOOK_SECRET turns it on; docs/webhooks.md shows how to make one"
    if not settings.http_port:
        return Verdict.OFF, "WEBHOOK_SECRET is set, but HTTP_PORT is 0"
    return Verdict.GOOD, "signed by the secret" if secrets == 1 else f"signed by any of {secrets} secrets"


def _sources(sources: tuple[Source, ...]) -> Iterator[Finding]:
    for source in sources:
        reason = source.unavailable()
        if reason is not None:
            yield Finding(source.spec.name, Verdict.OFF, reason)
        else:
            more = source.spec.setup
            yield Finding(source.spec.name, Verdict.GOOD, f"ready; for more set {more}" if more else "ready")


def _traces(settings: Settings) -> tuple[Verdict, str]:
    if settings.otel_exporter_otlp_endpoint:
        return Verdict.GOOD, "sent to OTEL_EXPORTER_OTLP_ENDPOINT"
    return Verdict.OFF, "set OTEL_EXPORTER_OTLP_ENDPOINT to send them to a collector"


def misspelt() -> list[str]:
    """What is set, here and now, that looks as if it were meant for us and is not."""
    return unknown_variables(os.environ, DotEnvSettingsSource(Settings).env_vars)


def unknown_variables(environment: Iterable[str], file: Iterable[str] = ()) -> list[str]:
    """Names that are none of ours, in upper case: all of those in ``.env``, and of others those that look like ours.

    A misspelling would otherwise be silent.
    """
    known = {name.upper() for name in (*Settings.model_fields, *SourceSettings.model_fields)}
    ours = (
        "DISCORD_",
        "REDDIT_",
        "HACKERNEWS_",
        "X_API",
        "X_BEARER",
        "X_DAILY",
        "BLUESKY_",
        "MASTODON_",
        "GITHUB_TOK",
        "STACKEXCHANGE_",
        "LOBSTERS_",
        "YOUTUBE_",
        "ARXIV_",
        "GDELT_",
        "NEWS_",
        "GUILD_",
        "FETCH_",
        "HTTP_HOST",
        "HTTP_PORT",
        "WEBHOOK_",
    )
    alike = {name.upper() for name in environment if name.upper().startswith(ours)}
    return sorted((alike | {name.upper() for name in file}) - known)


def run_check(settings: Settings, sources: tuple[Source, ...], *, offline: bool) -> list[Finding]:
    """``check``, from a program that has no loop yet."""
    return asyncio.run(check(settings, sources, offline=offline))
