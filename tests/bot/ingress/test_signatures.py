"""Signatures: what the Standard Webhooks library accepts and is well formed is accepted, and nothing else."""

import base64
import hashlib
import hmac
import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from standardwebhooks import Webhook

from bot.ingress.signatures import TOLERANCE_S, NotSigned, Signatures, Signed, parse_secrets

NOW = datetime(2026, 8, 1, 12, 0, 0, 400_000, tzinfo=UTC)
KEYS = tuple(hashlib.sha256(name).digest() for name in (b"first", b"second", b"third"))
BODY = '{"type": "workflow:started", "data": {"query": "zażółć"}}'.encode()


def secret(key: bytes) -> str:
    return f"whsec_{base64.b64encode(key).decode()}"


def signed(
    body: bytes = BODY, key: bytes = KEYS[0], webhook_id: str = "msg_1", at: datetime = NOW
) -> CIMultiDict[str]:
    """As the specification has it, without any library."""
    timestamp = str(int(at.timestamp()))
    content = b".".join((webhook_id.encode(), timestamp.encode(), body))
    signature = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    return CIMultiDict(
        {"webhook-id": webhook_id, "Webhook-Timestamp": timestamp, "WEBHOOK-SIGNATURE": f"v1,{signature}"}
    )


@pytest.fixture
def signatures() -> Signatures:
    return Signatures(KEYS[:2], lambda: NOW)


def test_what_any_of_the_secrets_signed_is_accepted(signatures: Signatures) -> None:
    assert signatures.check(signed(), BODY) == Signed("msg_1", 0)
    assert signatures.check(signed(key=KEYS[1]), BODY) == Signed("msg_1", 1)


def test_the_examples_of_the_specification_and_of_the_library_are_accepted() -> None:
    (key,) = parse_secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = CIMultiDict(
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        }
    )
    body = b'{"test": 2432232314}'
    assert Signatures([key], lambda: at).check(headers, body).webhook_id == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    headers["webhook-signature"] = Webhook(key).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body.decode())
    assert Signatures([key], lambda: at).check(headers, body).secret == 0


@given(st.text(), st.from_regex(r"[\x21-\x7e]{1,256}", fullmatch=True), st.integers(-TOLERANCE_S, TOLERANCE_S))
def test_what_the_library_signs_is_accepted_and_what_is_signed_by_the_letter_the_library_accepts(
    text: str, webhook_id: str, off_s: int
) -> None:
    at = datetime.now(UTC) + timedelta(seconds=off_s)
    headers = signed(text.encode(), webhook_id=webhook_id, at=at)
    signature = Webhook(KEYS[0]).sign(webhook_id, at, text)
    assert headers["webhook-signature"] == signature
    if abs(off_s) < TOLERANCE_S - 5:  # the library reads the clock itself
        Webhook(KEYS[0]).verify(text, {name.lower(): value for name, value in headers.items()}, json_parse=False)
    assert Signatures(KEYS, lambda: at).check(headers, text.encode()).webhook_id == webhook_id


@given(st.sampled_from(("webhook-id", "webhook-timestamp", "webhook-signature", "body")), st.data())
def test_whatever_is_changed_it_is_accepted_no_more(what: str, data: st.DataObject) -> None:
    headers, body = signed(), BODY
    if what == "body":
        place = data.draw(st.integers(0, len(body) - 1))
        body = body[:place] + bytes((body[place] ^ data.draw(st.integers(1, 255)),)) + body[place + 1 :]
    else:
        other = data.draw(st.text(max_size=60).filter(lambda text: text != headers[what]))
        headers[what] = other
    with pytest.raises(NotSigned):
        Signatures(KEYS[:1], lambda: NOW).check(headers, body)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_header_is_there_exactly_once(signatures: Signatures, name: str) -> None:
    missing, twice = signed(), signed()
    del missing[name]
    twice.add(name, twice[name])
    for headers in (missing, twice):
        with pytest.raises(NotSigned, match=f"{name} is there"):
            signatures.check(headers, BODY)


@pytest.mark.parametrize("off_s", [-TOLERANCE_S, -1, 0, 1, TOLERANCE_S])
def test_a_clock_may_be_five_minutes_off(off_s: int) -> None:
    headers = signed(at=NOW.replace(microsecond=0) + timedelta(seconds=off_s))
    assert Signatures(KEYS, lambda: NOW.replace(microsecond=0)).check(headers, BODY)


@pytest.mark.parametrize(("off_s", "words"), [(-TOLERANCE_S - 1, "301 s in the past"), (TOLERANCE_S + 1, "future")])
def test_older_and_later_messages_are_refused(off_s: int, words: str) -> None:
    headers = signed(at=NOW.replace(microsecond=0) + timedelta(seconds=off_s))
    with pytest.raises(NotSigned, match=words):
        Signatures(KEYS, lambda: NOW.replace(microsecond=0)).check(headers, BODY)


@pytest.mark.parametrize(
    "timestamp",
    ["", "now", "1e9", "nan", "inf", "-1", " 1785585600", "1785585600.0", "01785585600", "1_785_585_600", "9" * 400,
     "999999999999", "１７８５５８５６００", "0x6a6e1080"],
)  # fmt: skip
def test_a_time_that_is_not_in_plain_seconds_is_refused(signatures: Signatures, timestamp: str) -> None:
    content = b".".join((b"msg_1", timestamp.encode(), BODY))
    signature = base64.b64encode(hmac.digest(KEYS[0], content, "sha256")).decode()
    headers = CIMultiDict(
        {"webhook-id": "msg_1", "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}
    )
    with pytest.raises(NotSigned):
        signatures.check(headers, BODY)


def test_one_of_several_signatures_is_enough_and_others_are_never_an_error(signatures: Signatures) -> None:
    headers = signed()
    good = headers["webhook-signature"]
    for given_signatures in (
        f"v1a,abc {good}", f"{good} v2,?", f"v1, {good}", f", {good}", f"v1 {good}", f"ünïcödé {good}",
        f"\udcff {good}",
    ):  # fmt: skip
        headers["webhook-signature"] = given_signatures
        assert signatures.check(headers, BODY).webhook_id == "msg_1"


@pytest.mark.parametrize(
    "altered",
    [
        "",
        "v1,",
        "v1",
        "{0}x",
        "x{0}",
        "v2{0}",
        "{0},",
        "{1}",
        "V1,{1}",
        "v1a,{1}",
        "v1,{1}{1}",
        "v1, {1}",
        "x " * 16 + "{0}",
    ],
)
def test_other_spellings_of_a_good_signature_are_refused(signatures: Signatures, altered: str) -> None:
    headers = signed()
    good = headers["webhook-signature"]
    headers["webhook-signature"] = altered.format(good, good.removeprefix("v1,"))
    with pytest.raises(NotSigned, match="no secret has signed this"):
        signatures.check(headers, BODY)


@pytest.mark.parametrize("webhook_id", ["", "a" * 257, "a b", "ü", "a\x7f", "a\n"])
def test_an_id_is_at_most_256_visible_characters(signatures: Signatures, webhook_id: str) -> None:
    with pytest.raises(NotSigned, match="webhook-id"):
        signatures.check(signed(webhook_id=webhook_id), BODY)


def test_a_body_that_is_not_utf8_is_refused(signatures: Signatures) -> None:
    body = '{"query": "für"}'.encode("latin-1")
    with pytest.raises(NotSigned, match="UTF-8"):
        signatures.check(signed(body), body)


def test_without_secrets_nothing_is_signed() -> None:
    with pytest.raises(NotSigned):
        Signatures((), lambda: NOW).check(signed(), BODY)


def test_every_signature_is_compared_with_that_of_every_secret_whichever_fits(
    signatures: Signatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[bool] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(hmac.compare_digest(one, other))
        return compared[-1]

    monkeypatch.setattr("bot.ingress.signatures.hmac", SimpleNamespace(compare_digest=compare))
    good, other = signed()["webhook-signature"], signed(key=KEYS[1])["webhook-signature"]
    for given_signatures in (f"{good} v1,x v1,y", f"v1,x v1,y {other}", "v1,x v1,y v1,z"):
        compared.clear()
        headers = signed()
        headers["webhook-signature"] = given_signatures
        with suppress(NotSigned):
            signatures.check(headers, BODY)
        assert len(compared) == 6


def test_secrets_are_read_with_and_without_padding_several_separated_by_spaces() -> None:
    key = os.urandom(32)
    assert parse_secrets(f"  {secret(key)} \n {secret(KEYS[0]).rstrip('=')} ") == (key, KEYS[0])
    assert parse_secrets("") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hunter2", "begins with whsec_"),
        (f"{secret(KEYS[0])},{secret(KEYS[1])}", "not base64"),
        (f"{secret(KEYS[0])} hunter2", "begins with whsec_"),
        ("whsec_", "too weak"),
        (secret(b"hunter2"), "too weak"),
        (secret(KEYS[0][:23]), "too weak"),
        (secret(b"hunter2" * 1000), "too weak"),
        (secret(bytes(64)), "too weak"),
        ("whsec_hunter-2_" + "a" * 40, "not base64"),
        ("whsec_" + "a" * 41, "not base64"),
        ("whsec_ünïcödé", "not base64"),
    ],
)
def test_a_secret_that_is_none_or_weak_is_refused_in_words_that_do_not_show_it(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        parse_secrets(text)
    assert "hunter" not in str(refused.value)
    assert text[6:] not in str(refused.value) or text == "whsec_"
    assert refused.value.__cause__ is None
