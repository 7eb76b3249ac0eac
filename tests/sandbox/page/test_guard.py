"""Who is let in: this machine under its own names, others with a key, other sites' pages never."""

from __future__ import annotations

import aiohttp
import pytest

from sandbox.page.controls import Bot, Controls
from sandbox.page.guard import COOKIE, Guard, is_loopback
from sandbox.page.server import Page
from sandbox.page.stage import set_up
from sandbox.server import LocalDiscord


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("192.0.2.7", False)],
)
def test_what_counts_as_this_machine(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
    assert Guard(host).needs_key is not expected


@pytest.fixture
async def discord() -> LocalDiscord:
    return LocalDiscord()


async def status(url: str, path: str = "/", method: str = "GET", **headers: str) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url + path, headers=headers, allow_redirects=False) as answer,
    ):
        return answer.status


async def test_names_that_only_pretend_to_be_this_machine_are_refused(discord: LocalDiscord) -> None:
    async with discord, Page(discord, set_up(discord), Controls(discord, {}, Bot())) as page:
        url = page.url.rstrip("/")
        port = url.rpartition(":")[2]
        assert await status(url) == 200
        assert await status(url, Host=f"localhost:{port}") == 200
        assert await status(url, Host=f"evil.example:{port}") == 403
        assert await status(url, "/ws", Host="evil.example") == 403
        assert await status(url, Host="127.0.0.1.evil.example") == 403


async def test_pages_of_other_sites_can_neither_listen_nor_act(discord: LocalDiscord) -> None:
    async with discord, Page(discord, set_up(discord), Controls(discord, {}, Bot())) as page:
        url = page.url.rstrip("/")
        for origin in ("https://evil.example", "http://127.0.0.1:1", "null"):
            assert await status(url, "/upload", "POST", Origin=origin) == 403
            async with aiohttp.ClientSession() as session:
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await session.ws_connect(f"{url}/ws", headers={"Origin": origin})
                assert refused.value.status == 403
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{url}/ws", headers={"Origin": url}) as own,
        ):
            assert (await own.receive_json())["kind"] == "snapshot"


async def test_every_answer_forbids_what_the_page_does_not_need(discord: LocalDiscord) -> None:
    async with (
        discord,
        Page(discord, set_up(discord), Controls(discord, {}, Bot())) as page,
        aiohttp.ClientSession() as session,
    ):
        for path in ("", "static/app.js", "static/none.js", "files/none"):
            async with session.get(page.url + path) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_elsewhere_each_browser_needs_a_key_of_its_own(discord: LocalDiscord) -> None:
    told: list[str] = []
    controls = Controls(discord, {}, Bot())
    async with discord, Page(discord, set_up(discord), controls, host="0.0.0.0", on_key=told.append) as page:
        address, _, key = page.url.partition("?key=")
        url = address.replace("0.0.0.0", "127.0.0.1").rstrip("/")
        assert await status(url) == 403
        assert await status(url, "/static/app.js") == 403
        assert await status(url, "/ws") == 403
        assert await status(url, "/?key=guessed") == 403
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as first:
            async with first.get(f"{url}/?key={key}") as answer:
                assert answer.status == 200
                assert answer.url.query_string == ""
            async with first.ws_connect(f"{url}/ws") as socket:
                assert (await socket.receive_json())["kind"] == "snapshot"
            (cookie,) = jar
            assert cookie.key == COOKIE
            assert cookie["httponly"]
            assert cookie["samesite"] == "Strict"
        assert await status(url, f"/?key={key}") == 403
        assert told == [page.guard.key]
        assert await status(url, f"/?key={told[0]}") == 303
