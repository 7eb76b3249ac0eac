"""The words that tell what something is about are found, and those that everything has are not."""

from agents.ranking.telling import standing_out, telling_words


def test_a_text_is_about_its_rare_words_and_names() -> None:
    text = "I think that the new borrow checker in Rust, called Polonius, is what people have been waiting for"
    assert telling_words(text, 4) == ("borrow", "checker", "rust", "polonius")


def test_names_always_tell() -> None:
    assert telling_words("the talks of putin and clinton with china about microsoft", 4) == (
        "putin", "clinton", "china", "microsoft",
    )  # fmt: skip


def test_owners_are_searched_for_by_their_names() -> None:
    assert telling_words("Have you seen OpenAI’s tokenizer and Intel's compiler?", 4) == (
        "openai", "tokenizer", "intel", "compiler",
    )  # fmt: skip


def test_short_words_of_other_languages_come_last() -> None:
    assert telling_words("creo que la nueva ley de vivienda es buena", 2) == ("nueva", "vivienda")
    assert telling_words("я читал что Союз летит", 1) == ("союз",)


def test_scripts_without_spaces_tell_too() -> None:
    assert telling_words("日本銀行が利上げを決定、マーケットは", 4) == ("日本銀行", "利上", "決定", "マーケット")
    assert telling_words("苹果公司发布新款手机", 3) == ("苹果", "公司", "发布")
    assert telling_words("한국 은행이 금리를", 3) == ("한국", "은행이", "금리를")
    assert telling_words("猫が好き 🎉", 3) == ()
    found = standing_out(["大地震が発生"] * 4, ["猫が好き"] * 9, 5)
    assert {one.word for one in found} == {"大地震", "発生"}


def test_addresses_mentions_and_numbers_tell_nothing() -> None:
    assert telling_words("<@123> see https://example.org/quantum/news <#5> 2026 <t:17:R>", 5) == ()
    assert telling_words("", 5) == ()
    assert telling_words("the of and is", 5) == ()


def test_what_more_titles_have_than_before_stands_out() -> None:
    before = ["Rust and Python news", "Python tips", "Garden report", "Rust tips"] * 10
    recent = [
        "Python quake in Chile",
        "Quake damage in Chile",
        "Rust quake jokes",
        "Garden report",
        "Python tips",
    ] * 3
    found = standing_out(recent, before, 5)
    assert found[0].word == "quake"
    assert found[0].titles == 9
    assert found[0].before == 0
    assert [one.word for one in found][:2] == ["quake", "chile"]
    assert "python" not in {one.word for one in found}


def test_chance_does_not_stand_out() -> None:
    titles = ["alpha beta", "gamma delta", "epsilon zeta"] * 20
    assert standing_out(titles, titles, 5) == ()
    assert standing_out(["only once"], [], 5) == ()
    assert standing_out([], titles, 5) == ()


def test_a_title_counts_a_word_once() -> None:
    assert standing_out(["spam spam spam spam"] * 2, ["ham"] * 5, 5) == ()
