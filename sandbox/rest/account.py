"""The bot's own account: gateway address, user, application, direct messages, its guilds."""

from __future__ import annotations

from sandbox import wire
from sandbox.backend import Backend
from sandbox.errors import JsonObject, refusal
from sandbox.rest.call import NO_CONTENT, Call, Reply
from sandbox.snowflakes import parse_snowflake


def gateway(backend: Backend, _: Call) -> Reply:
    """Where the gateway is."""
    return Reply(200, {"url": backend.gateway_url()})


def gateway_bot(backend: Backend, _: Call) -> Reply:
    """Where the gateway is, how many shards to open and how fast."""
    gateway = backend.gateway
    limit = {
        "total": gateway.session_starts,
        "remaining": max(0, gateway.starts_left),
        "reset_after": int(gateway.starts_reset_after_s() * 1000),
        "max_concurrency": gateway.max_concurrency,
    }
    return Reply(200, {"url": backend.gateway_url(), "shards": gateway.shards, "session_start_limit": limit})


def me(backend: Backend, _: Call) -> Reply:
    """The bot's user."""
    return Reply(200, {**wire.user(backend.world.bot), "verified": True, "mfa_enabled": False, "flags": 0})


def user(backend: Backend, call: Call) -> Reply:
    """Any user."""
    found = backend.world.users.get(call.id("user_id") or 0)
    if found is None:
        raise refusal(10013)
    return Reply(200, wire.user(found))


def my_guilds(backend: Backend, _: Call) -> Reply:
    """Partial guilds that the bot is in."""
    guilds: list[JsonObject] = [
        {
            "id": str(g.id),
            "name": g.name,
            "icon": None,
            "banner": None,
            "owner": False,
            "permissions": "0",
            "features": [],
        }
        for g in backend.world.bot_guilds()
    ]
    return Reply(200, guilds)


def leave_guild(backend: Backend, call: Call) -> Reply:
    """The bot leaves a guild."""
    backend.world.remove_guild(backend.world.bot_guild(call.id("guild_id")))
    return NO_CONTENT


def open_dm(backend: Backend, call: Call) -> Reply:
    """The direct messages with a person."""
    recipient = backend.world.users.get(parse_snowflake(call.form().get("recipient_id")) or 0)
    if recipient is None:
        raise refusal(10013)
    if recipient.is_bot:
        raise refusal(50007)
    return Reply(200, wire.channel(backend.world.dm(recipient)))


def application(backend: Backend, _: Call) -> Reply:
    """The application behind the bot."""
    owner = min(backend.world.users.values(), key=lambda u: (u.is_bot, u.id))
    data: JsonObject = {
        "id": str(backend.application_id),
        "name": backend.application_name,
        "icon": None,
        "description": "",
        "type": None,
        "bot_public": True,
        "bot_require_code_grant": False,
        "is_monetized": False,
        "verify_key": "0" * 64,
        "flags": 0,
        "hook": True,
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "approximate_guild_count": len(backend.world.bot_guilds()),
        "approximate_user_install_count": len(backend.world.installed_for),
        "integration_types_config": {"0": {}, "1": {}},
        "owner": wire.user(owner),
        "team": None,
        "bot": wire.user(backend.world.bot),
    }
    return Reply(200, data)
