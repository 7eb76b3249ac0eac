"""``python -m docs.interfaces`` writes ``docs/openapi.json`` and ``docs/schemas/`` from the models."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from bot.ingress.documents import event_schemas, openapi

DOCS = Path(__file__).resolve().parent


def interfaces() -> Mapping[Path, str]:
    """Every file and what it has to hold."""
    documents = {DOCS / "openapi.json": openapi()}
    documents |= {DOCS / "schemas" / name: schema for name, schema in event_schemas().items()}
    return {path: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for path, document in documents.items()}


def main() -> None:
    """Write them into the repository."""
    for path, text in interfaces().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
