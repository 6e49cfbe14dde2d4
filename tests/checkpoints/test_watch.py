"""The limit on silence: what counts as a sign of life, and what comes out of watched work."""

import time
from pathlib import Path

import pytest

from stars_hub.checkpoints.watch import StalledError, Watch, run_watched


def test_results_and_errors_come_through(tmp_path: Path) -> None:
    assert run_watched(lambda: 7, Watch(tmp_path), limit=1) == 7
    with pytest.raises(ZeroDivisionError):
        run_watched(lambda: 1 // 0, Watch(tmp_path), limit=1)


def test_silence_is_given_up(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(StalledError, match=r"nothing arrived for 0\.2 seconds"):
        run_watched(lambda: time.sleep(2), Watch(tmp_path), limit=0.2)
    assert time.monotonic() - start < 1


def test_growing_files_are_life_and_restarts_are_not(tmp_path: Path) -> None:
    def grow(sizes: list[int]) -> str:
        for size in sizes:
            (tmp_path / "part").write_bytes(bytes(size))
            time.sleep(0.1)
        return "done"

    watch = Watch(tmp_path)
    assert run_watched(lambda: grow([1, 2, 3, 4, 5, 6]), watch, limit=0.4) == "done"
    with pytest.raises(StalledError):
        run_watched(lambda: grow([1, 6, 1, 6, 1, 6, 1, 6]), watch, limit=0.4)


def test_bars_are_life_while_they_reach_further(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    with watch.bar_class()(total=10, disable=True) as bar:
        for step, alive in [(3, True), (-3, False), (3, False), (1, True), (0, False)]:
            watch._last = -1e9
            bar.update(step)
            assert (watch.silence() < 10) is alive
        watch.given_up = True
        with pytest.raises(InterruptedError):
            bar.update(1)
