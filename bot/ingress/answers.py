"""What the HTTP port answers: JSON, and problems as RFC 9457 has them."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from aiohttp import web

from bot.ingress.posted import Problem

PROBLEM_TYPE = "application/problem+json"


def problem(
    status: int, detail: str, *, errors: Sequence[Problem] = (), headers: Mapping[str, str] | None = None
) -> web.Response:
    """``detail`` is a sentence for whoever sent the request."""
    body: dict[str, object] = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if errors:
        body["errors"] = [{"pointer": error.pointer, "detail": error.detail} for error in errors]
    return web.json_response(body, status=status, headers=headers, content_type=PROBLEM_TYPE)


def later(status: int, detail: str, wait_s: float) -> web.Response:
    """A problem that is gone after so many seconds."""
    return problem(status, detail, headers={"Retry-After": str(max(math.ceil(wait_s), 1))})
