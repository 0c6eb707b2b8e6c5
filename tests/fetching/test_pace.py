"""How fast a download is said to be."""

from __future__ import annotations

from launcher.downloads import Progress
from launcher.fetching.pace import WINDOW_S, Pace
from launcher.fetching.tally import Tally


def test_a_steady_line_has_its_speed_and_a_silent_one_slows_down() -> None:
    pace = Pace()
    assert pace.bytes_per_s(0.0) == 0
    for second in range(11):
        pace.add(float(second), 100 * second)
    assert pace.bytes_per_s(10.0) == 100
    assert 0 < pace.bytes_per_s(10.0 + WINDOW_S / 2) < 100
    assert pace.bytes_per_s(10.0 + 2 * WINDOW_S) == 0


def test_what_was_here_before_is_no_speed() -> None:
    pace = Pace()
    pace.add(0.0, 10**9)
    assert pace.bytes_per_s(1.0) == 0
    pace.add(2.0, 10)  # begun anew
    assert pace.bytes_per_s(3.0) == 0


def test_all_files_are_counted_together() -> None:
    tally = Tally()
    steps = [
        Progress("a", "fetching", 4, 10),
        Progress("a", "checking", 2, 10),
        Progress("a", "done", 10, 10),
        Progress("b", "fetching", 3, 5),
    ]
    assert [tally.add(step) for step in steps] == [4, 10, 10, 13]
