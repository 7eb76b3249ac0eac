"""Full garbage collections wait for the last ranking that is under way, and for no longer."""

import gc

import pytest

from agents.ranking.pauses import no_full_collections


def test_they_are_put_off_while_any_block_is_open_and_come_back_after_the_last() -> None:
    before = gc.get_threshold()
    first, second = no_full_collections(), no_full_collections()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.get_threshold()[:2] == before[:2]
    assert gc.get_threshold()[2] > 1000 * before[2]
    second.__exit__(None, None, None)
    assert gc.get_threshold() == before


def test_they_come_back_when_a_block_fails() -> None:
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="broken"), no_full_collections():
        raise ValueError("broken")
    assert gc.get_threshold() == before
