"""What an operator sets for the bot: read from the environment and ``.env`` once, by the command line."""

import ipaddress
import re
from typing import Any

from pydantic import Field, SecretStr, field_validator

from agents.settings import SourceSettings
from bot.ingress.signatures import parse_secrets

_HOST = re.compile(r"[0-9A-Za-z.:%-]+")
_BAD_HOST = "must be an address such as 127.0.0.1, 0.0.0.0 or ::1, without port"


class Settings(SourceSettings):
    """Every field is the environment variable of its upper-case name; ``.env.example`` lists them all."""

    discord_token: SecretStr = Field(SecretStr(""), description="The bot's token, from its page in the portal")
    discord_api_url: str = Field("https://discord.com/api/v10", description="REST base; also for a rate-limit proxy")
    discord_gateway_url: str = Field("", description="Overrides the websocket address, after reconnects too")
    database_url: str = Field(
        "sqlite+aiosqlite:///data/signals.db", description="Where settings and answers are kept"
    )
    text_commands: bool = Field(False, description="true: also usable by mentioning the bot")
    http_host: str = Field("127.0.0.1", description="Address that HTTP listens on; 0.0.0.0: all of the machine's")
    http_port: int = Field(8080, ge=0, le=65_535, description="Port of health checks and POST /events; 0: no HTTP")
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="whsec_… that signs POST /events; several while rotating; empty: off"
    )

    guild_concurrency: int = Field(3, ge=1, le=100, description="Questions of one server worked on at once")
    guild_queue: int = Field(10, ge=0, le=1000, description="Questions of one server that may wait")
    max_concurrency: int = Field(32, ge=1, le=10_000, description="Questions of all servers worked on at once")
    user_cooldown_s: float = Field(5.0, ge=0, le=3600, description="Seconds between two questions of one person")
    user_burst: int = Field(20, ge=1, le=10_000, description="Questions of one person in a row; one more every 15 s")
    answer_timeout_s: float = Field(20.0, ge=1, le=300, description="Seconds after which an answer goes out anyway")
    otel_exporter_otlp_endpoint: str = Field("", description="Where traces go; empty: no export")

    @field_validator("discord_token")
    @classmethod
    def _one_word(cls, value: SecretStr) -> SecretStr:
        token = value.get_secret_value()
        if any(character.isspace() or not character.isprintable() for character in token):
            raise ValueError("must be one word without line breaks or spaces; copy it again from the portal")
        if not token.isascii():
            raise ValueError("must be plain ASCII; copy it again from the portal")
        return value

    @field_validator("http_host")
    @classmethod
    def _one_address(cls, value: str) -> str:
        try:
            if ":" in value:
                ipaddress.IPv6Address(value)
        except ValueError:
            raise ValueError(_BAD_HOST) from None
        if not _HOST.fullmatch(value):
            raise ValueError(_BAD_HOST)
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _strong_secrets(cls, value: SecretStr) -> SecretStr:
        parse_secrets(value.get_secret_value())
        return value

    @field_validator("discord_api_url", "otel_exporter_otlp_endpoint")
    @classmethod
    def _base_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with https:// or http://")
        return value.rstrip("/")

    @field_validator("discord_gateway_url")
    @classmethod
    def _websocket(cls, value: str) -> str:
        if value and not value.startswith(("ws://", "wss://")):
            raise ValueError("must begin with wss:// or ws://")
        return value

    @field_validator("database_url")
    @classmethod
    def _sqlite(cls, value: Any) -> Any:
        if not value.startswith("sqlite+aiosqlite:///"):
            raise ValueError("must begin with sqlite+aiosqlite:///")
        return value
