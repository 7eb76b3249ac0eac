"""From a response's body to typed values."""

from typing import TypeVar

import msgspec

from agents.errors import UnexpectedContent
from agents.fetch.addresses import site_name
from agents.fetch.request import Response

T = TypeVar("T")

UNKNOWN_FORM = "in a form that is not known here. A newer version of this program may know it."
"""The end of a sentence, where an upstream has changed."""


def decode_json(response: Response, type: type[T]) -> T:  # noqa: A002 - what msgspec calls it too
    """The body as ``type`` (a msgspec struct, usually); ``UnexpectedContent`` if it is not, without showing it."""
    site = site_name(response.url)
    try:
        return msgspec.json.decode(response.body.removeprefix(b"\xef\xbb\xbf"), type=type)
    except msgspec.ValidationError as error:
        raise UnexpectedContent(f"{site} answered {UNKNOWN_FORM}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnexpectedContent(f"{site} answered with broken or incomplete JSON. Ask again in a moment.") from error
