"""What is kept, in words and numbers, within the limits."""

import pytest

from bot.cards import privacy
from bot.cards.card import ButtonStyle, Card
from bot.cards.custom_ids import PrivacyControl, parse, parse_privacy
from bot.guild_settings import DEFAULTS, Feed
from bot.store.guilds import StoredData
from bot.store.settings_memory import NEVER_SET, Versioned
from tests.bot import samples
from tests.bot.cards.discord_rules import violations

SOME = StoredData(
    Versioned(DEFAULTS.changed(limit=3, feeds=(Feed(url="https://a.example"),)), 7), 1234, samples.NOON, 1, None
)
NONE = StoredData(NEVER_SET, 0, None, 0, None)


@pytest.mark.parametrize(
    "card",
    [
        privacy.show_card(None, in_server=False),
        privacy.show_card(None, in_server=True),
        privacy.show_card(SOME, in_server=True),
        privacy.show_card(NONE, in_server=True),
        privacy.confirm_server_card(SOME, 2**63),
        privacy.server_not_deleted_card(2**63, perhaps=True),
        privacy.server_not_deleted_card(2**63, perhaps=False),
        privacy.own_not_deleted_card(2**63),
        privacy.server_deleted_card(NONE),
        privacy.confirm_own_card(2**63),
        privacy.own_deleted_card(1),
        privacy.foreign_card(),
        privacy.admins_only_card(),
    ],
)
def test_every_card_is_within_the_limits(card: Card) -> None:
    assert violations(card.payload()) == []


def test_numbers_are_told_as_people_count() -> None:
    text = privacy.confirm_server_card(SOME, 5).embed.description
    assert "2 settings other than the default, 1 feed\n" in text
    assert f"1,234 changes in the history, the oldest from <t:{int(samples.NOON.timestamp())}:D>" in text
    assert "1 answer or question\n" in text
    assert "0 changes in the history\n" in privacy.server_deleted_card(NONE).embed.description


def test_what_deletes_looks_dangerous_and_carries_whose_it_is() -> None:
    ((button,),) = privacy.confirm_server_card(SOME, 5).rows
    assert (button.style, button.custom_id) == (ButtonStyle.DANGER, "p1:guild:5")
    assert parse_privacy("p1:guild:5") == PrivacyControl("guild", 5)
    ((button,),) = privacy.confirm_own_card(6).rows
    assert parse_privacy(str(button.custom_id)) == PrivacyControl("user", 6)


@pytest.mark.parametrize("custom_id", ["", "p1:", "p1:guild:", "p1:guild:١", "p1:user:1\n", "p1:guild:" + "1" * 21])
def test_what_is_none_of_ours_deletes_nothing(custom_id: str) -> None:
    assert parse_privacy(custom_id) is None
    assert parse(custom_id) is None
