"""Random JSON, with the values that break decoders."""

from typing import Any

from hypothesis import strategies as st

ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(
        [
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59",
            2**70,
            -(2**70),
            1e300,
            -1e300,
            "",
            "\u0000",
            "javascript:alert(1)",
            "//",
            "http://[",
            [],
            {},
        ]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PATHS = st.lists(st.integers(0, 40), min_size=1, max_size=7).map(tuple)
