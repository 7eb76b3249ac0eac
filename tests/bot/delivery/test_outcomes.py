"""Every answer, and no answer, is what it certainly is: created, not created, unknown, or refused for good."""

from typing import Any

import pytest

from bot.cards import delivery as cards
from bot.delivery.outcomes import (
    NotSent,
    Refused,
    Sent,
    ShutOut,
    TokenWrong,
    Unfit,
    Unknown,
    of_error,
    of_reply,
)
from bot.delivery.rest import NoReply, NotReached, Reply
from tests.bot.delivery.fakes import refusal, reply

LIMIT = {"message": "You are being rate limited.", "retry_after": 3600.5, "global": False}


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 522, 524, 599, 408])
def test_a_failing_server_may_have_posted_it(status: int) -> None:
    assert isinstance(of_reply(reply(status, {"message": "x", "code": 0})), Unknown)
    assert isinstance(of_reply(reply(status)), Unknown)


@pytest.mark.parametrize("body", [None, {}, [], {"id": 5}, {"id": "x"}, {"message": {}, "id": "5"}])
def test_a_success_without_a_message_is_unknown(body: Any) -> None:
    assert isinstance(of_reply(reply(200, body)), Unknown)


def test_a_message_and_the_first_message_of_a_post_are_there() -> None:
    assert of_reply(reply(200, {"id": "12"})) == Sent(12)
    assert of_reply(reply(201, {"id": "7", "message": {"id": "12"}})) == Sent(12)


def test_an_empty_bucket_rests_and_a_broken_header_does_not_matter() -> None:
    headers = {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset_After": "2.5"}
    assert of_reply(reply(200, {"id": "12"}, **headers)) == Sent(12, 2.5)
    assert of_reply(reply(200, {"id": "12"}, **{**headers, "X_RateLimit_Remaining": "1"})) == Sent(12)
    assert of_reply(reply(200, {"id": "12"}, **{**headers, "X_RateLimit_Reset_After": "soon"})) == Sent(12)


def test_a_limit_says_for_how_long_and_whether_it_is_everybodys() -> None:
    assert of_reply(reply(429, LIMIT)) == NotSent("limited by Discord", 3600.5)
    assert of_reply(reply(429, {**LIMIT, "global": True})) == NotSent("limited by Discord", 3600.5, everywhere=True)
    shared = of_reply(reply(429, LIMIT, X_RateLimit_Scope="shared"))
    assert shared == NotSent("limited by Discord", 3600.5)
    assert of_reply(reply(429, LIMIT, X_RateLimit_Scope="global")) == NotSent(
        "limited by Discord", 3600.5, everywhere=True
    )


@pytest.mark.parametrize("answer", [Reply(429, None, {}), Reply(429, LIMIT, {}), reply(429), reply(429, {})])
def test_a_limit_that_discord_did_not_write_is_the_page_of_a_ban(answer: Reply) -> None:
    assert of_reply(answer) == ShutOut()


@pytest.mark.parametrize(
    ("status", "code"), [(404, 10003), (403, 50001), (403, 50013), (400, 50083), (400, 40067), (403, 0), (404, 0)]
)
def test_a_channel_that_takes_nothing_is_refused_with_words_that_name_the_fix(status: int, code: int) -> None:
    assert of_reply(refusal(status, code)) == Refused(code)
    assert cards.refused(code).endswith((".", "them."))


@pytest.mark.parametrize(("status", "code"), [(400, 50035), (413, 40005), (400, 200000), (404, 10087)])
def test_a_body_that_is_not_taken_is_unfit(status: int, code: int) -> None:
    assert of_reply(refusal(status, code)) == Unfit(code)
    assert cards.unfit(code)


def test_the_rest() -> None:
    assert of_reply(reply(401, {"message": "401: Unauthorized", "code": 0})) == TokenWrong()
    assert of_reply(reply(401)) == TokenWrong()
    assert of_reply(reply(413)) == Unfit(0)
    assert isinstance(of_reply(reply(403)), NotSent), "a page of something in between, not Discord's word"
    assert isinstance(of_reply(reply(302)), NotSent)
    assert isinstance(of_reply(refusal(403, 40333)), NotSent)
    assert of_error(NoReply("x")) == Unknown("x")
    assert of_error(NotReached("x")) == NotSent("x")
