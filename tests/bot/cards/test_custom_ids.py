"""Buttons come back as they were sent; anything else is refused."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.cards.custom_ids import (
    AGAIN_PATTERN,
    PAGE_PATTERN,
    AgainButton,
    DigestControl,
    PageButton,
    PlanControl,
    parse,
    parse_digest,
    parse_plan,
)

ID = "0123456789abcdef0123"


@given(st.text("0123456789abcdef", min_size=20, max_size=20), st.integers(0, 99), st.integers(0, 2**64 - 1))
def test_what_was_written_is_read(answer_id: str, page: int, owner_id: int) -> None:
    for button in (PageButton(answer_id, page, owner_id), AgainButton(answer_id)):
        assert parse(str(button)) == button
        assert len(str(button)) <= 100


@pytest.mark.parametrize(
    "forged",
    [
        "", "s1:p:", f"s1:p:{ID}:0", f"s1:p:{ID}:-1:5", f"s1:p:{ID}:100:5", f"s1:p:{ID}:0:5:6", f"s1:p:{ID}:0:5 ",
        f"s1:p:{ID}:0:5\n", f" s1:a:{ID}", f"s1:a:{ID}\n", f"s1:a:{ID.upper()}", f"s1:a:{ID}0", f"s2:a:{ID}",
        f"s1:p:{ID}:٣:5", f"s1:p:{ID}:0:{'9' * 21}", f"s1:a:{ID[:-1]}'",
    ],
)  # fmt: skip
def test_a_forged_one_is_none(forged: str) -> None:
    assert parse(forged) is None


VERBS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=8)
NONCE = "0123456789abcdef01234567"


@settings(deadline=None)
@given(VERBS, st.text("0123456789abcdefABCXYZ_-", min_size=1, max_size=25), st.integers(1, 2**64 - 1),
       st.text("abcXYZ019_./+-", max_size=66))  # fmt: skip
def test_what_was_written_about_digests_is_read(verb: str, nonce: str, guild_id: int, detail: str) -> None:
    below, form = DigestControl(verb, nonce, ID), PlanControl(verb, guild_id, detail)
    assert parse_digest(str(below)) == below
    assert parse_plan(str(form)) == form
    assert max(len(str(below)), len(str(form))) <= 100
    assert [parse_plan(str(below)), parse_digest(str(form)), parse(str(below))] == [None] * 3


@pytest.mark.parametrize(
    "forged",
    [
        "d1:", f"d1:why:{NONCE}", f"d1:why:{NONCE}:{ID}:x", f"d1:why:{NONCE}xx:{ID}", f"d1:why:{NONCE}:{ID.upper()}",
        f"d1:why:{NONCE}:{ID}\n", f"d1:w:{NONCE}:{ID}", f"d1:why::{ID}", "e1:", "e1:make:0:", "e1:make:-1:",
        "e1:make::x", "e1:make:1:a b", f"e1:make:1:{'x' * 67}", "e1:make:1:\n", "e1:MAKE:1:", f"e1:make:{'9' * 21}:",
    ],
)  # fmt: skip
def test_a_forged_one_about_digests_is_none(forged: str) -> None:
    assert parse_digest(forged) is None
    assert parse_plan(forged) is None


@given(st.text(max_size=100))
def test_no_text_whatever_raises(custom_id: str) -> None:
    parse(custom_id)
    parse_digest(custom_id)
    parse_plan(custom_id)


def test_no_custom_id_fits_two_templates() -> None:
    page, again = str(PageButton(ID, 3, 7)), str(AgainButton(ID))
    assert re.fullmatch(PAGE_PATTERN, page)
    assert re.fullmatch(AGAIN_PATTERN, again)
    assert not re.fullmatch(PAGE_PATTERN, again)
    assert not re.fullmatch(AGAIN_PATTERN, page)
