"""Forms and menus: a form with one text field, and what came back from either. Anybody can send anything."""

import asyncio
from collections.abc import Iterator
from typing import Any

import discord

from bot.delivery.places import ACKNOWLEDGE_TIMEOUT_S

LONGEST_LABEL = 45
LONGEST_PLACEHOLDER = 100
MOST_VALUES = 51
"""More than any menu has, and one more than a setting takes: that it is too many is told."""
_INPUT = "value"


async def open_form(
    interaction: discord.Interaction,
    custom_id: str,
    *,
    title: str,
    label: str,
    help_line: str,
    placeholder: str,
    value: str = "",
    longest: int,
    many_lines: bool = False,
) -> None:
    """Answer an interaction with a form of one text field; texts are cut where they are too long.

    Raises one of ``PLACE_FAULTS``.
    """
    field: discord.ui.TextInput[Any] = discord.ui.TextInput(
        custom_id=_INPUT,
        default=value or None,
        placeholder=placeholder[:LONGEST_PLACEHOLDER],
        max_length=longest,
        style=discord.TextStyle.paragraph if many_lines else discord.TextStyle.short,
    )
    form = discord.ui.Modal(title=title[:LONGEST_LABEL], custom_id=custom_id, timeout=None)
    form.add_item(
        discord.ui.Label(text=label[:LONGEST_LABEL], description=help_line[:LONGEST_PLACEHOLDER], component=field)
    )
    form.stop()  # not remembered by the client: what is entered is matched by its id
    async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT_S):
        await interaction.response.send_modal(form)


def chosen(interaction: discord.Interaction) -> tuple[str, ...]:
    """What was chosen in a menu."""
    data: Any = interaction.data or {}
    values = data.get("values") or ()
    return tuple(str(value) for value in values[:MOST_VALUES]) if isinstance(values, list) else ()


def typed(interaction: discord.Interaction) -> str | None:
    """What was typed into the form; None where there is none."""
    data: Any = interaction.data or {}
    return next(_inputs(data.get("components")), None)


def _inputs(components: Any) -> Iterator[str]:
    for component in components if isinstance(components, list) else ():
        inner = component.get("component", component) if isinstance(component, dict) else None
        if not isinstance(inner, dict):
            continue
        if inner.get("custom_id") == _INPUT and isinstance(inner.get("value"), str):
            yield inner["value"]
        yield from _inputs(inner.get("components"))
