"""JSON bodies become typed values, or an error that does not show them."""

import msgspec
import pytest

from agents.errors import UnexpectedContent
from agents.fetch.json import decode_json
from agents.fetch.request import Response


class Item(msgspec.Struct):
    id: int


def _response(body: bytes) -> Response:
    url = "https://news.example/x?token=secret"
    return Response(status=200, url=url, headers={}, body=body, content_type="application/json")


def test_decodes_to_the_type_asked_for() -> None:
    assert decode_json(_response(b'{"id": 1, "new": true}'), Item) == Item(1)
    assert decode_json(_response(b'\xef\xbb\xbf[{"id": 2}]'), list[Item]) == [Item(2)]


@pytest.mark.parametrize(
    "body", [b"", b"secret", b'{"id": 1', b'{"id": "secret"}', b"[]", b"\xff\xfe", b'"' + b"\xff" + b'"']
)
def test_says_so_without_showing_the_body(body: bytes) -> None:
    with pytest.raises(UnexpectedContent, match=r"^news\.example answered") as caught:
        decode_json(_response(body), Item)
    assert "secret" not in caught.value.sentence


def test_deep_nesting_is_an_error_like_any_other() -> None:
    with pytest.raises(UnexpectedContent):
        decode_json(_response(b"[" * 200_000), Item)
    with pytest.raises(UnexpectedContent):
        decode_json(_response(b'{"x":' + b"[" * 200_000), Item)
