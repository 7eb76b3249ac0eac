"""Reddit: posts of subreddits or of a search, through its API with keys and through its public feeds without."""

from collections.abc import Callable, Sequence

from agents import __version__
from agents.fetch.request import Fetch
from agents.resilience.limiter import upstream_host
from agents.source import HostLimit, Option, Question, Scan, SourceSpec
from agents.sources.feeds import ReadsFeeds
from agents.sources.reddit_api import RedditApi
from agents.sources.reddit_feed import SETUP, RedditFeed
from agents.sources.reddit_place import SORTS, parse_sort, parse_subreddits, place_of

NAME = "reddit"
_KEYLESS_INTERVAL_S = 60.0
_KEYLESS_TTL_S = 600.0
_OPTIONS = (
    Option(
        name="subreddit",
        help="One or several subreddits, as in python or python+rust",
        parse=parse_subreddits,
        example="python+rust",
    ),
    Option(name="sort", help="Which posts to look at", parse=parse_sort, example="top", choices=SORTS),
)


class Reddit:
    """Posts of the subreddits asked for, or found by a query."""

    def __init__(
        self,
        *,
        url: str,
        api_url: str,
        client_id: str,
        client_secret: str,
        username: str,
        subreddits: Sequence[str],
        parser: ReadsFeeds,
        clock: Callable[[], float],
    ) -> None:
        """``subreddits``: asked when the question names none and has no query; ``clock``: monotonic seconds."""
        url, api_url = url.rstrip("/"), api_url.rstrip("/")
        user_agent = user_agent_of(username)
        self._subreddits = parse_subreddits("+".join(subreddits))
        self._parser = parser
        self._half_a_key = bool(client_id) != bool(client_secret)
        self._way: RedditApi | RedditFeed
        if client_id and client_secret:
            self._way = RedditApi(
                url=url,
                api_url=api_url,
                client_id=client_id,
                client_secret=client_secret,
                user_agent=user_agent,
                clock=clock,
            )
            self._spec = _spec(
                {
                    upstream_host(url): HostLimit(interval_s=1.0, burst=5, concurrency=2),
                    upstream_host(api_url): HostLimit(interval_s=0.6, burst=20, concurrency=4),
                }
            )
        else:
            self._way = RedditFeed(url=url, user_agent=user_agent, parser=parser)
            limit = HostLimit(interval_s=_KEYLESS_INTERVAL_S, burst=1, concurrency=1)
            self._spec = _spec(
                {upstream_host(url): limit}, ttl_s=_KEYLESS_TTL_S, setup=f"{SETUP}: votes and comments."
            )

    @property
    def spec(self) -> SourceSpec:
        """What it declares: without keys a long life of answers, and what to set."""
        return self._spec

    def unavailable(self) -> str | None:
        """A sentence when only one half of the key is set, which is a mistake; without any key the feeds answer."""
        if self._half_a_key:
            return f"Only one of {SETUP} is set; set both, or neither for the public feeds."
        return None

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        """Posts of the timeframe."""
        return await self._way.scan(place_of(question, self._subreddits), question, fetch)

    async def close(self) -> None:
        """End the processes that read feeds, which other sources may share; harmless when repeated."""
        await self._parser.close()


def user_agent_of(username: str) -> str:
    """In the form that Reddit asks for ("Reddit Data API Wiki"): ``<platform>:<app id>:<version> (by /u/<name>)``."""
    return f"python:signals-scout:{__version__} (by /u/{username})"


def _spec(limits: dict[str, HostLimit], *, ttl_s: float = 0.0, setup: str = "") -> SourceSpec:
    return SourceSpec(
        name=NAME,
        title="Reddit",
        help="Posts from Reddit, from subreddits or found by a search",
        options=_OPTIONS,
        limits=limits,
        ttl_s=ttl_s,
        setup=setup,
    )
