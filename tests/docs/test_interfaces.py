"""docs/openapi.json and docs/schemas/ are what the models say; ``make schemas`` writes them."""

from docs.interfaces import DOCS, interfaces


def test_what_is_written_down_is_what_the_models_say() -> None:
    for path, text in interfaces().items():
        assert path.read_text(encoding="utf-8") == text, f"make schemas writes {path.name} anew"


def test_there_is_no_schema_of_an_event_that_is_gone() -> None:
    assert set((DOCS / "schemas").iterdir()) | {DOCS / "openapi.json"} == set(interfaces())
