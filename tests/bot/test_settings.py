"""Settings: checked once, explained in one line a variable, secrets never shown."""

import pytest
from pydantic import ValidationError

from agents.settings import explain
from bot.settings import Settings

SECRET = "MTIz.secret.abcdef"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DISCORD_TOKEN", f"{SECRET}\n", "one word"),
        ("DISCORD_TOKEN", f"{SECRET} {SECRET}", "one word"),
        ("DISCORD_TOKEN", f"{SECRET}é", "ASCII"),
        ("DISCORD_TOKEN", f"{SECRET}\x00"[:-1] + "\x7f", "one word"),
        ("DISCORD_API_URL", "discord.com", "https://"),
        ("DISCORD_GATEWAY_URL", "https://gateway.discord.gg", "wss://"),
        ("DATABASE_URL", "mysql://x", "sqlite+aiosqlite:///"),
        ("GUILD_CONCURRENCY", "0", "greater than or equal to 1"),
        ("USER_COOLDOWN_S", "soon", "number"),
        ("LOG_FORMAT", "xml", "pattern|text"),
        ("HTTP_HOST", "http://127.0.0.1", "without port"),
        ("HTTP_HOST", "127.0.0.1:8080", "without port"),
        ("HTTP_PORT", "65536", "less than or equal to 65535"),
        ("HTTP_PORT", "http", "must be a whole number"),
        ("TEXT_COMMANDS", "perhaps", "must be true or false"),
        ("USER_COOLDOWN_S", "long", "must be a number"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "must begin with https:// or http://"),
        ("WEBHOOK_SECRET", SECRET, "begins with whsec_"),
        ("WEBHOOK_SECRET", "whsec_TVRJei5zZWNyZXQuYWJjZGVm", "too weak"),
        ("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable_and_not_the_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=None)
    (line,) = explain(refused.value)
    assert line.startswith(f"{name}: ")
    assert any(word in line for word in words.split("|"))
    assert value.strip() not in line or value == "0"
    assert SECRET not in line
    assert SECRET not in str(refused.value)


def test_tokens_and_secrets_are_in_no_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", SECRET)
    monkeypatch.setenv("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    settings = Settings(_env_file=None)
    shown = f"{settings!r}{settings}{settings.model_dump()}{settings.model_dump_json()}"
    assert SECRET not in shown
    assert "MfKQ9r8" not in shown


def test_several_webhook_secrets_are_taken_while_rotating(monkeypatch: pytest.MonkeyPatch) -> None:
    both = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    monkeypatch.setenv("WEBHOOK_SECRET", both)
    assert Settings(_env_file=None).webhook_secret.get_secret_value() == both


def test_the_documented_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    settings = Settings(_env_file=None)
    assert settings.discord_api_url == "https://discord.com/api/v10"
    assert (settings.guild_concurrency, settings.guild_queue, settings.user_cooldown_s) == (3, 10, 5.0)
    assert not settings.text_commands
    assert (settings.http_host, settings.http_port, settings.webhook_secret.get_secret_value()) == (
        "127.0.0.1", 8080, "",
    )  # fmt: skip
    assert settings.database_url == "sqlite+aiosqlite:///data/signals.db"


def test_a_slash_at_the_end_of_an_address_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_API_URL", "http://127.0.0.1:1/api/v10/")
    assert Settings(_env_file=None).discord_api_url == "http://127.0.0.1:1/api/v10"
