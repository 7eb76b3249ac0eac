"""The sample stories: invented, so that nobody takes them for news, and spread over places and ages.

A story can stand in several places at once, as real ones do, so that duplicates show. Every title ends in
``[sample]`` and every article lies under ``.example``, a top-level domain reserved for this (RFC 2606).
"""

import re
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

MARK = "[sample]"


@dataclass(frozen=True, slots=True)
class Story:
    """One story: how old it is when the upstreams start, how popular (votes), and where it stands.

    ``places``: ``r/<sub>``, ``hn``, ``x``, and feeds ``wire``, ``weekly``, ``notes``.
    """

    age_h: float
    heat: int
    places: tuple[str, ...]
    site: str
    headline: str
    text: str = ""

    @property
    def title(self) -> str:
        """The headline with its mark."""
        return f"{self.headline} {MARK}"

    @property
    def slug(self) -> str:
        """Of the headline, for addresses."""
        return re.sub(r"[^a-z0-9]+", "-", self.headline.lower()).strip("-")

    @property
    def url(self) -> str:
        """Its article; empty when it is a text of its own."""
        return f"https://{self.site}.example/{self.slug}" if self.site else ""

    @property
    def number(self) -> int:
        """The same for the same headline: ids are made from it."""
        return zlib.crc32(self.headline.encode())

    @property
    def comments(self) -> int:
        """A believable share of the votes."""
        return self.heat * (15 + self.number % 60) // 100

    @property
    def author(self) -> str:
        """An invented name."""
        return _AUTHORS[self.number % len(_AUTHORS)]

    @property
    def subreddit(self) -> str | None:
        """Where it stands on Reddit, if it does."""
        return next((place[2:] for place in self.places if place.startswith("r/")), None)

    def posted(self, start: datetime) -> datetime:
        """When, given the moment at which the upstreams started."""
        return start - timedelta(hours=self.age_h)

    def matches(self, query: str) -> bool:
        """Whether every word of the query stands in the headline or the text, as the beginning of a word."""
        words = re.findall(r"\w+", f"{self.headline} {self.text}".lower())
        return all(any(word.startswith(term) for word in words) for term in re.findall(r"\w+", query.lower()))


_AUTHORS = (
    "maren_k", "quietloop", "ojalvo", "tensile_fox", "bryn42", "hexwright", "dunlin", "pat_on_disk", "sora_lind",
    "null_island", "verdigris", "kestrel9",
)  # fmt: skip


def in_place(place: str) -> list[Story]:
    """The stories of one place, newest first; ``r/`` is all of Reddit."""
    found = [s for s in STORIES if place in s.places or (place == "r/" and s.subreddit)]
    return sorted(found, key=lambda story: story.age_h)


def shared(share: int) -> list[Story]:
    """What people post on networks where anybody may: articles, but every ``share``-th; newest first."""
    found = [s for s in STORIES if s.number % share and s.url and "HN:" not in s.headline]
    return sorted(found, key=lambda story: story.age_h)


def _story(age_h: float, heat: int, places: str, site: str, headline: str, text: str = "") -> Story:
    return Story(age_h, heat, tuple(places.split()), site, headline, text)


STORIES = (
    _story(
        0.2, 38, "r/python hn wire x", "harbourpost", "Python packaging index adds signed build records by default",
        "Uploads made from a build service now carry a signature that installers can check.",
    ),
    _story(
        0.4, 21, "r/rust hn x", "ferrisfield", "A Rust borrow checker explained with paper and scissors",
        "A teacher cuts lifetimes out of cardboard. It works better than it should.",
    ),
    _story(
        0.6, 12, "r/programming x", "", "What is the oldest code that you still run every day?",
        "Ours is a 1994 shell script that rotates tapes. There are no tapes any more.",
    ),
    _story(
        0.7, 9, "hn notes", "lowtide", "Notes on moving a family archive to plain files",
        "Four formats in twenty years taught us to keep the pictures and drop the database.",
    ),
    _story(
        0.9, 64, "r/technology wire hn x", "harbourpost", "Coastal grid runs a full day on stored wind power",
        "Batteries the size of barns carried the evening peak for the first time.",
    ),
    _story(
        1.3, 141, "r/python hn weekly x", "loopwright", "Faster Python startup: lazy imports cut a third off",
        "A tool that traces which imports a command really needs, and defers the others.",
    ),
    _story(
        1.6, 33, "r/rust r/programming", "", "I rewrote my static site generator in Rust and learned about strings",
        "Everything took longer than planned except the part that I feared.",
    ),
    _story(
        1.9, 87, "hn x r/programming", "stackedpaper", "Show HN: A debugger that plays your program backwards",
        "It records system calls and replays them; stepping back takes milliseconds.",
    ),
    _story(
        2.2, 17, "wire", "harbourpost", "City libraries lend out weather stations",
        "Borrow one for a month; the readings go to the regional forecast.",
    ),
    _story(
        2.5, 56, "r/selfhosted hn notes", "lowtide", "A mail server at home, one year later",
        "Deliverability was the easy part. The spouse test was not.",
    ),
    _story(
        2.8, 203, "hn r/technology wire x", "meridiandesk", "Court rules that scraped maps are not a creative work",
        "The decision covers street geometry, not the drawing of it.",
    ),
    _story(
        3.1, 29, "r/python x", "", "How do you test code that talks to a flaky serial port?",
        "Mocks lie and the hardware is in another building. What worked for you?",
    ),
    _story(
        3.4, 76, "hn weekly", "loopwright", "The case for boring queues",
        "A table, a lock and a worker carried us to a million jobs a day.",
    ),
    _story(
        3.8, 45, "r/rust hn x", "ferrisfield", "Async Rust without a runtime: a small executor in 200 lines",
        "What a waker really does, with pictures.",
    ),
    _story(
        4.2, 118, "r/technology wire", "meridiandesk", "Phone makers agree on a repair label for batteries",
        "A letter from A to E, printed on the box from spring.",
    ),
    _story(
        4.6, 14, "hn", "", "Ask HN: How do you keep a changelog that people read?",
        "Ours is complete, dated and ignored.",
    ),
    _story(
        5.0, 312, "hn r/programming x weekly", "stackedpaper", "Postgres as a message bus, measured to its limits",
        "LISTEN is fine to about eight thousand a second; then the lock shows.",
    ),
    _story(
        5.4, 52, "r/python weekly x", "loopwright", "Typing a large Python codebase, one boundary at a time",
        "Start where data enters. The middle follows by itself.",
    ),
    _story(
        5.8, 23, "r/selfhosted notes", "lowtide", "Backups that I have really restored",
        "A list of five, with the date of each rehearsal.",
    ),
    _story(
        6.5, 167, "hn r/rust x wire", "ferrisfield", "Kernel team accepts a third driver written in Rust",
        "This one drives a network card that people own.",
    ),
    _story(
        7.2, 41, "r/programming hn", "stackedpaper", "Reading other people's code as a habit",
        "Twenty minutes a day, one function, no laptop lid closed.",
    ),
    _story(
        8.0, 95, "r/technology x wire", "harbourpost", "Trains in the north share one ticket standard",
        "Eleven operators, one code at the gate, refunds by default.",
    ),
    _story(
        8.8, 18, "notes hn", "lowtide", "A pocket calculator with a solar cell from 1982 still works",
        "I opened it to see why. The answer is restraint.",
    ),
    _story(
        9.6, 134, "r/python hn x", "", "We removed 40,000 lines of Python and nothing broke",
        "Dead code found by tracing production for a month.",
    ),
    _story(
        10.5, 27, "weekly", "loopwright", "Feature flags age badly: a clean-up guide",
        "Give each a date of death on the day of its birth.",
    ),
    _story(
        11.4, 72, "hn r/selfhosted", "stackedpaper", "SQLite on a network disk: what really goes wrong",
        "Locks that are advice, caches that are rumours.",
    ),
    _story(
        12.4, 254, "r/technology hn wire x", "meridiandesk", "Undersea cable repaired by a crewless ship",
        "Nine days at sea, two splices, one person on call.",
    ),
    _story(
        13.4, 36, "r/rust x", "", "Which Rust error crate do you regret?",
        "Asking for a workspace with forty members.",
    ),
    _story(
        14.5, 63, "hn weekly x", "loopwright", "An event log you can explain to an auditor",
        "Append, sign, summarise. The diagram has three boxes.",
    ),
    _story(
        15.6, 11, "notes r/selfhosted", "lowtide", "Heating the greenhouse with an old server",
        "Tomatoes do not mind the fan noise.",
    ),
    _story(
        16.8, 188, "r/programming hn x", "stackedpaper", "Floating point surprises, collected for a decade",
        "Number 31 cost a bakery its flour order.",
    ),
    _story(
        18.0, 49, "r/python weekly", "loopwright", "Python dataclasses or plain tuples: a benchmark with caveats",
        "The winner depends on what you forgot to measure.",
    ),
    _story(
        19.3, 91, "wire x r/technology", "harbourpost", "Schools pilot a week without notifications",
        "Attendance rose, so did complaints from parents.",
    ),
    _story(
        20.6, 32, "hn", "ferrisfield", "Show HN: A chess clock for meetings",
        "Press the button, hand over the floor.",
    ),
    _story(
        22.0, 145, "r/rust hn weekly x", "ferrisfield", "Rust compile times, where they go now",
        "Half in macros, a third in linking, the rest in hope.",
    ),
    _story(
        23.5, 58, "r/selfhosted hn notes", "lowtide", "A feed reader that fits on one page of code",
        "And the nine feeds that broke it.",
    ),
    _story(
        27.0, 407, "hn r/technology wire x", "meridiandesk", "Regulator opens radio band for community networks",
        "Licences cost nothing below one watt.",
    ),
    _story(
        31.0, 83, "r/python hn x", "loopwright", "A Python profiler that draws the memory you never freed",
        "Retention shown as a tree; leaks are the ripe fruit.",
    ),
    _story(
        36.0, 26, "notes weekly", "lowtide", "Letters to a future maintainer",
        "Write why; the what is in the code.",
    ),
    _story(
        42.0, 176, "r/programming hn x", "stackedpaper", "Code review by reading aloud",
        "Odd, slow, and it finds things.",
    ),
    _story(
        49.0, 69, "wire r/technology", "harbourpost", "Ferry line replaces timetables with a live board",
        "Paper remains at every pier, by law.",
    ),
    _story(
        57.0, 221, "hn r/rust x", "ferrisfield", "A spreadsheet engine in Rust, with undo for everything",
        "Persistent trees make it cheap.",
    ),
    _story(
        66.0, 44, "r/selfhosted notes x", "lowtide", "Cheap sensors, honest graphs",
        "Calibrate twice, plot once.",
    ),
    _story(
        78.0, 302, "r/python hn weekly x", "loopwright", "The Python packaging story, told by its mistakes",
        "A kind history of every tool that we abandoned.",
    ),
    _story(
        92.0, 57, "r/programming weekly", "stackedpaper", "Monorepo after three years: a ledger",
        "What it cost, what it saved, who pays.",
    ),
    _story(
        110.0, 131, "wire hn x", "meridiandesk", "Cities publish their bridge sensors as open data",
        "Engineers asked; the feeds were there all along.",
    ),
    _story(
        130.0, 78, "r/rust hn", "ferrisfield", "Teaching Rust to first-year students",
        "Ownership first, syntax later.",
    ),
    _story(
        150.0, 245, "hn r/technology x wire", "meridiandesk", "Open firmware for hearing aids reaches users",
        "Audiologists helped to write the tests.",
    ),
    _story(
        200.0, 92, "r/selfhosted weekly", "loopwright", "Ten years of one small web shop",
        "Traffic, outages, and a graph of coffee.",
    ),
    _story(
        330.0, 514, "hn r/programming x", "stackedpaper", "The bug that only happened on Thursdays",
        "A cron job, a leap second, and a very polite printer.",
    ),
    _story(
        480.0, 388, "r/technology wire hn x", "meridiandesk", "Satellite company shares its collision warnings",
        "A public list, updated every hour.",
    ),
    _story(
        600.0, 266, "r/python r/programming hn x", "loopwright", "Teaching Python with nothing but text adventures",
        "Thirty pupils, one dungeon, no grades.",
    ),
)  # fmt: skip
