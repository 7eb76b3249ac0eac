"""``python send_event.py [DATA]``: sends a signed ``workflow:started``. Needs nothing but Python's standard library.

``SIGNALS_URL`` is where the bot listens, ``WEBHOOK_SECRET`` the secret, DATA the event's data as JSON.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.request
import uuid
from typing import Any


def send(url: str, secret: str, data: dict[str, Any], webhook_id: str) -> dict[str, Any]:
    """Start a workflow, once for each ``webhook_id``. Raises ``urllib.error.HTTPError`` when it is refused."""
    body = json.dumps({"type": "workflow:started", "data": data}).encode()
    timestamp = str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = b".".join([webhook_id.encode(), timestamp.encode(), body])
    signature = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }
    request = urllib.request.Request(f"{url}/events", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        accepted: dict[str, Any] = json.load(answer)
        return accepted


if __name__ == "__main__":
    given = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    print(send(os.environ["SIGNALS_URL"], os.environ["WEBHOOK_SECRET"], given, f"msg_{uuid.uuid4().hex}"))
