"""The sample upstreams, read by the unmodified sources through the real fetch layer."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import pytest

from agents.errors import AccessDenied, NotFound, RateLimited, SourceError, Unreachable, UpstreamFailed
from agents.events import utc_now
from agents.fetch.addresses import parse_allow
from agents.fetch.http import HttpFetch
from agents.settings import SourceSettings
from agents.signal import Timeframe
from agents.source import Question, Scan, Source
from agents.sources import build_sources
from agents.sources.news import News
from sandbox.upstreams import Fault, SampleUpstreams


def settings(env: Mapping[str, str]) -> SourceSettings:
    """What the operator's settings make of that environment."""
    return SourceSettings.model_validate({name.lower(): value for name, value in env.items()})


ALL = [source.spec.name for source in build_sources(SourceSettings.model_construct())]


@asynccontextmanager
async def demo() -> AsyncIterator[tuple[SampleUpstreams, dict[str, Source], HttpFetch]]:
    """The upstreams, the sources that the environment for them makes, and the fetch layer that it allows."""
    async with SampleUpstreams() as upstreams:
        env = upstreams.env()
        async with HttpFetch(user_agent="test", allow=parse_allow(env["FETCH_ALLOW"])) as fetch:
            sources = {source.spec.name: source for source in build_sources(settings(env))}
            try:
                yield upstreams, sources, fetch
            finally:
                await cast("News", sources["news"]).close()


async def ask(
    source: Source, fetch: HttpFetch, query: str | None = None, timeframe: Timeframe = Timeframe.DAY, **options: str
) -> Scan:
    return await source.scan(Question(options, query, timeframe, 100, utc_now()), fetch)


@pytest.mark.parametrize("name", ALL)
async def test_every_source_finds_recent_marked_samples(name: str) -> None:
    async with demo() as (_, sources, fetch):
        scan = await ask(sources[name], fetch)

    assert len(scan.signals) >= 15
    assert all("[sample]" in signal.title for signal in scan.signals)
    assert not scan.partial


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("query", ["python", "rust"])
async def test_a_query_finds_what_matches_it(name: str, query: str) -> None:
    async with demo() as (_, sources, fetch):
        scan = await ask(sources[name], fetch, query, Timeframe.WEEK)

    assert scan.signals
    assert all(query in f"{signal.title} {signal.excerpt}".lower() for signal in scan.signals)


async def test_longer_timeframes_find_more_and_stories_stand_in_several_places() -> None:
    async with demo() as (_, sources, fetch):
        counts = [len((await ask(sources["hackernews"], fetch, timeframe=each)).signals) for each in Timeframe]
        reddit = {signal.url for signal in (await ask(sources["reddit"], fetch)).signals}
        hackernews = {signal.url for signal in (await ask(sources["hackernews"], fetch)).signals}

    assert counts == sorted(counts)
    assert 0 < counts[0] < counts[2] < counts[4]
    assert len(reddit & hackernews) >= 5


async def test_a_subreddit_is_honoured() -> None:
    async with demo() as (_, sources, fetch):
        scan = await ask(sources["reddit"], fetch, subreddit="python+rust")

    assert {signal.origin for signal in scan.signals} == {"r/python", "r/rust"}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.ERROR, UpstreamFailed),
        (Fault.RATE_LIMITED, RateLimited),
        (Fault.GARBAGE, SourceError),
        (Fault.CUT, Unreachable),
    ],
)
@pytest.mark.parametrize("name", ["hackernews", "bluesky", "mastodon", "github", "stackexchange"])
async def test_an_upstream_told_to_fail_fails_alone(name: str, fault: Fault, expected: type[SourceError]) -> None:
    async with demo() as (upstreams, sources, fetch):
        upstreams.behaviours[name].fault = fault
        with pytest.raises(expected):
            await ask(sources[name], fetch)
        assert (await ask(sources["reddit"], fetch)).signals
        upstreams.behaviours[name].fault = Fault.NONE
        assert (await ask(sources[name], fetch)).signals


async def test_a_wrong_key_is_refused() -> None:
    async with demo() as (upstreams, _, fetch):
        reddit = build_sources(settings({**upstreams.env(), "REDDIT_CLIENT_SECRET": "wrong"}))[0]
        with pytest.raises(AccessDenied):
            await ask(reddit, fetch)


@pytest.mark.parametrize(
    ("name", "variables", "options", "kind", "words"),
    [
        ("github", {"GITHUB_TOKEN": "wrong"}, {}, AccessDenied, "Check GITHUB_TOKEN"),
        ("github", {}, {"repo": "nobody/nothing"}, NotFound, "no nobody/nothing"),
        ("stackexchange", {"STACKEXCHANGE_KEY": "wrong"}, {}, AccessDenied, "Check STACKEXCHANGE_KEY"),
        ("stackexchange", {}, {"site": "nowhere"}, NotFound, "no site “nowhere”"),
    ],
)
async def test_what_a_refusal_says_in_its_body_reaches_people(
    name: str, variables: dict[str, str], options: dict[str, Any], kind: type[SourceError], words: str
) -> None:
    async with demo() as (upstreams, _, fetch):
        sources = {each.spec.name: each for each in build_sources(settings({**upstreams.env(), **variables}))}
        with pytest.raises(kind, match=words):
            await ask(sources[name], fetch, **options)


async def test_releases_and_tags_are_found_too() -> None:
    async with demo() as (_, sources, fetch):
        releases = await ask(sources["github"], fetch, repo="ojalvo/queuepond", timeframe=Timeframe.MONTH)
        tagged = await ask(sources["mastodon"], fetch, tag="python+rust", timeframe=Timeframe.WEEK)
    assert len(releases.signals) == 4
    assert {signal.origin for signal in tagged.signals} == {"#python", "#rust"}


async def test_bluesky_gives_one_page_only_as_at_the_original() -> None:
    async with SampleUpstreams() as upstreams, aiohttp.ClientSession() as session:
        url = f"{upstreams.base_url('bluesky')}/xrpc/app.bsky.feed.searchPosts"
        for params, status in (({"q": "rust"}, 200), ({"q": "rust", "cursor": "100"}, 403), ({}, 400)):
            async with session.get(url, params=params) as response:
                assert response.status == status


async def test_votes_cannot_be_filtered_as_at_the_original() -> None:
    async with SampleUpstreams() as upstreams, aiohttp.ClientSession() as session:
        url = f"{upstreams.base_url('hackernews')}/api/v1/search"
        async with session.get(url, params={"numericFilters": "points>10"}) as response:
            assert response.status == 400
