"""Which sources the demo's bot reads: samples, unless the real ones are asked for and answer."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from bot import demo_sources
from bot.demo_sources import ADDRESSES, environment, reachable
from sandbox.upstreams import SampleUpstreams

NOBODY = "http://127.0.0.1:9/"


@pytest.fixture
async def there() -> AsyncIterator[str]:
    """Something that answers, if only with a refusal, and at ``/late`` too late."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/late":
            await asyncio.sleep(1)
        return web.Response(status=403)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def test_what_answers_at_all_is_reachable_and_nothing_else_is(
    there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_sources, "REACH_TIMEOUT_S", 0.05)
    nowhere = dict.fromkeys(ADDRESSES.values(), NOBODY)
    variables = {**nowhere, "REDDIT_URL": there, "NEWS_FEEDS": f"{there}late, {there}"}
    assert await reachable(variables) == {"reddit"}
    assert await reachable({**variables, "NEWS_FEEDS": there}) == {"reddit", "news"}
    assert await reachable({**variables, "REDDIT_URL": "no address"}) == set()
    assert await reachable(dict.fromkeys(ADDRESSES.values(), there)) == set(ADDRESSES)


async def test_what_is_live_is_read_where_the_operator_says_and_the_rest_are_samples() -> None:
    async with SampleUpstreams() as upstreams:
        samples = upstreams.env()
        theirs = {
            "REDDIT_CLIENT_ID": "mine",
            "X_BEARER_TOKEN": "costs money",
            "NEWS_FEEDS": "https://feeds.example/a",
            "FETCH_ALLOW": "10.0.0.1:80",
            "DISCORD_TOKEN": "real",
        }
        assert environment(upstreams, set(), theirs) == samples
        live = environment(upstreams, {"reddit", "news"}, theirs)
        assert live["REDDIT_CLIENT_ID"] == "mine"
        assert live["NEWS_FEEDS"] == "https://feeds.example/a"
        assert "REDDIT_URL" not in live
        assert live["HACKERNEWS_API_URL"] == samples["HACKERNEWS_API_URL"]
        assert live["X_BEARER_TOKEN"] == samples["X_BEARER_TOKEN"]
        assert live["FETCH_ALLOW"] == f"{samples['FETCH_ALLOW']},10.0.0.1:80"
        assert "DISCORD_TOKEN" not in live
