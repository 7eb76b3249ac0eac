"""What the history of a digest says about a run: why it failed, or which sources were missing."""

from collections.abc import Iterable, Mapping

from agents.events import SourceReport
from bot.cards.limits import shorten

LONGEST_NOTE = 500

NO_ANSWER = "The sources were asked again and again, and no answer came. The next run asks anew."
OUR_FAULT = "The digest could not be made because of a fault of ours; it is logged. The next run tries anew."


def failed_sources(reports: Iterable[SourceReport], titles: Mapping[str, str]) -> str:
    """Each source that did not answer, with what it said; empty when all did."""
    said = [
        f"{titles.get(report.source, report.source)}: {report.sentence or 'no answer.'}"
        for report in reports
        if not report.status.answered
    ]
    return shorten(" ".join(said), LONGEST_NOTE)


def nothing_to_ask(names: Iterable[str], titles: Mapping[str, str]) -> str:
    """All sources of a digest are off; without names: there is none at all."""
    off = ", ".join(titles.get(name, name) for name in names)
    if not off:
        return "No source is set up, so there was nothing to ask. The operator of this bot can set one up."
    return shorten(
        f"Switched off in this server: {off}. An admin can switch it on with /config, or choose other sources with "
        "/digest edit.",
        LONGEST_NOTE,
    )
