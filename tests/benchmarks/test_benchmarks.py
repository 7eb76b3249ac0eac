"""Every benchmark runs, measures what it says, and is summed up and judged as documented; small sizes, no figure."""

import json

import pytest

from benchmarks.__main__ import FIGURES, LONG, main, table
from benchmarks.acknowledgement import percentile_99
from benchmarks.browsing import find_chromium
from benchmarks.figure import Measured, NotMeasurable, Ratios, Size
from benchmarks.same_story import LABELLED


@pytest.mark.parametrize("name", [*FIGURES, *LONG])
async def test_it_runs_and_gives_a_figure(name: str) -> None:
    if name == "page" and find_chromium() is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium; or name one in CHROMIUM)")
    if name in {"same-story", "feeds"} and not LABELLED.is_dir():
        pytest.skip("labelled pairs and recorded feeds are not part of the repository")
    results = await {**FIGURES, **LONG}[name](Size.TINY)
    assert results
    for result in results:
        assert result.value > 0
        assert result.details
        assert result.limit > 0


async def test_identical_requests_are_one_fetch_even_when_few_are_sent() -> None:
    [result] = await FIGURES["single-flight"](Size.TINY)
    assert result.value == 1
    assert result.reached


def test_a_noisy_pair_does_not_decide() -> None:
    ratios = Ratios(ours=[1.1, 9.0, 1.2, 2.4], reference=[1.0, 1.0, 1.0, 2.0])
    assert ratios.ratios == [1.1, 9.0, 1.2, 1.2]
    assert ratios.median == 1.2
    assert "4 pairs" in ratios.details(1000, "ms")


def test_a_figure_is_reached_up_to_its_limit_and_an_exact_one_only_there() -> None:
    assert Measured("a", 1.5, 1.5, "x").reached
    assert not Measured("a", 1.51, 1.5, "x").reached
    assert Measured("a", 1, 1, "", exactly=True).reached
    assert not Measured("a", 0, 1, "", exactly=True).reached
    assert Measured("a", 0.9, 0.9, "", at_least=True).reached
    assert not Measured("a", 0.89, 0.9, "", at_least=True).reached


def test_of_a_hundred_one_may_be_slower_than_the_99th_percentile() -> None:
    assert percentile_99([float(number) for number in range(100)]) == 98.0
    assert percentile_99([1.0]) == 1.0


def test_the_table_names_figure_value_limit_and_verdict() -> None:
    text = table([Measured("a " * 60, 1.6, 1.5, "x", "why"), Measured("b", 1, 1, "", exactly=True)])
    first, *_, last = text.splitlines()[2:]
    assert first.split()[-5:] == ["1.60", "x", "≤", "1.50", "x", "FAIL"][-5:]
    assert last.split() == ["b", "1", "exactly", "1", "pass"]


def test_the_command_line_measures_what_is_named_and_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bus", "--tiny", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["figures"]) == 2
    assert all(figure["figure"].startswith("bus:") for figure in told["figures"])
    assert "cores" in told["machine"]


def test_what_cannot_be_measured_here_is_said_and_the_rest_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def impossible(_: Size) -> list[Measured]:
        raise NotMeasurable("No browser is installed.")

    monkeypatch.setitem(FIGURES, "page", impossible)
    assert main(["page", "bus", "--tiny", "--json"]) == 1
    told = capsys.readouterr()
    assert "page was not measured. No browser is installed." in told.err
    assert len(json.loads(told.out)["figures"]) == 2


def test_an_unknown_name_is_a_bad_argument(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["nonsense"])
    assert ended.value.code == 2
    assert "bus" in capsys.readouterr().err
