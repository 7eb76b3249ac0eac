"""``python -m bot run | check | backup | restore | demo``."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from agents import telemetry
from agents.settings import BadSettings, read_settings
from bot.settings import Settings

GOOD, FAILED, BAD_ARGUMENT = 0, 1, 2

Running = Callable[[Settings], Coroutine[Any, Any, None]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = _parser().parse_args(argv)
    if arguments.command == "demo":
        return _demo(arguments)
    try:
        settings = read_settings(Settings)
    except BadSettings as error:
        print(error, file=sys.stderr)
        return BAD_ARGUMENT
    if arguments.command in {"backup", "restore"}:
        return _copy(settings, arguments.command, arguments.file)
    if arguments.command == "check":
        return _check(settings, offline=arguments.offline)
    return run_bot(settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bot", description="Signals Scout for Discord.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="connect to Discord and answer")
    checking = commands.add_parser("check", help="say what is configured, what is missing and how to fix it")
    checking.add_argument("--offline", action="store_true", help="do not ask Discord whether the token is good")
    backing_up = commands.add_parser("backup", help="copy the database to a new file, also while the bot runs")
    backing_up.add_argument("file", type=Path)
    restoring = commands.add_parser("restore", help="put a copy in the database's place; stop the bot first")
    restoring.add_argument("file", type=Path)
    _add_demo(commands.add_parser("demo", help="try it on this machine, on a page: no account, no internet"))
    return parser


def _add_demo(demo: argparse.ArgumentParser) -> None:
    demo.add_argument("--live", action="store_true", help="read the real public sources, where they can be reached")
    demo.add_argument("--quick", action="store_true", help="samples answer at once: no progress to be seen")
    demo.add_argument("--terminal", action="store_true", help="no page: type into this terminal")
    demo.add_argument("--once", action="store_true", help="one exchange in the terminal; status 0 if it was answered")
    demo.add_argument("--port", type=_port, help="of the page (default: 8420 if it is free; 0: any)")
    demo.add_argument("--host", default="127.0.0.1", help="serve the page to others too; each browser needs a key")
    demo.add_argument("--no-browser", action="store_true", help="do not open a browser")


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < 65_536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text} is no port: those are 0 to 65535")


def _demo(arguments: argparse.Namespace) -> int:
    from bot.demo import DemoOptions, run_demo

    return run_demo(
        DemoOptions(
            terminal=arguments.terminal,
            once=arguments.once,
            quick=arguments.quick,
            live=arguments.live,
            host=arguments.host,
            port=arguments.port,
            open_browser=not arguments.no_browser,
        )
    )


def _check(settings: Settings, *, offline: bool) -> int:
    from agents.sources import build_sources
    from bot.check import Verdict, misspelt, run_check

    found = run_check(settings, build_sources(settings), offline=offline)
    for name in misspelt():
        print(f"{name}: not a variable of this program; see .env.example for the right spelling")
    width = max(len(finding.what) for finding in found)
    for finding in found:
        print(f"{finding.verdict:8}{finding.what:{width}}  {finding.sentence}")
    missing = [finding for finding in found if finding.verdict is Verdict.BAD]
    print("Ready: python -m bot run" if not missing else f"Not ready: {len(missing)} to fix.")
    return FAILED if missing else GOOD


def _copy(settings: Settings, command: str, file: Path) -> int:
    from agents.events import utc_now
    from bot.store.backup import backup, restore
    from bot.store.errors import StoreError

    try:
        if command == "backup":
            said = backup(settings.database_url, file)
        else:
            said = restore(settings.database_url, file, utc_now())
    except StoreError as error:
        print(error, file=sys.stderr)
        return FAILED
    print(said)
    return GOOD


def run_bot(settings: Settings, running: Running | None = None) -> int:
    """Run the bot, by ``running`` where it is not ``bot.app.run``, until told to end; returns the exit status."""
    if not settings.discord_token.get_secret_value():
        print(
            "DISCORD_TOKEN: not set. Copy the bot's token from the Discord developer portal into .env.",
            file=sys.stderr,
        )
        return BAD_ARGUMENT
    for number in (signal.SIGTERM, signal.SIGINT):  # until the bot itself listens: importing it takes a while
        signal.signal(number, _end_at_once)
    from bot.app import TokenRefused, keep_the_loop_responsive, run
    from bot.ingress.server import CannotListen
    from bot.store.errors import StoreError

    telemetry.set_up_logging(settings.log_level, as_json=settings.log_format == "json")
    flush = None
    if settings.otel_exporter_otlp_endpoint:
        flush = telemetry.export_traces(settings.otel_exporter_otlp_endpoint, "signals-scout")
    keep_the_loop_responsive()
    try:
        asyncio.run((running or run)(settings))
    except TokenRefused:
        print("DISCORD_TOKEN: Discord does not accept it. Copy it again from the developer portal.", file=sys.stderr)
        return FAILED
    except StoreError as error:
        print(f"DATABASE_URL: {error}", file=sys.stderr)
        return FAILED
    except CannotListen as error:
        print(error, file=sys.stderr)
        return FAILED
    finally:
        if flush is not None:
            flush()
    return GOOD


def _end_at_once(_number: int, _frame: object) -> None:
    raise SystemExit(GOOD)


if __name__ == "__main__":
    sys.exit(main())
