"""GitHub: new repositories and issues found by a search, and releases of the repositories that are named.

Facts: "REST API endpoints for search" (https://docs.github.com/en/rest/search/search: ``/search/repositories``,
``/search/issues``, up to 100 items, queries of at most 256 characters, ``incomplete_results`` when time ran out;
issues want ``is:issue``), "Searching for repositories" and "… issues and pull requests" (``created:>=`` with a time,
several ``repo:`` are alternatives), "REST API endpoints for releases" (``/repos/{owner}/{repo}/releases``, newest
first), "Rate limits for the REST API"
(https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api: searches count apart from the rest;
without a token 10 searches a minute and 60 other requests an hour per address, with one 30 and 5,000;
``x-ratelimit-reset`` is an epoch). Texts are Markdown with HTML in it.

Errors are JSON with ``message``: 401 ("Bad credentials"); 403 or 429 when a limit is used up, then with
``x-ratelimit-remaining: 0``, or for a secondary limit ("You have exceeded a secondary rate limit"), with Retry-After
or, without it, for a minute; 404, also for what is private; 422 for what it cannot search, such as a repository that
is not there; 451 for what the law took away. Its own failures, and some 429, are pages in HTML.
"""

import re
from collections.abc import Awaitable, Sequence
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from agents.errors import AccessDenied, BadStatus, NotFound, RateLimited, SourceError
from agents.fetch.json import decode_json
from agents.fetch.request import Fetch, Request, Response
from agents.fetch.waits import spoken, used_up_s
from agents.resilience.limiter import upstream_host
from agents.signal import Engagement, Signal
from agents.source import HostLimit, Option, Question, Scan, SourceSpec
from agents.sources.items import (
    count,
    decode_items,
    divide,
    each_once,
    excerpt,
    excerpt_html,
    has_words,
    is_moment,
    outcomes,
    search_text,
    take_turns,
)
from agents.text import plain
from agents.urls import canonical

NAME = "github"
_TOKEN = "GITHUB_TOKEN"  # noqa: S105 - a variable's name
_KINDS = ("repositories", "issues", "releases")
_FEWEST_ITEMS = 30
_MOST_ITEMS = 100
_MOST_RELEASES = 30
_MOST_REPOSITORIES = 5
_QUERY_CHARS = 200
_SECONDARY_WAIT_S = 60.0
_PAGE_BYTES = 6_000_000
"""A page of 100 long issues."""
_REPOSITORY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}")
_HTML_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


class _User(msgspec.Struct):
    login: str | None = None


class _Repository(msgspec.Struct):
    """One repository, of the fields that are used here."""

    id: int
    full_name: str
    html_url: str
    created_at: datetime
    description: str | None = None
    language: str | None = None
    stargazers_count: int | None = None
    forks_count: int | None = None
    owner: _User | None = None


class _Reactions(msgspec.Struct):
    total_count: int | None = None


class _Issue(msgspec.Struct):
    """One issue, of the fields that are used here."""

    id: int
    title: str
    html_url: str
    created_at: datetime
    body: str | None = None
    comments: int | None = None
    reactions: _Reactions | None = None
    user: _User | None = None


class _Release(msgspec.Struct):
    """One release, of the fields that are used here; drafts have no ``published_at``."""

    id: int
    tag_name: str
    html_url: str
    published_at: datetime
    name: str | None = None
    body: str | None = None
    draft: bool | None = None
    prerelease: bool | None = None
    reactions: _Reactions | None = None
    author: _User | None = None


class _Found(msgspec.Struct):
    items: list[msgspec.Raw]
    incomplete_results: bool | None = None


def parse_kind(text: str) -> str:
    """One of ``repositories``, ``issues`` and ``releases``; "repos" and singulars are understood."""
    typed = text.lower()
    kind = {"repo": "repositories", "repos": "repositories", "repository": "repositories"}.get(typed, typed)
    kind = kind if kind.endswith("s") else f"{kind}s"
    if kind not in _KINDS:
        raise ValueError(f"GitHub has no kind “{text[:40]}”. Choose one of: {', '.join(_KINDS)}.")
    return kind


def parse_repositories(text: str) -> str:
    """``https://github.com/Python/CPython, rust-lang/rust`` as ``python/cpython+rust-lang/rust``; each once, sorted.

    A ``ValueError`` says what is wrong.
    """
    return each_once(text, _parse_repository, _MOST_REPOSITORIES, "repositories")


def _parse_repository(text: str) -> str:
    name = re.sub(r"^(?:https?://)?(?:www\.)?github\.com/", "", text, flags=re.IGNORECASE).removesuffix(".git")
    name = name.rstrip("/").lower()
    if not _REPOSITORY.fullmatch(name) or name.endswith(("/.", "/..")):
        raise ValueError(f"“{text[:60]}” is no repository: owner and name, as in python/cpython.")
    return name


class GitHub:
    """What is new on GitHub: repositories by stars, issues by reactions and comments, releases by name."""

    def __init__(self, *, api_url: str, token: str) -> None:
        self._api_url = api_url.rstrip("/")
        self._token = token
        host = upstream_host(api_url)
        base = f"{host}{urlsplit(self._api_url).path}"
        searches = HostLimit(interval_s=2.4, burst=4, concurrency=2)
        rest = HostLimit(interval_s=0.8, burst=20, concurrency=4)
        if not token:
            searches = HostLimit(interval_s=7.5, burst=2, concurrency=2)
            rest = HostLimit(interval_s=70.0, burst=8, concurrency=4)
        self._spec = SourceSpec(
            name=NAME,
            title="GitHub",
            help="New repositories, issues and releases on GitHub",
            options=(
                Option(
                    name="kind",
                    help="What to look for (default repositories, or releases where a repo is named)",
                    parse=parse_kind,
                    choices=_KINDS,
                ),
                Option(
                    name="repo",
                    help="Only these repositories, as in python/cpython or python/cpython+rust-lang/rust",
                    parse=parse_repositories,
                    example="python/cpython",
                ),
            ),
            limits={host: rest, f"{base}/search": searches},
            setup="" if token else f"{_TOKEN}: more requests (any token will do, it needs no permission).",
        )

    @property
    def spec(self) -> SourceSpec:
        """What it declares."""
        return self._spec

    def unavailable(self) -> str | None:
        """Never: a token only grants more."""
        return None

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        """One search, or the releases of each repository at once."""
        names = question.options["repo"].split("+") if "repo" in question.options else []
        kind = question.options.get("kind") or ("releases" if names else "repositories")
        if kind == "releases":
            return await self._releases(names, question, fetch)
        return await self._search(kind, names, question, fetch)

    async def _search(self, kind: str, names: Sequence[str], question: Question, fetch: Fetch) -> Scan:
        params = {
            "q": _query(kind, names, question),
            "sort": "stars" if kind == "repositories" else "interactions",
            "order": "desc",
            "per_page": str(min(max(question.limit, _FEWEST_ITEMS), _MOST_ITEMS)),
        }
        found = decode_json(await self._get(f"/search/{kind}", params, question, fetch), _Found)
        signals: list[Signal | None] = []
        if kind == "repositories":
            for number, repository in enumerate(decode_items(found.items, _Repository, "GitHub"), 1):
                await take_turns(number)
                signals.append(_of_repository(repository))
        else:
            for number, issue in enumerate(decode_items(found.items, _Issue, "GitHub"), 1):
                await take_turns(number)
                signals.append(_of_issue(issue))
        kept = {signal.id: signal for signal in signals if signal and signal.timestamp >= question.since}
        late = bool(found.incomplete_results)
        note = "GitHub's search ran out of time and gave only a part." if late else ""
        return Scan(tuple(kept.values()), note=note, partial=late)

    async def _releases(self, names: Sequence[str], question: Question, fetch: Fetch) -> Scan:
        if not names:
            raise SourceError("Say whose releases: name a repo, as in python/cpython.")
        works: list[Awaitable[list[Signal]]] = [self._releases_of(name, question, fetch) for name in names]
        arrived, failed = divide(await outcomes(works))
        if not arrived:
            raise failed[0]
        note = " ".join(dict.fromkeys(error.sentence for error in failed))
        return Scan(tuple(signal for signals in arrived for signal in signals), note=note, partial=bool(failed))

    async def _releases_of(self, name: str, question: Question, fetch: Fetch) -> list[Signal]:
        try:
            response = await self._get(f"/repos/{name}/releases", {"per_page": str(_MOST_RELEASES)}, question, fetch)
        except NotFound as error:
            raise NotFound(
                f"GitHub has no {name} that anybody may see. Check the name.", status=error.status
            ) from error
        releases = decode_items(decode_json(response, list[msgspec.Raw]), _Release, "GitHub")
        signals = []
        for number, release in enumerate(releases, 1):
            await take_turns(number)
            signal = _of_release(release, name)
            if signal and signal.timestamp >= question.since and _fits(signal, release, question):
                signals.append(signal)
        return signals

    async def _get(self, path: str, params: dict[str, str], question: Question, fetch: Fetch) -> Response:
        request = Request(
            f"{self._api_url}{path}",
            params=params,
            headers=_HEADERS,
            credentials={"Authorization": f"Bearer {self._token}"} if self._token else {},
            max_bytes=_PAGE_BYTES,
            read_errors=True,
            pause_s=lambda response: used_up_s(response.headers, question.now),
        )
        try:
            return await fetch.get(request)
        except BadStatus as error:
            explained = self._explained(error)
            if explained is None:
                raise
            if isinstance(explained, RateLimited) and explained.retry_after_s:
                fetch.pause(request.url, explained.retry_after_s)
            raise explained from error

    def _explained(self, error: BadStatus) -> BadStatus | None:
        """The error in words that say what to do; None where they would say no more."""
        said = error.body.decode("utf-8", "replace").casefold()
        if error.status == 401:
            return AccessDenied(f"GitHub refuses the token. Check {_TOKEN}.", status=401)
        if error.status == 403 and (error.retry_after_s is not None or "rate limit" in said):
            wait_s = _SECONDARY_WAIT_S if error.retry_after_s is None else error.retry_after_s
            more = "" if self._token else f" With {_TOKEN} set it grants more."
            sentence = f"GitHub's limit is used up. Ask again in {spoken(wait_s)}.{more}"
            return RateLimited(sentence, status=403, retry_after_s=wait_s)
        if error.status == 403 and self._token:
            return AccessDenied(f"GitHub refuses this to us. Check what {_TOKEN} may read.", status=403)
        if error.status == 422:
            what = (
                "GitHub has no such repository, or it is private. Check the name."
                if "cannot be searched" in said
                else "GitHub cannot search for this. Try fewer, plain words."
            )
            return BadStatus(what, status=422)
        return None


def _query(kind: str, names: Sequence[str], question: Question) -> str:
    """The words without what GitHub would take for its own syntax, and what narrows them."""
    words = search_text(re.sub(r"[^\w\s.+#-]|(?<!\w)-+|\b(?:AND|OR|NOT)\b", " ", question.query or ""))
    parts = [words[:_QUERY_CHARS], *(f"repo:{name}" for name in names)]
    parts += ["is:issue"] if kind == "issues" else []
    parts += [f"created:>={question.since:%Y-%m-%dT%H:%M:%SZ}"]
    return " ".join(part for part in parts if part)


def _of_repository(repository: _Repository) -> Signal | None:
    page = canonical(repository.html_url)
    about = plain(repository.description, 240)
    title = plain(f"{repository.full_name}: {about}" if about else repository.full_name, 300)
    if page is None or title is None or not is_moment(repository.created_at):
        return None
    return Signal(
        id=f"{NAME}:repository:{repository.id}",
        source=NAME,
        title=title,
        url=page,
        origin=plain(repository.language, 40),
        author=_login(repository.owner),
        timestamp=repository.created_at,
        engagement=Engagement(points=count(repository.stargazers_count), shares=count(repository.forks_count)),
    )


def _of_issue(issue: _Issue) -> Signal | None:
    page = canonical(issue.html_url)
    title = plain(issue.title, 300)
    if page is None or title is None or not is_moment(issue.created_at):
        return None
    return Signal(
        id=f"{NAME}:issue:{issue.id}",
        source=NAME,
        title=title,
        url=page,
        origin=_repository_of(page),
        author=_login(issue.user),
        excerpt=_prose(issue.body),
        timestamp=issue.created_at,
        engagement=Engagement(points=_reactions(issue.reactions), comments=count(issue.comments)),
    )


def _of_release(release: _Release, repository: str) -> Signal | None:
    page = canonical(release.html_url)
    tag, name = plain(release.tag_name, 100), plain(release.name, 200)
    if page is None or tag is None or release.draft or not is_moment(release.published_at):
        return None
    repository = _repository_of(page) or repository
    named = name if name and tag.casefold() in name.casefold() else ": ".join(filter(None, (tag, name)))
    kind = " (pre-release)" if release.prerelease else ""
    return Signal(
        id=f"{NAME}:release:{release.id}",
        source=NAME,
        title=f"{repository} {named}{kind}",
        url=page,
        origin=repository,
        author=_login(release.author),
        excerpt=_prose(release.body),
        timestamp=release.published_at,
        engagement=Engagement(points=_reactions(release.reactions)),
    )


def _fits(signal: Signal, release: _Release, question: Question) -> bool:
    """The query is looked for in the beginning of the notes: releases cannot be searched."""
    return has_words(question.query, signal.title, (release.body or "")[:20_000])


def _login(user: _User | None) -> str | None:
    return plain(user.login, 40) if user else None


def _reactions(reactions: _Reactions | None) -> int | None:
    return count(reactions.total_count) if reactions else None


def _repository_of(page: str) -> str | None:
    """``owner/name`` of an address on GitHub, as its owner writes it."""
    name = "/".join(urlsplit(page).path.split("/")[1:3])
    return name if _REPOSITORY.fullmatch(name) else None


def _prose(markdown: str | None) -> str | None:
    """The beginning without the comments that templates are full of; tags go only where it looks like HTML."""
    text = _HTML_COMMENT.sub(" ", (markdown or "")[:6_000])
    return excerpt_html(text) if re.search(r"</\w+>|<br", text) else excerpt(text)
