"""How long to leave an upstream alone: every way of saying it means the same, and nonsense means nothing."""

from datetime import UTC, datetime

import pytest

from agents.fetch.waits import reset_s, retry_after_s, spoken, used_up_s

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("3601", 3600.0),
        ("9" * 5_000, 3600.0),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("１２", None),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120.0),
        ("Sunday, 01-Mar-26 12:02:00 GMT", 120.0),
        ("Sun Mar  1 12:02:00 2026", 120.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("Fri, 99 Dec 99999 99:99:99 GMT", None),
        ("Sun, 01 Mar 2026 12:02:00 +9999", None),
    ],
)
def test_retry_after_in_both_forms_within_reason(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"x-ratelimit-reset": "213"}, 213.0),
        ({"x-ratelimit-reset": "213.5"}, 213.5),
        ({"x-rate-limit-reset": str(int(NOW.timestamp()) + 600)}, 600.0),
        ({"x-rate-limit-reset": str(int(NOW.timestamp()) - 600)}, None),
        ({"x-rate-limit-reset": str(int(NOW.timestamp()) + 90_000)}, 3600.0),
        ({"ratelimit-reset": "30"}, 30.0),
        ({"x-ratelimit-reset": "nan"}, None),
        ({"x-ratelimit-reset": "-1"}, None),
        ({"x-ratelimit-reset": "9" * 400}, None),
        ({"x-ratelimit-reset": "2026-03-01T12:00:30Z"}, 30.0),
        ({"x-ratelimit-reset": "2026-03-01T12:05:00.500000Z"}, 300.5),
        ({"x-ratelimit-reset": "2026-03-01T14:00:30+02:00"}, 30.0),
        ({"x-ratelimit-reset": "2026-03-01T12:00:30"}, 30.0),
        ({"x-ratelimit-reset": "2026-03-01T11:00:00Z"}, None),
        ({"x-ratelimit-reset": "2026-03-09T12:00:00Z"}, 3600.0),
        ({"x-ratelimit-reset": "2026-99-01T12:00:30Z"}, None),
        ({"x-ratelimit-reset": "0001-01-01T00:00:00+14:00"}, None),
        ({"x-ratelimit-reset": "tomorrow"}, None),
    ],
)
def test_a_reset_header_is_seconds_left_a_unix_time_or_an_iso_time(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert reset_s(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"x-ratelimit-reset": "213"}, 0.0),
        ({"x-ratelimit-remaining": "0"}, 0.0),
        ({"x-ratelimit-remaining": "1", "x-ratelimit-reset": "213"}, 0.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "213"}, 213.0),
        ({"x-ratelimit-remaining": "0.0", "x-ratelimit-reset": "213.5"}, 213.5),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(NOW.timestamp()) + 60)}, 60.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": str(int(NOW.timestamp()) + 60)}, 60.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2026-03-01T12:05:00.000000Z"}, 300.0),
        ({"x-ratelimit-remaining": "none", "x-ratelimit-reset": "213"}, 0.0),
        ({"x-ratelimit-remaining": "-1", "x-ratelimit-reset": "213"}, 0.0),
    ],
)
def test_only_what_is_used_up_asks_for_a_wait(headers: dict[str, str], seconds: float) -> None:
    assert used_up_s(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("wait_s", "words"), [(0.2, "1 s"), (59.1, "60 s"), (120, "120 s"), (121, "3 min"), (3600, "60 min")]
)
def test_a_wait_is_told_to_people_and_never_cut_short(wait_s: float, words: str) -> None:
    assert spoken(wait_s) == words
