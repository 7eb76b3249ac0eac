"""What upstreams that cannot search themselves are searched by."""

import pytest

from agents.sources.items import has_words


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (None, ""),
        ("rust async", "Async in Rust, released"),
        ("relea", "Async in Rust, released"),
        ("決定", "日本銀行が利上げを決定"),
        ("日本銀行 決定", "日本銀行が利上げを決定"),
        ("苹果 手机", "苹果公司发布新款手机"),
    ],
)
def test_words_are_found_where_they_begin_and_in_scripts_without_spaces_anywhere(
    query: str | None, text: str
) -> None:
    assert has_words(query, None, text)


@pytest.mark.parametrize(("query", "text"), [("rust", "trust"), ("rust", ""), ("猫", "黒犬が好き"), ("は 猫", "猫")])
def test_each_word_has_to_be_there(query: str, text: str) -> None:
    assert not has_words(query, text)
