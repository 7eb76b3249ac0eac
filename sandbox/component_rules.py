"""The rules on message components, old style (rows of buttons and selects) and V2.

https://discord.com/developers/docs/components/reference
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sandbox.errors import FieldError, JsonObject

ROW, BUTTON, STRING_SELECT, TEXT_INPUT = 1, 2, 3, 4
SELECTS = (3, 5, 6, 7, 8)
SECTION, TEXT_DISPLAY, THUMBNAIL, GALLERY, FILE, SEPARATOR, CONTAINER, LABEL = 9, 10, 11, 12, 13, 14, 17, 18
LINK, PREMIUM = 5, 6
"""Button styles that carry no custom id."""

MAX_ROWS = 5
MAX_IN_ROW = 5
MAX_SELECT_OPTIONS = 25
MAX_LABEL = 80
MAX_CUSTOM_ID = 100
MAX_COMPONENTS_V2 = 40
MAX_TEXT_V2 = 4_000

Path = tuple[str | int, ...]


def walk(components: Any, at: Path = ()) -> Iterator[tuple[Path, JsonObject]]:
    """Every component with its path, outside in, in the order in which a person sees them."""
    if not isinstance(components, list):
        return
    for index, component in enumerate(components):
        if isinstance(component, dict):
            here = (*at, index)
            yield here, component
            yield from walk(component.get("components"), (*here, "components"))
            for name in ("accessory", "component"):
                inner = component.get(name)
                if isinstance(inner, dict):
                    yield (*here, name), inner


def check_components(components: Any, at: Path, *, second: bool) -> Iterator[FieldError]:
    """What is wrong with a message's components; ``second`` where the message has the Components V2 flag."""
    if components is None:
        return
    if not isinstance(components, list):
        yield FieldError(at, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
        return
    yield from _check_top_level(components, at, second=second)
    seen: set[str] = set()
    for path, component in walk(components, at):
        yield from _check_component(component, path)
        custom_id = component.get("custom_id")
        if isinstance(custom_id, str):
            if custom_id in seen:
                message = "Component custom id cannot be duplicated"
                yield FieldError((*path, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", message)
            seen.add(custom_id)


def _check_top_level(components: list[Any], at: Path, *, second: bool) -> Iterator[FieldError]:
    if second:
        everything = list(walk(components))
        if len(everything) > MAX_COMPONENTS_V2:
            message = f"Must be {MAX_COMPONENTS_V2} or fewer components in all."
            yield FieldError(at, "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", message)
        texts = (component.get("content") for _, component in everything if component.get("type") == TEXT_DISPLAY)
        if sum(len(text) for text in texts if isinstance(text, str)) > MAX_TEXT_V2:
            message = f"The total displayable text size exceeds {MAX_TEXT_V2} characters."
            yield FieldError(at, "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", message)
        allowed: tuple[int, ...] = (ROW, SECTION, TEXT_DISPLAY, GALLERY, FILE, SEPARATOR, CONTAINER)
    else:
        allowed = (ROW,)
        if len(components) > MAX_ROWS:
            yield FieldError(at, "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {MAX_ROWS} in length.")
    for index, component in enumerate(components):
        if not isinstance(component, dict) or component.get("type") not in allowed:
            message = f'Value of field "type" must be one of {allowed}.'
            yield FieldError((*at, index, "type"), "UNION_TYPE_CHOICES", message)


def _check_component(component: JsonObject, at: Path) -> Iterator[FieldError]:
    kind = component.get("type")
    if kind == ROW:
        yield from _check_row(component, at)
    elif kind == BUTTON:
        yield from _check_button(component, at)
    elif kind in SELECTS:
        yield from _check_select(component, at)
    elif kind == TEXT_DISPLAY:
        yield from _check_text(component.get("content"), 1, MAX_TEXT_V2, (*at, "content"))
    elif kind == SECTION:
        if not 1 <= len(component.get("components") or ()) <= 3:
            yield FieldError((*at, "components"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 3 in length.")
        if not isinstance(component.get("accessory"), dict):
            yield FieldError((*at, "accessory"), "BASE_TYPE_REQUIRED", "This field is required")


def _check_row(row: JsonObject, at: Path) -> Iterator[FieldError]:
    inner = row.get("components")
    if not isinstance(inner, list) or not 1 <= len(inner) <= MAX_IN_ROW:
        yield FieldError(
            (*at, "components"), "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {MAX_IN_ROW} in length."
        )
        return
    kinds = [component.get("type") for component in inner if isinstance(component, dict)]
    if any(kind in SELECTS or kind == TEXT_INPUT for kind in kinds) and len(kinds) > 1:
        message = "The specified component exceeds the maximum width"
        yield FieldError((*at, "components"), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", message)


def _check_custom_id(component: JsonObject, at: Path) -> Iterator[FieldError]:
    yield from _check_text(component.get("custom_id"), 1, MAX_CUSTOM_ID, (*at, "custom_id"))


def _check_text(text: Any, shortest: int, longest: int, at: Path) -> Iterator[FieldError]:
    if not isinstance(text, str):
        yield FieldError(at, "BASE_TYPE_REQUIRED", "This field is required")
    elif not shortest <= len(text) <= longest:
        yield FieldError(at, "BASE_TYPE_BAD_LENGTH", f"Must be between {shortest} and {longest} in length.")


def _check_button(button: JsonObject, at: Path) -> Iterator[FieldError]:
    style = button.get("style")
    if style not in (1, 2, 3, 4, LINK, PREMIUM):
        yield FieldError((*at, "style"), "BASE_TYPE_CHOICES", "Value must be one of (1, 2, 3, 4, 5, 6).")
    label = button.get("label")
    if label is not None:
        yield from _check_text(label, 0, MAX_LABEL, (*at, "label"))
    if not label and not button.get("emoji") and style != PREMIUM:
        yield FieldError((*at, "label"), "BUTTON_COMPONENT_INVALID_LABEL", "A button needs a label or an emoji")
    if style == LINK:
        url = button.get("url")
        if not isinstance(url, str) or not url.startswith(("http://", "https://", "discord://")):
            yield FieldError((*at, "url"), "URL_TYPE_INVALID_URL", "Not a well formed URL.")
        elif len(url) > 512:
            yield FieldError((*at, "url"), "BASE_TYPE_MAX_LENGTH", "Must be 512 or fewer in length.")
        if button.get("custom_id"):
            message = "A custom id and url cannot both be specified"
            yield FieldError(at, "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", message)
    elif style != PREMIUM:
        yield from _check_custom_id(button, at)


def _check_select(select: JsonObject, at: Path) -> Iterator[FieldError]:
    yield from _check_custom_id(select, at)
    placeholder = select.get("placeholder")
    if placeholder is not None:
        yield from _check_text(placeholder, 0, 150, (*at, "placeholder"))
    if select.get("type") != STRING_SELECT:
        return
    options = select.get("options")
    if not isinstance(options, list) or not 1 <= len(options) <= MAX_SELECT_OPTIONS:
        message = f"Must be between 1 and {MAX_SELECT_OPTIONS} in length."
        yield FieldError((*at, "options"), "BASE_TYPE_BAD_LENGTH", message)
        return
    yield from _check_select_options(options, (*at, "options"))
    least, most = select.get("min_values", 1), select.get("max_values", 1)
    if not isinstance(least, int) or not isinstance(most, int) or not 0 <= least <= most <= len(options):
        message = "min_values and max_values must fit the options"
        yield FieldError((*at, "max_values"), "BASE_TYPE_BAD_LENGTH", message)


def _check_select_options(options: Iterable[Any], at: Path) -> Iterator[FieldError]:
    values: set[str] = set()
    for index, option in enumerate(options):
        here = (*at, index)
        if not isinstance(option, dict):
            yield FieldError(here, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
            continue
        yield from _check_text(option.get("label"), 1, 100, (*here, "label"))
        yield from _check_text(option.get("value"), 1, 100, (*here, "value"))
        if option.get("description") is not None:
            yield from _check_text(option["description"], 0, 100, (*here, "description"))
        value = str(option.get("value"))
        if value in values:
            yield FieldError((*here, "value"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "Value is duplicated")
        values.add(value)


def check_modal(modal: Any, at: Path) -> Iterator[FieldError]:
    """What is wrong with a modal: title 1-45, custom id, one to five rows or labels."""
    if not isinstance(modal, dict):
        yield FieldError(at, "BASE_TYPE_REQUIRED", "This field is required")
        return
    yield from _check_text(modal.get("title"), 1, 45, (*at, "title"))
    yield from _check_custom_id(modal, at)
    rows = modal.get("components")
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_ROWS:
        message = f"Must be between 1 and {MAX_ROWS} in length."
        yield FieldError((*at, "components"), "BASE_TYPE_BAD_LENGTH", message)
        return
    for path, component in walk(rows, (*at, "components")):
        if component.get("type") == TEXT_INPUT:
            yield from _check_custom_id(component, path)
