"""One module per source; this registry makes them from the settings.

A new source touches its module, its line here, a test and, when it needs a key, ``.env.example``.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from agents.events import utc_now
from agents.source import Source
from agents.sources.arxiv import Arxiv
from agents.sources.bluesky import Bluesky
from agents.sources.feeds import FeedParser
from agents.sources.gdelt import Gdelt
from agents.sources.github import GitHub
from agents.sources.hackernews import HackerNews
from agents.sources.lobsters import Lobsters
from agents.sources.mastodon import Mastodon
from agents.sources.news import News
from agents.sources.reddit import Reddit
from agents.sources.stackexchange import StackExchange
from agents.sources.twitter import Twitter
from agents.sources.youtube import YouTube
from agents.spend import DailySpend


class SourceSettings(Protocol):
    """What the sources need to be told; ``agents.settings`` reads it from the environment."""

    @property
    def reddit_client_id(self) -> str:
        """Of the app; empty: none."""
        ...

    @property
    def reddit_client_secret(self) -> SecretStr:
        """Of the app; empty: none."""
        ...

    @property
    def reddit_url(self) -> str:
        """Base of the site: tokens and public feeds."""
        ...

    @property
    def reddit_api_url(self) -> str:
        """Base of the API."""
        ...

    @property
    def reddit_username(self) -> str:
        """The operator's account at Reddit."""
        ...

    @property
    def reddit_subreddits(self) -> Sequence[str]:
        """Asked when nobody names one."""
        ...

    @property
    def news_feeds(self) -> Sequence[str]:
        """Addresses of feeds."""
        ...

    @property
    def x_bearer_token(self) -> SecretStr:
        """Of the app; empty: X is off."""
        ...

    @property
    def x_daily_budget_usd(self) -> float:
        """What a UTC day may cost."""
        ...

    @property
    def x_spend_file(self) -> str:
        """Where the day's spending is remembered."""
        ...

    @property
    def x_api_url(self) -> str:
        """Base of X's API."""
        ...

    @property
    def hackernews_api_url(self) -> str:
        """Base of Algolia's index."""
        ...

    @property
    def bluesky_api_url(self) -> str:
        """Base of Bluesky's public view."""
        ...

    @property
    def mastodon_url(self) -> str:
        """The server that is read."""
        ...

    @property
    def mastodon_token(self) -> SecretStr:
        """Of an account or app there; empty: as anybody."""
        ...

    @property
    def github_api_url(self) -> str:
        """Base of GitHub's API."""
        ...

    @property
    def github_token(self) -> SecretStr:
        """Any; empty: as anybody."""
        ...

    @property
    def stackexchange_api_url(self) -> str:
        """Base of Stack Exchange's API."""
        ...

    @property
    def stackexchange_key(self) -> SecretStr:
        """Of an app; empty: as anybody."""
        ...

    @property
    def lobsters_url(self) -> str:
        """Where Lobsters is."""
        ...

    @property
    def youtube_channels(self) -> Sequence[str]:
        """Ids of channels, read where a question names none."""
        ...

    @property
    def youtube_url(self) -> str:
        """Where YouTube is."""
        ...

    @property
    def arxiv_api_url(self) -> str:
        """Base of arXiv's API."""
        ...

    @property
    def gdelt_api_url(self) -> str:
        """Base of GDELT's API."""
        ...


def build_sources(settings: SourceSettings) -> tuple[Source, ...]:
    """Every source there is, in the order in which people see them; the caller closes those that have ``close``."""
    parser = FeedParser()
    return (
        Reddit(
            url=settings.reddit_url,
            api_url=settings.reddit_api_url,
            client_id=settings.reddit_client_id,
            client_secret=settings.reddit_client_secret.get_secret_value(),
            username=settings.reddit_username,
            subreddits=settings.reddit_subreddits,
            parser=parser,
            clock=time.monotonic,
        ),
        Twitter(
            api_url=settings.x_api_url,
            bearer_token=settings.x_bearer_token.get_secret_value(),
            spend=DailySpend(Path(settings.x_spend_file), settings.x_daily_budget_usd, utc_now),
        ),
        News(settings.news_feeds, parser),
        HackerNews(settings.hackernews_api_url),
        Bluesky(settings.bluesky_api_url),
        Mastodon(url=settings.mastodon_url, token=settings.mastodon_token.get_secret_value()),
        GitHub(api_url=settings.github_api_url, token=settings.github_token.get_secret_value()),
        StackExchange(api_url=settings.stackexchange_api_url, key=settings.stackexchange_key.get_secret_value()),
        Lobsters(settings.lobsters_url),
        YouTube(url=settings.youtube_url, channels=settings.youtube_channels, parser=parser),
        Arxiv(api_url=settings.arxiv_api_url, parser=parser),
        Gdelt(settings.gdelt_api_url),
    )
