"""``python -m benchmarks [NAME...]``: measure and print the figures; status 1 if one is not as it must be."""

import argparse
import asyncio
import json
import logging
import os
import platform
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from benchmarks import (
    acknowledgement,
    bus,
    cpu,
    digest_faults,
    digests,
    discovery,
    event_flood,
    fairness,
    feeds,
    killed_digests,
    page,
    ranking,
    same_story,
    settings,
    single_flight,
    stalls,
)
from benchmarks.figure import Measure, Measured, NotMeasurable, Size

FIGURES: Mapping[str, Measure] = {
    module.NAME: module.measure
    for module in (
        cpu,
        acknowledgement,
        discovery,
        single_flight,
        bus,
        stalls,
        settings,
        fairness,
        digests,
        digest_faults,
        event_flood,
        same_story,
        feeds,
        ranking,
        page,
    )
}
LONG: Mapping[str, Measure] = {killed_digests.NAME: killed_digests.measure}
"""Measured only when named: they take half an hour."""
_FIGURE_WIDTH = 64


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = _parser().parse_args(argv)
    logging.getLogger().addHandler(logging.NullHandler())  # what is cut short at a measurement's end is no news
    size = Size.TINY if arguments.tiny else Size.FULL
    results: list[Measured] = []
    complete = True
    for name in arguments.names or FIGURES:
        if not arguments.json:
            print(f"measuring {name} …", file=sys.stderr)
        try:
            results += asyncio.run({**FIGURES, **LONG}[name](size))
        except NotMeasurable as missing:
            print(f"{name} was not measured. {missing}", file=sys.stderr)
            complete = False
    if arguments.json:
        figures = [{**asdict(result), "reached": result.reached} for result in results]
        print(
            json.dumps({"machine": machine(), "size": size.value, "figures": figures}, indent=2, ensure_ascii=False)
        )
    else:
        print(table(results))
        print(f"\n{machine()}")
    return 0 if complete and (size is Size.TINY or all(result.reached for result in results)) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what the project promises.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", choices=[[], *FIGURES, *LONG], help=f"of {', '.join((*FIGURES, *LONG))}"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--tiny", action="store_true", help="see that it works; the figures mean nothing")
    return parser


def table(results: Sequence[Measured]) -> str:
    """One row per figure, its details below it."""
    rows = []
    for result in results:
        sign = "exactly" if result.exactly else "≥" if result.at_least else "≤"
        must = f"{sign} {_number(result.limit, result)}"
        verdict = "pass" if result.reached else "FAIL"
        first, *rest = textwrap.wrap(result.figure, _FIGURE_WIDTH)
        rows.append(f"{first:{_FIGURE_WIDTH}}  {_number(result.value, result):>9}  {must:>10}  {verdict}")
        rows += rest
        rows += [f"  {line}" for line in textwrap.wrap(result.details, _FIGURE_WIDTH - 2)]
    head = f"{'figure':{_FIGURE_WIDTH}}  {'measured':>9}  {'must reach':>10}"
    return "\n".join([head, "-" * len(head), *rows])


def _number(value: float, result: Measured) -> str:
    if result.exactly:
        return f"{value:g}"
    return f"{value:.3f}" if not result.unit else f"{value:.{2 if value >= 0.1 else 4}f} {result.unit}"


def machine() -> str:
    """What it was measured on, in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    return (
        f"{cores} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"{when}, load {load}"
    )


if __name__ == "__main__":
    sys.exit(main())
