"""``python -m agents reddit news`` prints ranked signals, ``python -m agents capabilities`` what agents declare."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from io import TextIOWrapper
from typing import Any

from agents import telemetry
from agents.agent import AgentCapability
from agents.assembly import running_scout
from agents.bus.memory import MemoryBus
from agents.discovery import Discovery
from agents.events import SourceReport, SourceRequest, SourceStatus, utc_now
from agents.scout import AGENT_ID, SCOUT_CONFIG, SignalsScout
from agents.settings import BadSettings, SourceSettings, read_settings
from agents.signal import Signal, Timeframe

ANSWERED, NONE_ANSWERED, BAD_ARGUMENT = 0, 1, 2
_MARKS = {SourceStatus.OK: "+", SourceStatus.CACHED: "+", SourceStatus.EMPTY: "o", SourceStatus.STALE: "~"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 if any source answered, 1 if none, 2 for a bad argument."""
    arguments = _parser().parse_args(argv)
    if arguments.sources == ["capabilities"]:
        _print_capabilities({AGENT_ID: SignalsScout.capabilities}, as_json=arguments.json)
        return ANSWERED
    try:
        settings = read_settings(SourceSettings)
    except BadSettings as error:
        print(error, file=sys.stderr)
        return BAD_ARGUMENT
    quiet = "WARNING" if settings.log_level == "INFO" else settings.log_level
    telemetry.set_up_logging(quiet, as_json=settings.log_format == "json")
    if isinstance(sys.stdout, TextIOWrapper):  # a title must not end the program where the terminal is not UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return asyncio.run(_scan(arguments, settings))
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m agents", description="Find, rank and deduplicate what is fresh and worth knowing."
    )
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="sources to scan, such as reddit hackernews news github; or the word capabilities",
    )
    parser.add_argument("--query", default=None, help="words to look for (default: the best of everything)")
    parser.add_argument(
        "--timeframe", default=Timeframe.DAY, choices=list(map(str, Timeframe)), help="how far back (default: 24h)"
    )
    parser.add_argument("--limit", type=_between(1, 100), default=10, help="how many signals, 1 to 100 (default: 10)")
    parser.add_argument(
        "--concurrency", type=_between(1, 100), default=None, help="scans at once, 1 to 100 (default: all sources)"
    )
    parser.add_argument(
        "--timeout", type=_between(1, 600), default=30, help="seconds for the whole scan, 1 to 600 (default: 30)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")
    return parser


def _between(least: int, most: int) -> Any:
    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be from {least} to {most}, not {value}")
        return value

    number.__name__ = "whole number"
    return number


async def _scan(arguments: argparse.Namespace, settings: SourceSettings) -> int:
    config = SCOUT_CONFIG.model_copy(update={"timeout_s": float(arguments.timeout)})
    async with running_scout(settings, MemoryBus(), config) as scout:
        known = [spec.name for spec in scout.specs]
        unknown = [name for name in arguments.sources if name not in known]
        if unknown:
            print(f"No such source: {', '.join(unknown)}. Known: {', '.join(known)}.", file=sys.stderr)
            return BAD_ARGUMENT
        discovery = await _discover(scout, arguments)
    if arguments.json:
        print(json.dumps(_as_json(discovery, arguments), indent=2, ensure_ascii=False))
    else:
        _print_table(discovery, arguments)
    return ANSWERED if any(report.status.answered for report in discovery.reports) else NONE_ANSWERED


async def _discover(scout: SignalsScout, arguments: argparse.Namespace) -> Discovery:
    names = list(dict.fromkeys(arguments.sources))
    return await scout.discover_signals(
        [SourceRequest(name=name) for name in names],
        arguments.timeframe,
        query=arguments.query,
        limit=arguments.limit,
        concurrency=arguments.concurrency,
    )


def _as_json(discovery: Discovery, arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "agent": AGENT_ID,
        "query": arguments.query,
        "timeframe": str(arguments.timeframe),
        "found": discovery.found,
        "count": len(discovery.signals),
        "signals": [signal.model_dump(mode="json") for signal in discovery.signals],
        "reports": [report.model_dump(mode="json") for report in discovery.reports],
    }


def _print_table(discovery: Discovery, arguments: argparse.Namespace) -> None:
    now = utc_now()
    asked = f' about "{arguments.query}"' if arguments.query else ""
    shown = f"{len(discovery.signals)} of {discovery.found} signals"
    print(f"{shown}{asked}, {Timeframe(arguments.timeframe).label}\n")
    for number, signal in enumerate(discovery.signals, 1):
        print(f"{number:3}. {signal.score:.2f}  {signal.title}")
        print(f"           {_facts(signal, now)}")
        print(f"           {signal.url}")
        for place in signal.also_in:
            print(f"           also on {place.origin or place.source}: {place.url}")
    if discovery.signals:
        print()
    for report in discovery.reports:
        print(_report_line(report))


def _facts(signal: Signal, now: datetime) -> str:
    votes = signal.engagement
    facts = [signal.origin or signal.source, _age(signal.timestamp, now)]
    if votes.points is not None:
        facts.append(f"{votes.points:,} points")
    if votes.comments is not None:
        facts.append(f"{votes.comments:,} comments")
    return "  ".join([*facts, f"[{signal.id}]"])


def _age(moment: datetime, now: datetime) -> str:
    minutes = max(0, int((now - moment).total_seconds() // 60))
    if minutes < 60:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"


def _report_line(report: SourceReport) -> str:
    said = f": {report.sentence}" if report.sentence else ""
    mark = _MARKS.get(report.status, "!")
    return f"{mark} {report.source}  {report.status}, {report.count} found in {report.duration_s:.1f} s{said}"


def _print_capabilities(declared: dict[str, tuple[AgentCapability, ...]], *, as_json: bool) -> None:
    if as_json:
        content = {agent: [capability.model_dump() for capability in found] for agent, found in declared.items()}
        print(json.dumps(content, indent=2))
        return
    for agent, capabilities in declared.items():
        print(agent)
        for capability in capabilities:
            print(f"  {capability.name}: {capability.description}")
            print(f"    takes {', '.join(capability.input_types)}; gives {', '.join(capability.output_types)}")


if __name__ == "__main__":
    sys.exit(main())
