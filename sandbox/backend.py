"""What every REST handler and every person acts on: the parts of one local Discord, put together by ``server``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.activity import Activity
from sandbox.clock import Clock
from sandbox.definitions import Registry
from sandbox.exchange import Exchanges
from sandbox.gateway import Gateway
from sandbox.messages import Message
from sandbox.world import World


@dataclass(slots=True)
class Backend:
    """State and its outlets. Handlers change the world and announce what they changed through ``gateway``."""

    world: World
    gateway: Gateway
    commands: Registry
    exchanges: Exchanges
    activity: Activity
    clock: Clock
    application_id: int
    application_name: str
    gateway_url: Callable[[], str]
    files_url: Callable[[], str]
    nonce_window_s: float
    max_attachment_bytes: int
    nonces: OrderedDict[tuple[int, str], tuple[float, Message]] = field(default_factory=OrderedDict)
