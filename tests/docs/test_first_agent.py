"""The agent of docs/first-agent.md does what the guide says, alone on a bus, with a scout, and beside the bot."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from agents import telemetry
from agents.agent import AgentConfig
from agents.bus.memory import MemoryBus
from agents.events import (
    SIGNALS_DISCOVERED,
    SIGNALS_REQUESTED,
    SIGNALS_RESPONSE,
    Requester,
    SignalsDiscovered,
    SignalsRequested,
    SignalsResponse,
)
from agents.fetch.request import Fetch
from agents.resilience.guard import ResilienceConfig, ScanGuard
from agents.scout import SignalsScout
from agents.signal import Signal
from agents.source import Question, Scan, SourceSpec
from docs.examples.first_agent import REMEMBERED_SIGNALS, WordWatch
from sandbox.server import LocalDiscord
from sandbox.upstreams import SampleUpstreams
from tests.agents.sources.fakes import FakeFetch, answer

ROOT = Path(__file__).parents[2]
ALERTS = Requester(kind="agent", tenant="42", reply_to="channel:4711")


def about(*titles: str) -> SignalsDiscovered:
    now = datetime.now(UTC)
    signals = tuple(
        Signal(id=f"test:{title}", source="test", title=title, url=f"https://a.example/{number}", timestamp=now)
        for number, title in enumerate(titles)
    )
    return SignalsDiscovered(agent_id="test", signals=signals, count=len(signals))


async def test_it_asks_once_when_the_word_is_everywhere() -> None:
    bus = MemoryBus()
    asked: list[SignalsRequested] = []

    async def on_requested(event: SignalsRequested) -> None:
        asked.append(event)

    bus.subscribe(SIGNALS_REQUESTED, on_requested)
    async with WordWatch(bus, "rust", ALERTS, alert_at=2):
        await bus.emit(SIGNALS_DISCOVERED, about("Rust 2.0", "Trust is good"))
        await bus.emit(SIGNALS_DISCOVERED, about("Rust 2.0"))
        await bus.settled()
        assert asked == []  # the same signal twice, and a word that only contains it
        await bus.emit(SIGNALS_DISCOVERED, about("A tour of Rust", "Why Rust?"))
        await bus.emit(SIGNALS_DISCOVERED, about("Rust again"))
        await bus.settled()
    assert [(request.query, request.requester) for request in asked] == [("rust", ALERTS)]


async def test_after_the_pause_it_may_ask_again() -> None:
    bus = MemoryBus()
    asked: list[SignalsRequested] = []
    at_s = [0.0]

    async def on_requested(event: SignalsRequested) -> None:
        asked.append(event)

    bus.subscribe(SIGNALS_REQUESTED, on_requested)
    async with WordWatch(bus, "rust", ALERTS, alert_at=1, pause_s=60.0, clock=lambda: at_s[0]):
        for moment_s in (0.0, 59.0, 60.0):
            at_s[0] = moment_s
            await bus.emit(SIGNALS_DISCOVERED, about("Rust"))
            await bus.settled()
    assert len(asked) == 2


async def test_the_trace_goes_on_from_the_discovery_to_the_question() -> None:
    bus = MemoryBus()
    asked: list[SignalsRequested] = []

    async def on_requested(event: SignalsRequested) -> None:
        asked.append(event)

    bus.subscribe(SIGNALS_REQUESTED, on_requested)
    async with WordWatch(bus, "rust", ALERTS, alert_at=1):
        with telemetry.span("test"):
            trace_id = telemetry.trace_id()
            await bus.emit(SIGNALS_DISCOVERED, about("Rust"))
        await bus.settled()
    assert trace_id is not None
    assert trace_id in (asked[0].traceparent or "")


async def test_what_it_remembers_is_bounded() -> None:
    bus = MemoryBus()
    asked: list[SignalsRequested] = []

    async def on_requested(event: SignalsRequested) -> None:
        asked.append(event)

    bus.subscribe(SIGNALS_REQUESTED, on_requested)
    async with WordWatch(bus, "rust", ALERTS, alert_at=2):
        await bus.emit(SIGNALS_DISCOVERED, about("Rust"))
        await bus.emit(SIGNALS_DISCOVERED, about(*(f"Story {number}" for number in range(REMEMBERED_SIGNALS))))
        await bus.emit(SIGNALS_DISCOVERED, about("A tour of Rust"))
        await bus.settled()
    assert asked == []


class FakeSource:
    """A source with three stories about Rust."""

    spec = SourceSpec(name="fake", title="Fake", help="Stories from memory")

    def unavailable(self) -> str | None:
        return None

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        return Scan(about("Rust 2.0", "A tour of Rust", "Why Rust?").signals)


async def test_the_scout_discovers_and_answers_it() -> None:
    bus = MemoryBus()
    answered: list[SignalsResponse] = []

    async def on_response(event: SignalsResponse) -> None:
        answered.append(event)

    bus.subscribe(SIGNALS_RESPONSE, on_response)
    guard = ScanGuard(FakeFetch(lambda _request: answer({})), ResilienceConfig(), limits={})
    watch = WordWatch(bus, "rust", ALERTS, sources=("fake",))
    async with SignalsScout(bus, [FakeSource()], guard, AgentConfig()) as scout, watch:
        await scout.discover_signals(["fake"])
        await bus.settled()
    assert [(len(response.signals), response.requester) for response in answered] == [(3, ALERTS)]


async def test_beside_the_bot_its_alert_is_posted_in_the_channel(tmp_path: Path) -> None:
    async with LocalDiscord() as discord, SampleUpstreams() as upstreams:
        guild = discord.add_guild("Sample server")
        general, alerts = guild.add_channel("general", kind="text"), guild.add_channel("alerts", kind="text")
        person = discord.add_user("you")
        guild.add_member(person)
        environment = upstreams.env() | {
            "DISCORD_TOKEN": discord.token,
            "DISCORD_API_URL": discord.api_url,
            "DISCORD_GATEWAY_URL": discord.gateway_url,
            "DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'signals.db'}",
            "X_SPEND_FILE": str(tmp_path / "x-spend.json"),
            "PYTHONPATH": str(ROOT),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "docs.examples.beside_the_bot", "python", str(guild.id), str(alerts.id),
            env=environment, cwd=tmp_path,
        )  # fmt: skip
        try:
            async with asyncio.timeout(30):
                while not (discord.gateway.sessions and discord.commands.all()):
                    await asyncio.sleep(0.02)
                await discord.type_command(person, general, "/signals all query:python")
                while not alerts.messages:
                    await asyncio.sleep(0.02)
        finally:
            process.terminate()
            await process.wait()
        posted = next(iter(alerts.messages.values()))
    assert "python" in posted.embeds[0]["title"]
    assert posted.components


def test_others_can_read_what_it_takes_and_gives() -> None:
    declared = WordWatch.capabilities[0]
    assert (declared.input_types, declared.output_types) == (("signals:discovered",), ("signals:requested",))
