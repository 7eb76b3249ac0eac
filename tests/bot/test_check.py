"""`python -m bot check`: what is configured, what is missing, how to fix it; no secret in it."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agents.sources import build_sources
from bot.__main__ import main
from bot.check import Verdict, check, unknown_variables
from bot.ingress.events import Events
from bot.ingress.health import Health
from bot.ingress.server import Ingress
from bot.settings import Settings
from bot.store.database import Database
from sandbox.faults import Fault
from sandbox.server import LocalDiscord
from tests.bot.ingress.port import Bus, Outbox
from tests.bot.scene import usual_sources

Make = Callable[..., Settings]


async def verdicts(settings: Settings, *, offline: bool = False) -> dict[str, tuple[Verdict, str]]:
    """What the check says, by what it is about."""
    sources = usual_sources()
    sources["news"].off = "Set NEWS_FEEDS."
    listed = await check(settings, tuple(sources.values()), offline=offline)
    return {finding.what: (finding.verdict, finding.sentence) for finding in listed}


async def test_all_good(settings: Make, local: LocalDiscord) -> None:
    found = await verdicts(settings())
    assert found["DISCORD_TOKEN"] == (Verdict.GOOD, "Discord knows it as Signals Scout")
    assert found["DATABASE_URL"][0] is Verdict.GOOD
    assert found["reddit"][0] is Verdict.GOOD
    assert found["news"] == (Verdict.OFF, "Set NEWS_FEEDS.")
    assert found["text commands"][0] is Verdict.OFF
    assert Verdict.BAD not in {verdict for verdict, _ in found.values()}
    assert local.token not in str(found)


async def test_who_has_set_every_key_is_asked_for_none(settings: Make) -> None:
    keys = (
        "reddit_client_id", "reddit_client_secret", "x_bearer_token", "mastodon_token", "github_token",
        "stackexchange_key",
    )  # fmt: skip
    set_up = settings(**dict.fromkeys(keys, "key"))
    found = {one.what: one.sentence for one in await check(set_up, build_sources(set_up), offline=True)}
    assert {found[source.spec.name] for source in build_sources(set_up)} == {"ready"}


async def test_a_token_that_is_missing_says_where_to_get_one(settings: Make) -> None:
    verdict, sentence = (await verdicts(settings(discord_token="")))["DISCORD_TOKEN"]
    assert verdict is Verdict.BAD
    assert "developer portal" in sentence


async def test_a_token_that_discord_refuses_says_so_without_showing_it(settings: Make) -> None:
    found = await verdicts(settings(discord_token="MTIz.secret.abcdef"))
    assert found["DISCORD_TOKEN"][0] is Verdict.BAD
    assert "secret" not in str(found)


async def test_offline_discord_is_not_asked(settings: Make, local: LocalDiscord) -> None:
    found = await verdicts(settings(discord_token="MTIz.secret.abcdef"), offline=True)
    assert found["DISCORD_TOKEN"] == (Verdict.GOOD, "set; Discord was not asked")
    assert local.requests == []


@pytest.mark.parametrize(
    "fault", [Fault("drop_before", count=None), Fault("status", status=503), Fault("garbage", status=200)]
)
async def test_a_discord_that_does_not_answer_is_told_from_a_bad_token(
    settings: Make, local: LocalDiscord, fault: Fault
) -> None:
    local.faults.add(fault)
    found = await verdicts(settings())
    assert found["DISCORD_API_URL"][0] is Verdict.BAD
    assert "DISCORD_TOKEN" not in found


async def test_a_database_that_cannot_be_written_is_told(settings: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    found = await verdicts(settings(database_url=f"sqlite+aiosqlite:///{tmp_path}/file/answers.db"))
    assert found["DATABASE_URL"][0] is Verdict.BAD


async def test_a_database_that_could_not_be_opened_is_told_and_left_as_it_is(settings: Make, tmp_path: Path) -> None:
    damaged, later, empty = (tmp_path / f"{name}.db" for name in ("damaged", "later", "empty"))
    damaged.write_bytes(b"what somebody else wrote" * 1000)
    empty.touch()
    async with Database(f"sqlite+aiosqlite:///{later}"):
        pass
    assert (await verdicts(settings(database_url=f"sqlite+aiosqlite:///{later}")))["DATABASE_URL"][0] is Verdict.GOOD
    with closing(sqlite3.connect(later)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    for file, verdict, words in (
        (damaged, Verdict.BAD, "Restore a backup"),
        (later, Verdict.BAD, "later version"),
        (empty, Verdict.GOOD, "can be written"),
    ):
        before = file.read_bytes()
        found = (await verdicts(settings(database_url=f"sqlite+aiosqlite:///{file}")))["DATABASE_URL"]
        assert found[0] is verdict
        assert words in found[1]
        assert file.read_bytes() == before


def listening() -> Ingress:
    return Ingress("127.0.0.1", 0, Events((), {}, Outbox(), Bus().emit), Health({}, {}))


async def test_http_is_off_or_its_port_is_free_or_a_bot_runs_there_or_another_program(settings: Make) -> None:
    assert (await verdicts(settings()))["HTTP_PORT"][0] is Verdict.OFF
    async with listening() as running:
        for host in ("127.0.0.1", "0.0.0.0"):
            verdict, sentence = (await verdicts(settings(http_host=host, http_port=running.port)))["HTTP_PORT"]
            assert (verdict, sentence.endswith("taken by a bot of this kind, which runs")) == (Verdict.GOOD, True)
    free = (await verdicts(settings(http_port=running.port)))["HTTP_PORT"]
    assert free == (Verdict.GOOD, f"127.0.0.1:{running.port} is free")
    other = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", running.port)
    verdict, sentence = (await verdicts(settings(http_port=running.port)))["HTTP_PORT"]
    assert (verdict, "taken by another program. Set another port" in sentence) == (Verdict.BAD, True)
    other.close()
    await other.wait_closed()
    assert (await verdicts(settings(http_host="192.0.2.1", http_port=1)))["HTTP_HOST"][0] is Verdict.BAD


async def test_whether_events_are_taken_is_told_and_the_secret_is_not(settings: Make) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert (await verdicts(settings()))["POST /events"][0] is Verdict.OFF
    off = await verdicts(settings(webhook_secret=secret))
    assert off["POST /events"] == (Verdict.OFF, "WEBHOOK_SECRET is set, but HTTP_PORT is 0")
    async with listening() as running:
        pass
    one = await verdicts(settings(webhook_secret=secret, http_port=running.port))
    two = await verdicts(settings(webhook_secret=f"{secret} {secret}", http_port=running.port))
    assert one["POST /events"] == (Verdict.GOOD, "signed by the secret")
    assert two["POST /events"] == (Verdict.GOOD, "signed by any of 2 secrets")
    assert "MfKQ9r8" not in f"{off}{one}{two}"


def test_misspelt_variables_are_named() -> None:
    names = ("DISCORD_TOKE", "DISCORD_TOKEN", "PATH", "REDDIT_CLIENTID", "reddit_url")
    assert unknown_variables(names) == ["DISCORD_TOKE", "REDDIT_CLIENTID"]
    assert unknown_variables(("HTTP_PROXY", "WEBHOOK_SECRETS", "HTTP_PORTS")) == ["HTTP_PORTS", "WEBHOOK_SECRETS"]


def test_of_the_file_every_name_that_is_none_of_ours_is_named() -> None:
    assert unknown_variables(("LOG_LEVL",), ("log_levl", "user_cooldown", "log_level")) == [
        "LOG_LEVL",
        "USER_COOLDOWN",
    ]
    assert unknown_variables(("LOG_DIR", "USER_COOLDOWN")) == [], "the environment belongs to others too"


def test_the_command_prints_a_table_and_its_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISCORD_TOKEN", "MTIz.secret.abcdef")
    monkeypatch.setenv("DISCORD_TOKE", "MTIz.secret.abcdef")
    monkeypatch.setenv("HTTP_PORT", "0")
    (tmp_path / ".env").write_text("x_bearer_tokn=MTIz.secret.abcdef\n")
    assert main(["check", "--offline"]) == 0
    said = capsys.readouterr().out
    assert "Ready: python -m bot run" in said
    assert "DISCORD_TOKE: not a variable" in said
    assert "X_BEARER_TOKN: not a variable" in said
    assert "secret" not in said
    monkeypatch.delenv("DISCORD_TOKEN")
    assert main(["check", "--offline"]) == 1
    assert "Not ready: 1 to fix." in capsys.readouterr().out
