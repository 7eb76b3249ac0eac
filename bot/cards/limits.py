"""Discord's limits on messages and suggestions, and the budget that keeps a card inside them. In code points.

https://docs.discord.com/developers/resources/message#embed-object-embed-limits
"""

from collections.abc import Iterable

EMBED_TOTAL = 6000
TITLE = 256
DESCRIPTION = 4096
FIELD_NAME = 256
FIELD_VALUE = 1024
FOOTER = 2048
SUGGESTIONS = 25
SUGGESTION = 100


def shorten(text: str, length: int) -> str:
    """At most ``length`` code points, an ellipsis for what is missing. For plain text: cut first, then escape."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


class Budget:
    """Hands out an embed's 6000 code points, part by part."""

    def __init__(self, total: int = EMBED_TOTAL) -> None:
        self.left = total

    def fit(self, offers: Iterable[str], limit: int) -> str:
        """Take the first offer within ``limit`` and within what is left; a later one is only made when needed.

        When none fits, "": the caller's last offer should be short enough by its construction.
        """
        room = min(limit, self.left)
        for offer in offers:
            if len(offer) <= room:
                self.left -= len(offer)
                return offer
        return ""
