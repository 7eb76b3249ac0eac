"""``python -m sandbox``: a local Discord as a process of its own; its first line says in JSON where it is."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path

from sandbox.server import LocalDiscord


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A Discord on this machine.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (0, the default: any free one)")
    parser.add_argument("--openapi", type=Path, help="Discord's OpenAPI document (default: looked for)")
    parser.add_argument("--no-validate", action="store_true", help="do not hold bodies against that document")
    parser.add_argument("--no-limits", action="store_true", help="no rate limits")
    parser.add_argument(
        "--identify-interval", type=float, default=5.0, metavar="S", help="seconds between identifies"
    )
    parser.add_argument("--guild", default="Sandbox", help="name of the server that is there from the start")
    parser.add_argument("--user", default="you", help="name of the person who is there from the start")
    asyncio.run(_serve(parser.parse_args()))


async def _serve(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with LocalDiscord(
        port=arguments.port,
        openapi=arguments.openapi or "auto",
        validate=not arguments.no_validate,
        enforce_limits=not arguments.no_limits,
        identify_interval_s=arguments.identify_interval,
    ) as discord:
        guild = discord.add_guild(arguments.guild, ["general", "signals"])
        user = discord.add_user(arguments.user)
        guild.add_member(user)
        said = {
            "api_url": discord.api_url,
            "gateway_url": discord.gateway_url,
            "control_url": f"{discord.http_url}/sandbox",
            "token": discord.token,
            "guild_id": str(guild.id),
            "channel_id": str(guild.first_text_channel().id),
            "user_id": str(user.id),
        }
        print(json.dumps(said), flush=True)
        await stopped.wait()


if __name__ == "__main__":
    main()
