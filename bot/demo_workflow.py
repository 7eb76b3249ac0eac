"""``workflow:started`` as somebody outside sends it to the demo's bot: a signed ``POST /events``."""

import base64
import json
import secrets
from datetime import UTC, datetime

import aiohttp
from standardwebhooks import Webhook

from bot.demo_bot import free_port

TIMEOUT_S = 15.0


def signed(secret: str, webhook_id: str, body: str) -> dict[str, str]:
    """The headers of an event that is sent now, by a holder of ``secret``, as Standard Webhooks has them."""
    now = datetime.now(UTC)
    return {
        "Content-Type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, now, body),
    }


class WorkflowSender:
    """Shares a secret of its own with one bot, which is told by ``environment`` where to listen for it."""

    def __init__(self) -> None:
        self._port = free_port()
        self._secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()

    def environment(self) -> dict[str, str]:
        """The bot's variables."""
        return {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(self._port), "WEBHOOK_SECRET": self._secret}

    async def send(self) -> str:
        """Start a workflow for all servers, and say what the bot made of it."""
        body = json.dumps({"type": "workflow:started", "data": {}})
        headers = signed(self._secret, f"demo_{secrets.token_hex(8)}", body)
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session,
                session.post(f"http://127.0.0.1:{self._port}/events", data=body, headers=headers) as answer,
            ):
                said = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError):
            return "The bot did not take it: nobody answers at its HTTP port. Is it running?"
        if answer.status == 202:
            return f"The bot started workflow {said['workflow_id'][:8]}. Each active digest is now made and sent."
        return f"The bot did not take it: {said.get('detail', answer.status)}"
