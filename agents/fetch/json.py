"""From a response's body to typed values."""

from typing import TypeVar

import msgspec

from agents.errors import UnexpectedContent
from agents.fetch.addresses import site_name
from agents.fetch.request import Response

T = TypeVar("T")


def decode_json(response: Response, type: type[T]) -> T:  # noqa: A002 - what msgspec calls it too
    """The body as ``type`` (a msgspec struct, usually); ``UnexpectedContent`` if it is not, without showing it."""
    try:
        return msgspec.json.decode(response.body.removeprefix(b"\xef\xbb\xbf"), type=type)
    except msgspec.ValidationError as error:
        raise UnexpectedContent(f"{site_name(response.url)} answered in a form that is not understood.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnexpectedContent(f"{site_name(response.url)} answered with broken or incomplete JSON.") from error
