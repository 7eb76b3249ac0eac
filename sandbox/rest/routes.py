"""The REST routes: which handler, which limit, which authentication; and how a path finds its route."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.backend import Backend
from sandbox.errors import ApiError, refusal
from sandbox.ratelimits import Limit
from sandbox.rest import account, channels, commands, guilds, interactions
from sandbox.rest.call import Call, Reply

Handler = Callable[[Backend, Call], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. ``by_token``: the path carries the authority; such are outside the global limit."""

    method: str
    template: str
    handler: Handler
    limit: Limit | None
    by_token: bool = False


_READ = (50, 1.0)


def _routes() -> list[Route]:
    """The table. Discord publishes no numbers; these are of the size that its headers show."""
    app, app_guild = "/applications/{application_id}", "/applications/{application_id}/guilds/{guild_id}"
    channel, guild = "/channels/{channel_id}", "/guilds/{guild_id}"
    message = f"{channel}/messages/{{message_id}}"
    hook = "/webhooks/{webhook_id}/{webhook_token}"
    rows: list[tuple[str, str, Handler, tuple[int, float]]] = [
        ("GET", "/gateway/bot", account.gateway_bot, (5, 1.0)),
        ("GET", "/users/@me", account.me, _READ),
        ("GET", "/users/@me/guilds", account.my_guilds, _READ),
        ("DELETE", "/users/@me/guilds/{guild_id}", account.leave_guild, (10, 1.0)),
        ("POST", "/users/@me/channels", account.open_dm, (10, 1.0)),
        ("GET", "/users/{user_id}", account.user, _READ),
        ("GET", "/applications/@me", account.application, _READ),
        ("GET", "/oauth2/applications/@me", account.application, _READ),
        ("GET", channel, channels.get, _READ),
        ("DELETE", channel, channels.delete, (5, 1.0)),
        ("GET", f"{channel}/messages", channels.list_messages, (5, 1.0)),
        ("POST", f"{channel}/messages", channels.create_message, (5, 5.0)),
        ("POST", f"{channel}/messages/bulk-delete", channels.bulk_delete, (1, 1.0)),
        ("GET", message, channels.get_message, (5, 1.0)),
        ("PATCH", message, channels.edit_message, (5, 5.0)),
        ("DELETE", message, channels.delete_message, (5, 1.0)),
        ("POST", f"{message}/crosspost", channels.crosspost, (10, 3_600.0)),
        ("POST", f"{message}/threads", channels.start_thread_from_message, (5, 1.0)),
        ("POST", f"{channel}/threads", channels.start_thread, (5, 1.0)),
        ("POST", f"{channel}/typing", channels.typing, (5, 5.0)),
        ("GET", guild, guilds.get, _READ),
        ("GET", f"{guild}/channels", guilds.channels, _READ),
        ("GET", f"{guild}/threads/active", guilds.active_threads, _READ),
        ("GET", f"{guild}/roles", guilds.roles, _READ),
        ("GET", f"{guild}/members", guilds.members, (10, 10.0)),
        ("GET", f"{guild}/members/{{user_id}}", guilds.member, (5, 1.0)),
    ]
    for base in (app, app_guild):
        rows += [
            ("GET", f"{base}/commands", commands.get_all, (10, 1.0)),
            ("PUT", f"{base}/commands", commands.replace_all, (10, 20.0)),
            ("POST", f"{base}/commands", commands.create, (5, 20.0)),
            ("GET", f"{base}/commands/{{command_id}}", commands.get, (10, 1.0)),
            ("PATCH", f"{base}/commands/{{command_id}}", commands.patch, (5, 20.0)),
            ("DELETE", f"{base}/commands/{{command_id}}", commands.delete, (5, 20.0)),
        ]
    rows.append(("GET", f"{app_guild}/commands/permissions", commands.permissions, (10, 1.0)))
    routes = [Route(m, t, h, Limit(f"{m} {t}", *numbers)) for m, t, h, numbers in rows]
    followups = Limit("webhook", 5, 2.0)
    at_message = f"{hook}/messages/{{message_id}}"
    return [
        *routes,
        Route("GET", "/gateway", account.gateway, None, by_token=True),
        Route(
            "POST",
            "/interactions/{interaction_id}/{interaction_token}/callback",
            interactions.callback,
            None,
            by_token=True,
        ),
        Route("POST", hook, interactions.follow_up, followups, by_token=True),
        Route("GET", at_message, interactions.get_follow_up, followups, by_token=True),
        Route("PATCH", at_message, interactions.edit_follow_up, followups, by_token=True),
        Route("DELETE", at_message, interactions.delete_follow_up, followups, by_token=True),
    ]


class Router:
    """Finds the route of a path in a table indexed by length and first part; literal parts win over parameters."""

    def __init__(self) -> None:
        self._table: dict[tuple[int, str], list[tuple[tuple[str, ...], dict[str, Route]]]] = {}
        for route in _routes():
            parts = tuple(route.template.split("/")[1:])
            entries = self._table.setdefault((len(parts), parts[0]), [])
            for known, methods in entries:
                if known == parts:
                    methods[route.method] = route
                    break
            else:
                entries.append((parts, {route.method: route}))
        for entries in self._table.values():
            entries.sort(key=lambda entry: sum(part.startswith("{") for part in entry[0]))

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and its parameters; raises 404 or 405 as Discord does."""
        parts = path.split("/")[1:]
        seen = False
        for template, methods in self._table.get((len(parts), parts[0]), ()):
            params = _match(template, parts)
            if params is None:
                continue
            seen = True
            route = methods.get(method)
            if route is not None:
                return route, params
        raise ApiError(405, 0, "405: Method Not Allowed") if seen else refusal(0)


def _match(template: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    params: dict[str, str] = {}
    for expected, part in zip(template, parts, strict=True):
        if expected[0] == "{":
            params[expected[1:-1]] = part
        elif expected != part:
            return None
    return params


def major_of(params: dict[str, str]) -> str:
    """The part of a bucket's key that the path decides: channel, guild, or webhook with its token."""
    return "/".join(params.get(name, "") for name in ("channel_id", "guild_id", "webhook_id", "webhook_token"))
