"""docs/webhooks.md: what it shows is run as it stands, against a port that listens."""

import asyncio
import os
import re
import shutil
import sys
import textwrap
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from bot.ingress.documents import openapi
from bot.ingress.events import BODY_TIMEOUT_S, DOOR, MOST_BYTES, SIGNED, Events
from bot.ingress.health import Health
from bot.ingress.posted import PostedWorkflow
from bot.ingress.server import LIFETIME_S, Ingress
from bot.ingress.signatures import LEAST_SECRET_BYTES, parse_secrets
from tests.bot.ingress.port import KEY, SECRET, Bus, Outbox
from tests.bot.scene import usual_sources

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/webhooks.md").read_text(encoding="utf-8")


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
async def environment(outbox: Outbox) -> AsyncIterator[dict[str, str]]:
    specs = {name: source.spec for name, source in usual_sources().items()}
    async with Ingress("127.0.0.1", 0, Events((KEY,), specs, outbox, Bus().emit), Health({}, {})) as ingress:
        yield {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "SIGNALS_URL": f"http://127.0.0.1:{ingress.port}",
            "WEBHOOK_SECRET": SECRET,
        }


def section(heading: str) -> str:
    return TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def block(language: str, heading: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)\n```", section(heading), flags=re.DOTALL)
    return str(found)


async def shell(script: str, environment: Mapping[str, str]) -> str:
    """What a script says; it must end well."""
    process = await asyncio.create_subprocess_exec(
        "sh", "-eu", "-c", script, cwd=ROOT / "docs/examples", env=environment, stdout=PIPE, stderr=STDOUT
    )
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, out.decode()
    return out.decode()


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("openssl"), reason="needs curl and openssl")
async def test_the_lines_with_curl_start_a_workflow(environment: dict[str, str], outbox: Outbox) -> None:
    said = await shell(block("sh", "From the command line"), environment)
    (started,) = outbox.accepted
    assert f'{{"workflow_id": "{started.workflow_id}", "new": true}}' in said


async def test_the_program_starts_workflows(environment: dict[str, str], outbox: Outbox) -> None:
    await shell('python send_event.py; python send_event.py \'{"query": "rust"}\'', environment)
    assert [started.query for started in outbox.accepted] == [None, "rust"]


async def test_the_job_starts_a_workflow_once_for_each_run(environment: dict[str, str], outbox: Outbox) -> None:
    job = block("yaml", "From a CI job")
    script = textwrap.dedent(job.partition("run: |\n")[2])
    for variable in ("SIGNALS_URL", "WEBHOOK_SECRET"):
        assert f"{variable}: ${{{{ " in job
    for run in ("1", "1", "2"):
        await shell(script, {**environment, "GITHUB_RUN_ID": run})
    assert [(started.sources[0].name, started.query) for started in outbox.accepted] == [("hackernews", "python")] * 2


async def test_the_secret_that_it_makes_is_strong_enough(environment: dict[str, str]) -> None:
    said = await shell(block("sh", "Turn it on"), environment)
    (key,) = parse_secrets(said)
    assert len(key) == 32


def test_the_table_has_every_field_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", section("What can be said"), flags=re.MULTILINE)
    defaults = PostedWorkflow.model_fields
    as_json: dict[str, object] = {"true": True, "false": False, "null": None, "[]": []}
    assert {name: as_json[default] for name, default in rows} == {
        name: field.get_default(call_default_factory=True, validated_data={}) for name, field in defaults.items()
    }


def test_the_table_has_every_answer() -> None:
    rows = re.findall(r"^\| ([\d, ]+)", section("What is answered"), flags=re.MULTILINE)
    told = {status for row in rows for status in re.findall(r"\d{3}", row)}
    assert told == {*openapi()["paths"]["/events"]["post"]["responses"], "405"}


def test_the_limits_are_those_of_the_code() -> None:
    answered = section("What is answered")
    for limit in (
        f"{MOST_BYTES:,} bytes",
        f"{BODY_TIMEOUT_S:g} s",
        f"{SIGNED[1]} at once and then one a second",
        f"{DOOR[1]} and then {1 / DOOR[0]:g} a second",
        f"ends after {LIFETIME_S:g} seconds",
    ):
        assert limit in answered
    assert SIGNED[0] == 1
    assert f"less than {LEAST_SECRET_BYTES} bytes" in section("Turn it on")
