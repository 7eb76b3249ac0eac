"""JSON by the letter: what parsers read differently is refused, everything else is read as it is."""

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ingress.strict_json import DEEPEST, loads

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**19) + 1, 10**20 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(values, st.booleans())
def test_what_is_json_and_not_too_deep_is_read_as_it_is(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    if depth(value) <= DEEPEST:
        assert loads(text) == value
    else:
        with pytest.raises(ValueError, match="nested"):
            loads(text)


@given(st.text('{}[]",:\\ue0127.-+ntf \n/', max_size=30))
def test_whatever_comes_is_read_as_the_standard_library_does_or_refused(text: str) -> None:
    try:
        value = loads(text)
    except ValueError:
        return
    assert value == json.loads(text)
    assert not isinstance(value, float) or math.isfinite(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 1}', "a key is given twice"),
        ('[{"a": {"b": 1, "\\u0062": 2}}]', "a key is given twice"),
        ("NaN", "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ("[1e999]", "too large"),
        ("[-1e999]", "too large"),
        ("[" * 9 + "]" * 9, "nested more than 8 deep"),
        ('{"a":' * 9 + "1" + "}" * 9, "nested more than 8 deep"),
        ("9" * 21, "more than 20 digits"),
        ("\ufeff{}", "BOM"),
        ("{'a': 1}", "line 1, column 2"),
        ("[1,]", "not JSON"),
        ("{} {}", "not JSON"),
        ('"\t"', "not JSON"),
        ("// a comment\n{}", "not JSON"),
        ("", "not JSON"),
    ],
)
def test_what_is_refused_says_why(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        loads(text)


def test_brackets_in_strings_are_not_counted() -> None:
    assert loads(json.dumps(["[" * 100, '"' + "{" * 100, "\\"])) == ["[" * 100, '"' + "{" * 100, "\\"]


HOSTILE = (
    "[" * 65_536, '{"a":' * 13_000, '"\\' * 32_768, '"' * 65_536, "\\" * 65_536, '"' + "\\" * 65_535, "[]," * 21_000,
    "9" * 65_536, "1e" + "9" * 65_000, "[" + "0." + "1" * 65_000,
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:6])
def test_a_hostile_text_takes_no_more_time_than_its_length(text: str) -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match=r"not JSON|nested|digits|too large"):
        loads(text)
    assert time.process_time() - began < 0.5
