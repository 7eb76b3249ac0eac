"""Buttons come back as they were sent; anything else is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cards.custom_ids import AGAIN_PATTERN, PAGE_PATTERN, AgainButton, PageButton, parse

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


@given(st.text(max_size=100))
def test_no_text_whatever_raises(custom_id: str) -> None:
    parse(custom_id)


def test_no_custom_id_fits_two_templates() -> None:
    page, again = str(PageButton(ID, 3, 7)), str(AgainButton(ID))
    assert re.fullmatch(PAGE_PATTERN, page)
    assert re.fullmatch(AGAIN_PATTERN, again)
    assert not re.fullmatch(PAGE_PATTERN, again)
    assert not re.fullmatch(AGAIN_PATTERN, page)
