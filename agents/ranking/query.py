"""What people type to search: words, ``"quoted phrases"``, ``-without`` and ``site:example.org``."""

import re
from dataclasses import dataclass
from functools import lru_cache

from agents.ranking.filters import Phrases
from agents.ranking.reading import words
from agents.signal import Signal
from agents.urls import domain

_QUOTES = '"\u201c\u201d\u201e\u00ab\u00bb'
_PART = re.compile(
    r"(?P<minus>[-\u2212]?)"
    rf"(?:(?P<site>site:)(?P<host>\S*)|[{_QUOTES}](?P<phrase>[^{_QUOTES}]+)(?:[{_QUOTES}]|$)|(?P<word>\S+))",
    re.IGNORECASE,
)
_BEFORE, _AFTER = f"-([{_QUOTES}", f".,;:!?)]{_QUOTES}"
"""What stands around a word without being of it."""


@dataclass(frozen=True, slots=True)
class Query:
    """A search, read once. What upstreams are asked is only ``text``: not two of them know the same operators."""

    text: str = ""
    """Words and phrases that are wanted, without operators."""
    terms: tuple[str, ...] = ()
    """Its distinct words as ranking sees them."""
    phrases: tuple[str, ...] = ()
    """Each must be there, whole, in the title or the excerpt."""
    without: tuple[str, ...] = ()
    """Words and phrases of which none may be there."""
    sites: tuple[str, ...] = ()
    """Where there are any, the page must be on one of these or below."""
    without_sites: tuple[str, ...] = ()

    def accepts(self, signal: Signal) -> bool:
        """Whether a signal is what the operators ask for; plain words only rank."""
        if self.sites or self.without_sites:
            host = domain(signal.url)
            if self.sites and not _on_any(host, self.sites):
                return False
            if _on_any(host, self.without_sites):
                return False
        if self.without and Phrases(self.without).stand_in(signal):
            return False
        return all(Phrases((phrase,)).stand_in(signal) for phrase in self.phrases)


@lru_cache(maxsize=256)
def parse(query: str | None) -> Query:
    """Read what was typed; never fails: what is no operator is a word, and an open quote reaches to the end."""
    wanted: list[str] = []
    phrases: list[str] = []
    without: list[str] = []
    sites: list[str] = []
    without_sites: list[str] = []
    for part in _PART.finditer(query or ""):
        unwanted = bool(part["minus"])
        if part["site"]:
            (without_sites if unwanted else sites).append(_host(part["host"]))
        elif part["phrase"]:
            phrase = " ".join(part["phrase"].split())
            if words(phrase):
                (without if unwanted else phrases).append(phrase)
                wanted += [] if unwanted else [phrase]
        elif word := part["word"].lstrip(_BEFORE).rstrip(_AFTER):
            if unwanted:
                without.append(word)
            elif words(word):
                wanted.append(word)
    text = " ".join(wanted)
    terms = tuple(dict.fromkeys(words(text)))
    return Query(
        text, terms, tuple(phrases), tuple(without), tuple(filter(None, sites)), tuple(filter(None, without_sites))
    )


def _host(typed: str) -> str:
    """As ``domain`` gives them, whether a host, ``*.`` before one, or a whole address was typed."""
    typed = typed.lstrip(f"*.{_BEFORE}").rstrip(_AFTER)
    return domain(typed if "://" in typed else f"https://{typed}")


def _on_any(host: str, sites: tuple[str, ...]) -> bool:
    return any(host == site or host.endswith(f".{site}") for site in sites)
