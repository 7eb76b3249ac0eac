"""What the sources share: how several names are typed, and what upstreams without a search are searched by."""

import pytest

from agents.sources.items import each_once, has_words


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (None, ""),
        ("rust async", "Async in Rust, released"),
        ("relea", "Async in Rust, released"),
        ("the state of Rust", "Rust: its state"),
        ("決定", "日本銀行が利上げを決定"),
        ("日本銀行 決定", "日本銀行が利上げを決定"),
        ("苹果 手机", "苹果公司发布新款手机"),
    ],
)
def test_words_are_found_where_they_begin_and_in_scripts_without_spaces_anywhere(
    query: str | None, text: str
) -> None:
    assert has_words(query, None, text)


@pytest.mark.parametrize(
    ("query", "text"), [("rust", "trust"), ("rust", ""), ("猫", "黒犬が好き"), ("は 猫", "猫"), ("to be", "2b")]
)
def test_each_word_has_to_be_there(query: str, text: str) -> None:
    assert not has_words(query, text)


def lower(text: str) -> str:
    if not text.isalpha():
        raise ValueError(f"“{text}” is no word.")
    return text.lower()


def test_however_several_are_typed_they_are_the_same_question() -> None:
    typed = ("b+A", "a, B", " a  b a ", ",A+b,,")
    assert {each_once(text, lower, 2, "words") for text in typed} == {"a+b"}
    assert each_once("b;A", lower, 2, "words", between=";", joined=",") == "a,b"


@pytest.mark.parametrize(
    ("text", "said"),
    [("a b c", "At most 2 words at once; these are 3."), ("a 1", "“1” is no word."), (" , ", "“” is no word.")],
)
def test_what_is_wrong_with_several_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}$"):
        each_once(text, lower, 2, "words")
