"""Scripted faults: what a test wants the local Discord to do wrong, to which requests and how often."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    """What goes wrong.

    ``STATUS`` answers without any effect, ``STATUS_AFTER`` when it has had it; ``DROP_BEFORE`` closes the
    connection before the request has an effect, ``DROP_AFTER`` when it has had it; ``HANG`` never answers (and has
    no effect); ``HANG_AFTER`` has its effect and never answers; ``SLOW`` delays; ``TRUNCATE`` has its effect and
    cuts the answer in half; ``GARBAGE`` answers HTML with status 200 (or ``status``) without effect;
    ``RATE_LIMIT`` answers 429.
    """

    STATUS = "status"
    STATUS_AFTER = "status_after"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    HANG = "hang"
    HANG_AFTER = "hang_after"
    SLOW = "slow"
    TRUNCATE = "truncate"
    GARBAGE = "garbage"
    RATE_LIMIT = "rate_limit"


@dataclass(slots=True)
class Fault:
    """One fault.

    ``route`` is a regular expression searched in the path below ``/api/v10``; ``method`` "*" means any.
    The first ``after`` matching requests pass, then ``count`` of them (None: all) are struck, each with
    ``probability``. ``scope`` is user, global or shared; ``via`` False leaves out ``Via``, as the page of a
    ban does.
    """

    kind: FaultKind | str
    route: str = ".*"
    method: str = "*"
    count: int | None = 1
    after: int = 0
    probability: float = 1.0
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    retry_after_s: float = 0.05
    scope: str = "user"
    via: bool = True
    struck: int = 0
    seen: int = 0

    def __post_init__(self) -> None:
        self.kind = FaultKind(self.kind)
        re.compile(self.route)

    @property
    def is_spent(self) -> bool:
        """Whether it has struck as often as it should."""
        return self.count is not None and self.struck >= self.count


class Faults:
    """The script: faults in the order of their addition; the first that matches strikes."""

    def __init__(self, seed: int = 0) -> None:
        self._script: list[Fault] = []
        # Not for secrets: a fixed seed makes a probability repeatable.
        self._random = random.Random(seed)  # noqa: S311

    def __iter__(self) -> Any:
        return iter(tuple(self._script))

    def __len__(self) -> int:
        return len(self._script)

    def add(self, fault: Fault) -> Fault:
        """Add to the script; the fault itself tells afterwards how often it ``struck``."""
        self._script.append(fault)
        return fault

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._script.clear()

    def strike(self, method: str, path: str) -> Fault | None:
        """The fault that strikes this request, counted; None where none does."""
        for fault in self._script:
            if fault.is_spent or fault.method not in ("*", method) or not re.search(fault.route, path):
                continue
            fault.seen += 1
            if fault.seen <= fault.after:
                continue
            if fault.probability < 1.0 and self._random.random() >= fault.probability:
                continue
            fault.struck += 1
            return fault
        return None
