"""An agent's life cycle, configuration and declared capabilities."""

import asyncio
import logging
from typing import ClassVar

import pytest
from pydantic import ValidationError

from agents.agent import Agent, AgentCapability, AgentConfig
from agents.bus.memory import MemoryBus
from agents.errors import LifecycleError
from agents.events import WORKFLOW_STARTED, WorkflowStarted
from agents.scout import SCOUT_CONFIG, SignalsScout


class Listener(Agent):
    """Counts what happens to it."""

    capabilities: ClassVar[tuple[AgentCapability, ...]] = (
        AgentCapability(name="listen", description="Listens", input_types=("workflow:started",), output_types=()),
    )

    def __init__(
        self, bus: MemoryBus, *, fails: BaseException | None = None, stop_fails: Exception | None = None
    ) -> None:
        super().__init__("listener", bus)
        self.fails = fails
        self.stop_fails = stop_fails
        self.calls: list[str] = []
        self.heard: list[WorkflowStarted] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def on_start(self) -> None:
        self.calls.append("start")
        self.subscribe(WORKFLOW_STARTED, self.on_workflow_started)
        await self.gate.wait()
        if self.fails is not None:
            raise self.fails

    async def on_stop(self) -> None:
        self.calls.append("stop")
        if self.stop_fails is not None:
            raise self.stop_fails

    async def on_workflow_started(self, event: WorkflowStarted) -> None:
        self.heard.append(event)


async def heard_after(agent: Listener, bus: MemoryBus) -> int:
    await bus.emit(WORKFLOW_STARTED, WorkflowStarted())
    await bus.settled()
    return len(agent.heard)


async def test_it_hears_events_from_its_start_to_its_stop_and_no_others() -> None:
    bus = MemoryBus()
    agent = Listener(bus)
    assert await heard_after(agent, bus) == 0
    await agent.start()
    assert await heard_after(agent, bus) == 1
    await agent.stop()
    assert await heard_after(agent, bus) == 1


async def test_starting_twice_subscribes_once() -> None:
    bus = MemoryBus()
    agent = Listener(bus)
    await agent.start()
    await agent.start()
    assert agent.calls == ["start"]
    assert await heard_after(agent, bus) == 1


async def test_starting_twice_at_once_waits_for_the_one_start() -> None:
    agent = Listener(MemoryBus())
    agent.gate.clear()
    starts = [asyncio.create_task(agent.start()) for _ in range(2)]
    await asyncio.sleep(0)
    agent.gate.set()
    await asyncio.gather(*starts)
    assert agent.calls == ["start"]
    assert agent.running


async def test_stopping_twice_gives_back_once() -> None:
    agent = Listener(MemoryBus())
    await agent.start()
    await agent.stop()
    await agent.stop()
    assert agent.calls == ["start", "stop"]
    assert not agent.running


async def test_stopping_what_never_started_does_nothing_and_it_can_still_start() -> None:
    agent = Listener(MemoryBus())
    await agent.stop()
    assert agent.calls == []
    await agent.start()
    assert agent.running


async def test_a_stop_during_the_start_waits_for_it() -> None:
    agent = Listener(MemoryBus())
    agent.gate.clear()
    starting = asyncio.create_task(agent.start())
    await asyncio.sleep(0)
    stopping = asyncio.create_task(agent.stop())
    await asyncio.sleep(0)
    assert agent.calls == ["start"]
    agent.gate.set()
    await asyncio.gather(starting, stopping)
    assert agent.calls == ["start", "stop"]


async def test_an_agent_lives_once() -> None:
    agent = Listener(MemoryBus())
    await agent.start()
    await agent.stop()
    with pytest.raises(LifecycleError, match="listener was stopped; make a new one"):
        await agent.start()
    assert agent.calls == ["start", "stop"]


async def test_using_it_before_start_or_after_stop_says_what_to_do() -> None:
    agent = Listener(MemoryBus())
    with pytest.raises(LifecycleError, match=r"listener is not started; use it between start\(\) and stop\(\)"):
        agent.require_running()
    with pytest.raises(LifecycleError):
        agent.subscribe(WORKFLOW_STARTED, agent.on_workflow_started)
    await agent.start()
    agent.require_running()
    await agent.stop()
    with pytest.raises(LifecycleError, match="listener is stopped"):
        agent.require_running()


async def test_a_failed_start_gives_back_what_it_took_and_passes_on() -> None:
    bus = MemoryBus()
    agent = Listener(bus, fails=OSError("no port"))
    with pytest.raises(OSError, match="no port"):
        await agent.start()
    assert agent.calls == ["start", "stop"]
    assert await heard_after(agent, bus) == 0
    with pytest.raises(LifecycleError):
        await agent.start()


async def test_a_start_that_fails_is_not_hidden_by_a_stop_that_fails_too(caplog: pytest.LogCaptureFixture) -> None:
    agent = Listener(MemoryBus(), fails=OSError("no port"), stop_fails=RuntimeError("nothing to close"))
    with pytest.raises(OSError, match="no port"):
        await agent.start()
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "nothing to close"


async def test_a_cancelled_start_stops_the_agent() -> None:
    bus = MemoryBus()
    agent = Listener(bus)
    agent.gate.clear()
    starting = asyncio.create_task(agent.start())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert agent.calls == ["start", "stop"]
    assert not agent.running
    assert await heard_after(agent, bus) == 0


async def test_as_context_manager_it_stops_whatever_happens_inside() -> None:
    agent = Listener(MemoryBus())

    async def use() -> None:
        async with agent as entered:
            assert entered is agent
            assert agent.running
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await use()
    assert agent.calls == ["start", "stop"]


async def test_start_and_stop_are_logged_by_the_agents_own_logger(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with Listener(MemoryBus()):
        pass
    assert [(record.name, record.getMessage()) for record in caplog.records] == [
        ("agent.listener", "agent started"),
        ("agent.listener", "agent stopped"),
    ]


def test_the_configuration_has_the_promised_defaults() -> None:
    assert AgentConfig().model_dump() == {
        "timeout_s": 30.0,
        "max_concurrent_tasks": 5,
        "retry_attempts": 3,
        "cache_enabled": True,
        "cache_ttl_s": 300.0,
        "failure_threshold": 5,
        "recovery_timeout_s": 60.0,
        "min_score": 0.5,
    }
    assert SCOUT_CONFIG.model_dump() == {**AgentConfig().model_dump(), "failure_threshold": 3}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout_s", 0),
        ("timeout_s", 601),
        ("timeout_s", float("nan")),
        ("max_concurrent_tasks", 0),
        ("max_concurrent_tasks", 10_001),
        ("retry_attempts", 0),
        ("retry_attempts", 11),
        ("cache_ttl_s", 0),
        ("cache_ttl_s", 86_401),
        ("failure_threshold", 0),
        ("recovery_timeout_s", 0),
        ("recovery_timeout_s", float("inf")),
        ("min_score", -0.1),
        ("min_score", 1.1),
    ],
)
def test_a_configuration_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match=name):
        AgentConfig.model_validate({name: value})


def test_capabilities_are_declared_and_readable_without_an_instance() -> None:
    assert Agent.capabilities == ()
    assert [capability.name for capability in Listener.capabilities] == ["listen"]
    declared = {capability.name: capability for capability in SignalsScout.capabilities}
    assert set(declared) == {"discover-signals", "auto-discovery", "batch-process-signals"}
    assert declared["discover-signals"].input_types == ("signals:requested",)
    assert "signals:response" in declared["discover-signals"].output_types
    assert all(each.description and each.input_types and each.output_types for each in declared.values())
