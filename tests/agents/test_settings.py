"""What an operator sets: every variable read, every mistake one line with the name and the fix, never the value."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from agents.settings import BadSettings, SourceSettings, explain, read_settings

pytestmark = pytest.mark.usefixtures("bare_environment")
SECRET = "hunter2 hunter2"


def read(monkeypatch: pytest.MonkeyPatch, **variables: str) -> SourceSettings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return SourceSettings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("REDDIT_CLIENT_ID", "abc", "abc"),
        ("REDDIT_CLIENT_SECRET", "xyz", SecretStr("xyz")),
        ("REDDIT_SUBREDDITS", " python, rust ,,", ("python", "rust")),
        ("REDDIT_USERNAME", "some_body-2", "some_body-2"),
        ("X_BEARER_TOKEN", "AAAA%2F", SecretStr("AAAA%2F")),
        ("X_DAILY_BUDGET_USD", "2.50", 2.5),
        ("X_SPEND_FILE", "/tmp/spend.json", "/tmp/spend.json"),
        ("MASTODON_TOKEN", "abc", SecretStr("abc")),
        ("GITHUB_TOKEN", "ghp_x", SecretStr("ghp_x")),
        ("STACKEXCHANGE_KEY", "k((", SecretStr("k((")),
        ("NEWS_FEEDS", "https://a.example/rss, http://b.example/x", ("https://a.example/rss", "http://b.example/x")),
        ("YOUTUBE_CHANNELS", f"UC{'b' * 22}, UC{'a' * 22},", (f"UC{'a' * 22}", f"UC{'b' * 22}")),
        ("REDDIT_URL", "http://127.0.0.1:8001/", "http://127.0.0.1:8001"),
        ("REDDIT_API_URL", "https://proxy.example/reddit", "https://proxy.example/reddit"),
        ("HACKERNEWS_API_URL", "https://hn.example/v1/", "https://hn.example/v1"),
        ("X_API_URL", "https://x.example/2", "https://x.example/2"),
        ("BLUESKY_API_URL", "https://bsky.example/xrpc/", "https://bsky.example/xrpc"),
        ("MASTODON_URL", "https://hachyderm.io/", "https://hachyderm.io"),
        ("GITHUB_API_URL", "https://ghe.example/api/v3", "https://ghe.example/api/v3"),
        ("STACKEXCHANGE_API_URL", "https://se.example/2.3", "https://se.example/2.3"),
        ("LOBSTERS_URL", "https://lobsters.example/x/", "https://lobsters.example/x"),
        ("YOUTUBE_URL", "https://youtube.example/x/", "https://youtube.example/x"),
        ("ARXIV_API_URL", "https://arxiv.example/x/", "https://arxiv.example/x"),
        ("GDELT_API_URL", "https://gdelt.example/x/", "https://gdelt.example/x"),
        ("FETCH_ALLOW", "127.0.0.1:8001,[::1]:80", "127.0.0.1:8001,[::1]:80"),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("LOG_FORMAT", "json", "json"),
    ],
)
def test_every_variable_is_read(name: str, text: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert getattr(read(monkeypatch, **{name: text}), name.lower()) == value


def test_no_variable_is_missing_from_these_tests() -> None:
    marks = test_every_variable_is_read.pytestmark
    tested = {case[0].lower() for mark in marks for case in mark.args[1]}
    assert tested == set(SourceSettings.model_fields)


@pytest.mark.parametrize("name", sorted(SourceSettings.model_fields))
def test_an_empty_variable_is_the_default(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, **{name.upper(): ""}) == SourceSettings()


def test_the_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOG_LEVEL=ERROR\nLOG_FORMAT=json\nSOMETHING_ELSE=1\n")
    settings = read(monkeypatch, LOG_LEVEL="DEBUG")
    assert (settings.log_level, settings.log_format) == ("DEBUG", "json")


@pytest.mark.parametrize(
    ("name", "text", "fix"),
    [
        ("REDDIT_CLIENT_ID", SECRET, "one word"),
        ("REDDIT_CLIENT_SECRET", SECRET, "one word"),
        ("REDDIT_CLIENT_SECRET", "hunter2\nhunter2", "line breaks"),
        ("X_BEARER_TOKEN", "hunter2\n", "line breaks"),
        ("X_BEARER_TOKEN", "hunter2ü", "plain ASCII"),
        ("MASTODON_TOKEN", SECRET, "one word"),
        ("GITHUB_TOKEN", SECRET, "one word"),
        ("STACKEXCHANGE_KEY", SECRET, "one word"),
        ("REDDIT_USERNAME", "/u/hunter2", "must be 3 to 20 letters"),
        ("REDDIT_SUBREDDITS", "hunter2!", "names of 2 to 21 letters"),
        ("REDDIT_SUBREDDITS", ",", "1 to 10 names"),
        ("YOUTUBE_CHANNELS", "@hunter2", "ids of channels"),
        ("YOUTUBE_CHANNELS", ",", "1 to 20 ids"),
        ("REDDIT_SUBREDDITS", ",".join(f"hunter2{number}" for number in range(11)), "1 to 10 names"),
        ("NEWS_FEEDS", "https://a.example/rss,hunter2", "addresses such as https://"),
        ("NEWS_FEEDS", "/etc/hunter2", "addresses such as https://"),
        ("X_DAILY_BUDGET_USD", "hunter2", "must be a number"),
        ("X_DAILY_BUDGET_USD", "-1", "greater than or equal to 0"),
        ("X_DAILY_BUDGET_USD", "inf", "less than or equal to 10000"),
        ("X_DAILY_BUDGET_USD", "nan", "less than or equal to 10000"),
        ("REDDIT_URL", "hunter2", "begins with https:// or http://"),
        ("REDDIT_API_URL", "ftp://hunter2", "begins with https:// or http://"),
        ("HACKERNEWS_API_URL", "https://", "begins with https:// or http://"),
        ("X_API_URL", "http://hunter2:port", "begins with https:// or http://"),
        ("BLUESKY_API_URL", "hunter2", "begins with https:// or http://"),
        ("MASTODON_URL", "@hunter2@mastodon.social", "begins with https:// or http://"),
        ("GITHUB_API_URL", "hunter2", "begins with https:// or http://"),
        ("STACKEXCHANGE_API_URL", "hunter2", "begins with https:// or http://"),
        ("LOBSTERS_URL", "hunter2", "begins with https:// or http://"),
        ("YOUTUBE_URL", "hunter2", "begins with https:// or http://"),
        ("ARXIV_API_URL", "hunter2", "begins with https:// or http://"),
        ("GDELT_API_URL", "hunter2", "begins with https:// or http://"),
        ("X_API_URL", "http://[hunter2", "begins with https:// or http://"),
        ("FETCH_ALLOW", "hunter2:80", "127.0.0.1:8080"),
        ("FETCH_ALLOW", "127.0.0.0/8:80", "127.0.0.1:8080"),
        ("FETCH_ALLOW", "*", "127.0.0.1:8080"),
        ("LOG_LEVEL", "hunter2", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("LOG_FORMAT", "hunter2", "'text' or 'json'"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_variable_and_the_fix_and_not_the_value(
    name: str, text: str, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValidationError) as caught:
        read(monkeypatch, **{name: text})
    [line] = explain(caught.value)
    assert line.startswith(f"{name}: ")
    assert fix in line
    assert line.endswith("See .env.example.")
    assert "\n" not in line
    assert "hunter2" not in line
    assert "hunter2" not in str(caught.value)


def test_every_mistake_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError) as caught:
        read(monkeypatch, LOG_LEVEL="loud", FETCH_ALLOW="all", X_DAILY_BUDGET_USD="lots")
    assert [line.split(":")[0] for line in explain(caught.value)] == [
        "X_DAILY_BUDGET_USD",
        "FETCH_ALLOW",
        "LOG_LEVEL",
    ]


def test_secrets_are_not_shown_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("REDDIT_CLIENT_SECRET", "X_BEARER_TOKEN", "MASTODON_TOKEN", "GITHUB_TOKEN", "STACKEXCHANGE_KEY")
    settings = read(monkeypatch, **dict.fromkeys(names, "hunter2"))
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings.model_dump())
    assert "hunter2" not in settings.model_dump_json()


def test_every_variable_says_what_it_is_for() -> None:
    assert all(field.description for field in SourceSettings.model_fields.values())


def test_a_file_that_is_not_utf8_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"REDDIT_CLIENT_ID=\xff\xfe")
    with pytest.raises(BadSettings) as refused:
        read_settings(SourceSettings)
    assert refused.value.lines == [".env: is not UTF-8 text. Save it again as UTF-8."]
