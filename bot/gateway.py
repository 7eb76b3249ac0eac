"""What the client's gateway needs beyond what it does itself: other addresses, and parsers that cannot end it."""

from collections.abc import Callable
from typing import Any

import discord
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL

from agents import telemetry
from bot.recent import Recent
from bot.turns import Turns

REMEMBERED_INTERACTIONS = 10_000
_log = telemetry.logger("bot.gateway")


def set_addresses(api_url: str, gateway_url: str) -> None:
    """Point the client at another REST base and, unless empty, another gateway.

    Both are class attributes of the client, and there is no other way to set them. The gateway's default matters
    too, not only the address of the first connection: after an invalid session the client goes back to it.
    """
    Route.BASE = api_url
    if gateway_url:
        DiscordWebSocket.DEFAULT_GATEWAY = URL(gateway_url)


def guard_parsers(client: discord.Client) -> None:
    """Make the client survive events that it cannot parse, run interactions once and in turns, and forget servers.

    As it comes, an exception in a parser (a field missing, a type unknown) ends the whole client, an interaction
    that Discord delivers twice runs twice, a thousand of one server are begun before the next one of another, and a
    server that it was removed from between two sessions is still thought to be there. Call it before connecting.
    """
    parsers = client._connection.parsers  # noqa: SLF001 - there is no public place to stand between
    parsers["READY"] = _leaving(client, parsers["READY"], parsers["GUILD_DELETE"])
    parsers["INTERACTION_CREATE"] = _once(Turns(_survive("INTERACTION_CREATE", parsers["INTERACTION_CREATE"])))
    for name, parse in list(parsers.items()):
        parsers[name] = _survive(name, parse)


def _survive(name: str, parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def guarded(data: Any) -> Any:
        try:
            return parse(data)
        except Exception:  # noqa: BLE001 - whatever a frame holds; logged with its traceback
            _log.exception("gateway event could not be read", event_name=name)
            return None

    return guarded


def _leaving(
    client: discord.Client, parse: Callable[[Any], Any], remove: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """READY lists all servers of its shard: of those that are missing, no other event will ever tell."""

    def ready(data: Any) -> None:
        parse(data)
        listed = {int(guild["id"]) for guild in data["guilds"]}
        shard_id = data.get("shard", (0,))[0]
        for guild in tuple(client.guilds):
            if guild.shard_id == shard_id and guild.id not in listed:
                remove({"id": str(guild.id)})

    return ready


def _once(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    seen: Recent[str, bool] = Recent(REMEMBERED_INTERACTIONS)

    def once(data: Any) -> Any:
        interaction_id = str(data.get("id"))
        if seen.get(interaction_id):
            _log.warning("interaction delivered twice", interaction_id=interaction_id)
            return None
        seen.put(interaction_id, True)
        return parse(data)

    return once
