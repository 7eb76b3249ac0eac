"""What the demo's bot reads: sample upstreams, or with ``--live`` the real public ones that can be reached."""

import asyncio
import os
from collections.abc import Collection, Mapping

import aiohttp

from agents.settings import SourceSettings
from sandbox.upstreams import SampleUpstreams

REACH_TIMEOUT_S = 4.0
TITLES = {
    "reddit": "Reddit", "hackernews": "Hacker News", "news": "News", "x": "X", "bluesky": "Bluesky",
    "mastodon": "Mastodon", "github": "GitHub", "stackexchange": "Stack Exchange", "lobsters": "Lobsters",
    "youtube": "YouTube", "arxiv": "arXiv", "gdelt": "GDELT",
}  # fmt: skip
_VARIABLES = {
    "reddit": ("REDDIT_URL", "REDDIT_API_URL", "REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET", "REDDIT_USERNAME",
               "REDDIT_SUBREDDITS"),
    "hackernews": ("HACKERNEWS_API_URL",),
    "news": ("NEWS_FEEDS",),
    "bluesky": ("BLUESKY_API_URL",),
    "mastodon": ("MASTODON_URL", "MASTODON_TOKEN"),
    "github": ("GITHUB_API_URL", "GITHUB_TOKEN"),
    "stackexchange": ("STACKEXCHANGE_API_URL", "STACKEXCHANGE_KEY"),
    "lobsters": ("LOBSTERS_URL",),
    "youtube": ("YOUTUBE_URL", "YOUTUBE_CHANNELS"),
    "arxiv": ("ARXIV_API_URL",),
    "gdelt": ("GDELT_API_URL",),
}  # fmt: skip
"""What says where a source is, its address first. X is not among them: it bills every post, so the demo reads the
sample."""
ADDRESSES = {name: variables[0] for name, variables in _VARIABLES.items()}
"""By source, the variable with its address; of ``NEWS_FEEDS`` the first counts."""


async def reachable(variables: Mapping[str, str] = os.environ) -> set[str]:
    """Which of the real public sources answer at all, at the addresses that the environment says."""
    addresses = {name: _address(variable, variables) for name, variable in ADDRESSES.items()}
    timeout = aiohttp.ClientTimeout(total=REACH_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        found = await asyncio.gather(*(_answers(session, address) for address in addresses.values()))
    return {name for name, answers in zip(addresses, found, strict=True) if answers}


def _address(variable: str, variables: Mapping[str, str]) -> str:
    """What the variable says, or its default; of a list the first."""
    usual = SourceSettings.model_fields[variable.lower()].default
    text = variables.get(variable) or (usual if isinstance(usual, str) else usual[0])
    return text.split(",")[0].strip()


async def _answers(session: aiohttp.ClientSession, address: str) -> bool:
    """Any status will do: what a source makes of a bare request is its own affair."""
    try:
        async with session.get(address, allow_redirects=False):
            return True
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False


def environment(
    upstreams: SampleUpstreams, live: Collection[str], variables: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The variables that point the bot at the samples, but for the sources in ``live``, which stay as they are."""
    made = upstreams.env()
    for name in live:
        for variable in _VARIABLES[name]:
            made.pop(variable, None)
            if variables.get(variable):
                made[variable] = variables[variable]
    if live and variables.get("FETCH_ALLOW"):
        made["FETCH_ALLOW"] += "," + variables["FETCH_ALLOW"]
    return made
