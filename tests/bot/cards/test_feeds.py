"""Feeds drawn: within the limits whatever strangers' feeds are called, and harmless."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.feeds import FeedItem, FoundFeed
from bot.cards import feeds as cards
from bot.cards.card import Card
from bot.guild_settings import MOST_FEEDS, Feed
from tests.bot import samples
from tests.bot.cards import nasty
from tests.bot.cards.discord_rules import active_markup, violations

items = st.builds(FeedItem, title=nasty.texts, url=st.none() | nasty.urls, published_at=st.none() | nasty.moments)
found = st.builds(
    FoundFeed,
    address=nasty.urls,
    title=nasty.texts,
    items=st.lists(items, max_size=5).map(tuple),
    count=st.integers(0, 300),
    others=st.lists(nasty.urls, max_size=10).map(tuple),
)
OURS = re.compile(r"\]\(https?://[^)\s]*\)|(?<!\\)\[|^- |\*\*|<t:-?\d+:R>|^\d+\. |`/[a-z ]+`", re.MULTILINE)
"""Markup that is meant."""


def strangers(card: Card) -> str:
    return OURS.sub("", card.embed.description)


@settings(max_examples=60, deadline=None)
@given(found, nasty.texts)
def test_what_was_found_is_drawn_harmless(what: FoundFeed, text: str) -> None:
    feed = Feed.model_construct(url=what.address, title=text)
    for card in (
        cards.added_card(what, 3),
        cards.tested_card(what),
        cards.not_added_card(text),
        cards.not_readable_card(text),
        cards.removed_card(feed, 0),
        cards.list_refused_card(text),
        cards.imported_card([feed] * 50, 3, [(text, text)] * 60, 50),
        cards.feeds_card([feed] * MOST_FEEDS),
    ):
        assert violations(card.payload()) == []
        assert active_markup(strangers(card)) == []


def test_fifty_feeds_fit_on_one_card_each_with_its_number() -> None:
    longest = [Feed(url=f"https://{'x' * 60}.example/{'y' * 400}{number}", title="*" * 100) for number in range(50)]
    text = cards.feeds_card(longest).embed.description
    assert len(re.findall(r"^\d+\. ", text, re.MULTILINE)) == MOST_FEEDS
    short = cards.feeds_card([Feed(url="https://a.example/feed", title="A")]).embed.description
    assert "[A](https://a.example/feed) a.example" in short


def test_doubt_is_said() -> None:
    assert "cannot be asked" in cards.feeds_card([], certain=False).embed.description
    assert "cannot be asked" in cards.feeds_card([Feed(url="https://a.example")], certain=False).embed.description


def test_items_have_their_date_and_their_link() -> None:
    item = FeedItem("New", "https://a.example/1", samples.NOON)
    card = cards.added_card(FoundFeed("https://a.example/feed", "A", (item,), 1, ("https://a.example/2",)), 1)
    assert f"- [New](https://a.example/1) <t:{int(samples.NOON.timestamp())}:R>" in card.embed.description
    assert "names other feeds too" in card.embed.description
    assert "no items" in cards.tested_card(FoundFeed("https://a.example", "", (), 0)).embed.description
