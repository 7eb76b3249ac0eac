"""A server's own feeds, drawn: what was found, what is kept, what a list came to."""

from collections.abc import Iterator, Sequence

from agents.feeds import FeedItem, FoundFeed
from agents.urls import domain
from bot.cards import limits
from bot.cards.card import Card, Colour, Embed
from bot.cards.text import link, quoted
from bot.guild_settings import MOST_FEEDS, Feed

_LONGEST_LINK = 300
_TITLE = 80
_MOST_OTHERS = 5
_MOST_NAMED = (15, 8, 4)
"""As many as there is room for."""
_EMPTY = "This server has no feeds of its own, so questions to news read the bot's. Add one with `/feeds add`."
_READ = "`/signals news` reads this server's feeds where a question names none."


def added_card(found: FoundFeed, feeds: int) -> Card:
    """It is kept; ``feeds``: how many the server has now."""
    return _notice("Feed added", _found(found), Colour.ANSWERED, footer=f"{feeds} of at most {MOST_FEEDS} feeds")


def tested_card(found: FoundFeed) -> Card:
    """It can be read, and was not kept."""
    return _notice("This feed can be read", _found(found), Colour.ANSWERED, footer="Not saved: this was a test")


def not_added_card(sentence: str) -> Card:
    """It is not kept, and why."""
    return _notice("No feed was added", quoted(sentence, 500))


def not_readable_card(sentence: str) -> Card:
    """The outcome of a test, and why."""
    return _notice("This feed cannot be read", quoted(sentence, 500))


def removed_card(feed: Feed, feeds: int) -> Card:
    """It is not kept any more; ``feeds``: how many are left."""
    left = f"{feeds} left." if feeds else "None are left, so questions to news read the bot's own feeds again."
    return _notice("Feed removed", f"{_name(feed)}\n{left} `/config undo` brings it back.")


def feeds_card(feeds: Sequence[Feed], *, certain: bool = True) -> Card:
    """All of them; not ``certain``: as last known."""
    budget = limits.Budget()
    title = budget.fit((f"Feeds of this server: {len(feeds)} of at most {MOST_FEEDS}",), limits.TITLE)
    doubt = "" if certain else "\nThe database cannot be asked just now: this is what I last knew."
    text = budget.fit((f"{_READ}{doubt}\n\n{lines}" for lines in _lists(feeds)), limits.DESCRIPTION)
    return Card(Embed(title, text if feeds else f"{_EMPTY}{doubt}", Colour.NOTICE))


def looking_card(done: int, total: int) -> Card:
    """A list that is being looked at."""
    return _notice("Reading the list", f"Looked at {done} of {total} new feeds.", Colour.PENDING)


def imported_card(added: Sequence[Feed], known: int, left_out: Sequence[tuple[str, str]], feeds: int) -> Card:
    """What a list came to; ``left_out``: each with its name and the reason in a sentence."""
    title = "Feeds imported" if added else "Nothing new was added"
    colour = (Colour.PARTLY if left_out else Colour.ANSWERED) if added else Colour.NOTICE
    told = (_outcome(added, known, left_out, named) for named in _MOST_NAMED)
    text = limits.Budget().fit(told, limits.DESCRIPTION)
    return _notice(title, text, colour, footer=f"{feeds} of at most {MOST_FEEDS} feeds")


def _outcome(added: Sequence[Feed], known: int, left_out: Sequence[tuple[str, str]], named: int) -> str:
    parts = [f"**{len(added)} added**"]
    parts += [f"- {quoted(feed.title or domain(feed.url), 40)}" for feed in added[:named]]
    parts += _rest(len(added), named)
    if known:
        parts.append(f"**{known} known already**")
    if left_out:
        parts += [f"**{len(left_out)} left out**", *left_out_lines(left_out, named)]
    return "\n".join(parts)


def left_out_lines(left_out: Sequence[tuple[str, str]], most: int) -> list[str]:
    """Feeds by name with why they are left out, at most as many as that, and how many more there are."""
    lines = [f"- {quoted(name, 40) or '?'}: {quoted(reason, 120)}" for name, reason in left_out[:most]]
    return lines + _rest(len(left_out), most)


def list_refused_card(sentence: str) -> Card:
    """A file that is no list of feeds, and why."""
    return _notice("This list was not read", f"{quoted(sentence, 500)} Nothing was changed.")


def export_card(feeds: int) -> Card:
    """Goes with the file."""
    return _notice("Feeds of this server", f"{feeds} feeds, as feed readers and `/feeds import` take them.")


def _found(found: FoundFeed) -> str:
    shown = [f"**{link(found.title[:_TITLE] or domain(found.address), found.address, _LONGEST_LINK)}**"]
    shown += [_item(item) for item in found.items] or ["It has no items at present."]
    if found.others:
        named = ", ".join(quoted(address, 80) for address in found.others[:_MOST_OTHERS])
        shown.append(f"The page names other feeds too: {named}")
    return "\n".join(shown)


def _item(item: FeedItem) -> str:
    title = item.title[:_TITLE]
    shown = quoted(title, _TITLE) if item.url is None else link(title, item.url, _LONGEST_LINK)
    when = f" <t:{int(item.published_at.timestamp())}:R>" if item.published_at else ""
    return f"- {shown or 'untitled'}{when}"


def _lists(feeds: Sequence[Feed]) -> Iterator[str]:
    """In full, then shorter and shorter; the last one fits whatever the feeds are."""
    yield "\n".join(f"{number}. {_name(feed)}" for number, feed in enumerate(feeds, 1))
    for longest in (60, 30, 15):
        yield "\n".join(
            f"{number}. {quoted(feed.title, longest)} {quoted(domain(feed.url), longest)}"
            for number, feed in enumerate(feeds, 1)
        )


def _name(feed: Feed) -> str:
    named = link(feed.title[:_TITLE] or domain(feed.url), feed.url, _LONGEST_LINK)
    return f"{named} {quoted(domain(feed.url), 60)}" if feed.title else named


def _rest(total: int, named: int) -> list[str]:
    return [f"- … and {total - named} more"] if total > named else []


def _notice(title: str, text: str, colour: Colour = Colour.NOTICE, *, footer: str = "") -> Card:
    assert len(text) <= limits.DESCRIPTION
    return Card(Embed(title, text, colour, footer=footer))
