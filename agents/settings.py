"""What an operator sets for the agents: read from the environment and ``.env`` once, by the command line."""

from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from agents.fetch.addresses import parse_allow
from agents.sources.reddit_place import parse_subreddits
from agents.sources.youtube import parse_channels

List = Annotated[tuple[str, ...], NoDecode]
"""Comma separated in the environment."""


class SourceSettings(BaseSettings):
    """Keys, addresses and defaults of the sources. Every field is the environment variable of its upper-case name."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", hide_input_in_errors=True, env_ignore_empty=True
    )

    reddit_client_id: str = Field("", description="Reddit app-only OAuth; empty: the keyless feed")
    reddit_client_secret: SecretStr = Field(SecretStr(""), description="Goes with REDDIT_CLIENT_ID")
    reddit_username: str = Field(
        "signals_scout",
        pattern="^[A-Za-z0-9_-]{3,20}$",
        description="Your account there, which Reddit wants to be told",
    )
    reddit_subreddits: List = Field(
        ("programming", "technology", "science", "worldnews"), description="Read where a question names none"
    )
    x_bearer_token: SecretStr = Field(SecretStr(""), description="X API v2; empty: twitter is off and says why")
    x_daily_budget_usd: float = Field(1.0, ge=0, le=10_000, description="X bills per post read; enforced per UTC day")
    x_spend_file: str = Field("data/x-spend.json", description="Where the day's spending on X is remembered")
    mastodon_token: SecretStr = Field(
        SecretStr(""), description="For timelines that MASTODON_URL shows to members only"
    )
    github_token: SecretStr = Field(SecretStr(""), description="Any token; GitHub then grants more requests")
    stackexchange_key: SecretStr = Field(
        SecretStr(""), description="Of an app at stackapps.com: 10,000 requests a day instead of 300"
    )
    news_feeds: List = Field(
        (
            "https://feeds.bbci.co.uk/news/world/rss.xml",
            "https://www.theguardian.com/world/rss",
            "https://feeds.arstechnica.com/arstechnica/index",
            "https://www.theverge.com/rss/index.xml",
            "https://lwn.net/headlines/rss",
        ),
        description="RSS, Atom or JSON Feed addresses, comma separated",
    )

    youtube_channels: List = Field(
        (
            "UC9-y-6csu5WGm29I7JiwpnA",
            "UCsBjURrPoezykLs9EqgamOA",
            "UCYO_jab_esuFRV4b17AJtAw",
            "UCHnyfMqiRRG1u-2MsSQLbXA",
            "UCBJycsmduvYEL83R_U4JriQ",
        ),
        description="Read where a question names none: ids of channels, comma separated",
    )

    reddit_url: str = Field("https://www.reddit.com", description="Reddit's web address: tokens and keyless feeds")
    reddit_api_url: str = Field("https://oauth.reddit.com", description="Reddit's API")
    hackernews_api_url: str = Field("https://hn.algolia.com/api/v1", description="Hacker News search by Algolia")
    x_api_url: str = Field("https://api.x.com/2", description="X's API")
    bluesky_api_url: str = Field("https://api.bsky.app/xrpc", description="Bluesky's public view")
    mastodon_url: str = Field("https://mastodon.social", description="The Mastodon server that is read")
    github_api_url: str = Field("https://api.github.com", description="GitHub's API")
    stackexchange_api_url: str = Field(
        "https://api.stackexchange.com/2.3", description="Stack Exchange's API, of all its sites"
    )
    lobsters_url: str = Field("https://lobste.rs", description="Lobsters")
    youtube_url: str = Field("https://www.youtube.com", description="YouTube, for the feeds of its channels")
    arxiv_api_url: str = Field("https://export.arxiv.org/api", description="arXiv's API")
    gdelt_api_url: str = Field("https://api.gdeltproject.org/api/v2", description="GDELT's index of news")
    fetch_allow: str = Field("", description="Exact ip:port pairs exempt from the private-address guard")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR"
    )
    log_format: Literal["text", "json"] = Field("text", description="text for people, json for machines")

    @field_validator("reddit_subreddits", "news_feeds", "youtube_channels", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("reddit_subreddits")
    @classmethod
    def _subreddits(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            parse_subreddits("+".join(value))
        except ValueError as error:
            raise ValueError(
                "must be 1 to 10 names of 2 to 21 letters, digits and underscores, comma separated"
            ) from error
        return value

    @field_validator("youtube_channels")
    @classmethod
    def _youtube_channels(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(parse_channels("+".join(value)).split("+"))
        except ValueError as error:
            raise ValueError("must be 1 to 20 ids of channels, UC and 22 more characters, comma separated") from error

    @field_validator("news_feeds")
    @classmethod
    def _feeds(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(_is_web_address, value)):
            raise ValueError("must be addresses such as https://lwn.net/headlines/rss, comma separated")
        return value

    @field_validator(
        "reddit_client_id", "reddit_client_secret", "x_bearer_token", "mastodon_token", "github_token",
        "stackexchange_key",
    )  # fmt: skip
    @classmethod
    def _one_word_keys(cls, value: str | SecretStr) -> str | SecretStr:
        text = value if isinstance(value, str) else value.get_secret_value()
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("must be one word of plain ASCII without line breaks or spaces; copy it again")
        return value

    @field_validator("fetch_allow")
    @classmethod
    def _exact_pairs(cls, value: str) -> str:
        try:
            parse_allow(value)
        except ValueError as error:
            raise ValueError("must be ip:port pairs such as 127.0.0.1:8080 or [::1]:8080, comma separated") from error
        return value

    @field_validator(
        "reddit_url", "reddit_api_url", "hackernews_api_url", "x_api_url", "bluesky_api_url", "mastodon_url",
        "github_api_url", "stackexchange_api_url", "lobsters_url", "youtube_url", "arxiv_api_url", "gdelt_api_url",
    )  # fmt: skip
    @classmethod
    def _base_address(cls, value: str) -> str:
        if not _is_web_address(value):
            raise ValueError("must be an address that begins with https:// or http://")
        return value.rstrip("/")

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


S = TypeVar("S", bound=SourceSettings)
_WORDS = {
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
    "string_pattern_mismatch": "must be 3 to 20 letters, digits, - and _",  # only Reddit's user name has a pattern
}


class BadSettings(Exception):
    """What is set cannot be used; ``lines`` say per variable what is wrong, without its value."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def read_settings(kind: type[S]) -> S:
    """The settings, from the environment and ``.env``. Raises ``BadSettings``."""
    try:
        return kind()
    except ValidationError as error:
        raise BadSettings(explain(error)) from None  # the cause may show values
    except UnicodeDecodeError:
        raise BadSettings([".env: is not UTF-8 text. Save it again as UTF-8."]) from None


def explain(error: ValidationError) -> list[str]:
    """One line per wrong variable: its name and the fix, without the value, which may be a secret."""
    lines = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        name = str(problem["loc"][0]).upper() if problem["loc"] else "the environment"
        said = _WORDS.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
        lines.append(f"{name}: {said.replace('Input should', 'must', 1)}. See .env.example.")
    return lines
