"""Builds that are killed, starved of space or doubled: the next one finishes, and the store verifies."""

import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from stars_hub.errors import StoreError
from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.store import SkeletonStore, StoreBuilder
from stars_hub.skeletons.store.journal import JOURNAL_NAME
from tests.skeletons.builds import COUNT, build, check_finished, journal_lines, sequences


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.3, 0.5001, 0.77, 0.999])
def test_a_build_torn_at_any_byte_goes_on(
    tmp_path: Path, whole: SkeletonStore, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    """Every write passes one function: let it die in the middle of a block."""
    left = int(share * (whole.folder / "frames.npy").stat().st_size)
    write_at = StoreBuilder._write_at

    def dying(self: StoreBuilder, file: object, position: int, blocks: object) -> None:
        nonlocal left
        for block in list(blocks):
            write_at(self, file, position, [block[:left]])
            position, left = position + len(block), left - len(block)
            if left < 0:
                raise KeyboardInterrupt

    folder = tmp_path / "store"
    with monkeypatch.context() as patch:
        patch.setattr(StoreBuilder, "_write_at", dying)
        with pytest.raises(KeyboardInterrupt):
            build(folder)
    assert not folder.exists()
    if share > 0.1:
        assert journal_lines(folder) >= share * COUNT / 2
    build(folder)
    check_finished(folder, whole)


def test_resumes_only_as_far_as_the_sequences_agree(tmp_path: Path, whole: SkeletonStore) -> None:
    def breaking() -> Iterator[np.ndarray]:
        yield from sequences(30)
        raise KeyboardInterrupt

    folder = tmp_path / "store"
    with pytest.raises(KeyboardInterrupt):
        SkeletonStore.create(folder, breaking(), layout="ntu25", labels=[i % 3 for i in range(COUNT)])
    assert journal_lines(folder) == 30
    frames = folder.with_name(".store.building") / "frames.npy"
    frames.write_bytes(frames.read_bytes()[:-5])  # as a power failure leaves it
    with StoreBuilder(folder, layout="ntu25") as builder:
        assert len(builder._pending) == 29
    other = [*sequences(10), *sequences(20, seed=1)]
    store = SkeletonStore.create(folder, other, layout="ntu25", labels=[i % 3 for i in range(30)])
    for sample, joints in zip(store, other, strict=True):
        np.testing.assert_array_equal(sample.joints[:, 0], joints)
    store.verify()


def test_a_build_that_fails_says_what_it_leaves_and_goes_on(tmp_path: Path, whole: SkeletonStore) -> None:
    folder = tmp_path / "store"

    def counted() -> Iterator[np.ndarray]:
        nonlocal taken
        for joints in sequences():
            taken += 1
            yield joints

    labels: list[int | str] = [i % 3 for i in range(COUNT)]
    for place in (30, 40):  # the second build knows the kind of labels from what the first one left
        taken = 0
        wrong = [*labels[:place], "wave", *labels[place + 1 :]]
        with pytest.raises(
            StoreError, match=r"mix numbers and text.* is kept in .*\.store\.building"
        ) as error:
            SkeletonStore.create(folder, counted(), layout="ntu25", labels=wrong)
        assert str(folder.with_name(".store.building")) in str(error.value)
        assert taken == place + 1
        assert journal_lines(folder) == place
    with pytest.raises(StoreError, match=r"got more values than the 60 sequences.* is kept in"):
        SkeletonStore.create(folder, counted(), layout="ntu25", labels=[*labels, 0])
    assert journal_lines(folder) == COUNT
    build(folder)
    check_finished(folder, whole)


def test_a_build_that_fails_at_once_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as error:
        SkeletonStore.create(tmp_path / "store", sequences(2), layout="ntu25", labels=[0.5, 1])
    assert "kept" not in str(error.value)
    given = list(sequences(3))
    for labels, message in (([0, 1], "only 2 values for more"), ([0] * 4, "more values than the 3")):
        with pytest.raises(StoreError, match=message) as error:
            SkeletonStore.create(tmp_path / "store", given, layout="ntu25", labels=labels)
        assert "kept" not in str(error.value)
    with pytest.raises(StoreError, match="splits: expected what JSON can hold"):
        SkeletonStore.create(tmp_path / "store", given, layout="ntu25", splits={"a": {"column": object()}})
    assert not list(tmp_path.iterdir())


def test_a_column_of_two_kinds_is_refused_where_the_second_comes(tmp_path: Path) -> None:
    with StoreBuilder(tmp_path / "store", layout="ntu25") as builder:
        joints = next(sequences(1))
        for number, site in enumerate((None, "hall", None, "7")):
            builder.add(str(number), [Sequence(joints, name=f"s{number}", columns={"site": site})])
        with pytest.raises(StoreError, match=r"'s4': column 'site' mixes .* for example 'hall' and 7$"):
            builder.add("4", [Sequence(joints, name="s4", columns={"site": 7})])
        with pytest.raises(StoreError, match=r"mixes text and numbers, for example 1 and 'b'"):
            builder.add("4", [Sequence(joints, name="s4", columns={"room": room}) for room in (1, "b")])
        assert builder.num_samples == 4
        builder.finish()
    assert SkeletonStore.open(tmp_path / "store").column("site").tolist() == ["", "hall", "", "7"]


def test_a_build_with_other_settings_starts_anew(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with StoreBuilder(folder, layout="ntu25", dtype="float16") as builder:
        builder.add("0", build(tmp_path / "other", 3)[:1])
    assert journal_lines(folder) == 1
    with StoreBuilder(folder, layout="ntu25") as builder:
        assert builder.resume("0") is None
    assert not folder.with_name(".store.building").exists()  # nothing was finished, nothing is kept


CHILD = """
    import sys
    from pathlib import Path
    from tests.skeletons.builds import build
    print("ready", flush=True)
    build(Path(sys.argv[1]), pause=0.002)
"""


def start_child(folder: Path) -> "subprocess.Popen[str]":
    code = textwrap.dedent(CHILD)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def kill_and_finish(folder: Path, whole: SkeletonStore, moment: float) -> int:
    """Kill a build after `moment` seconds; finish it; return how many samples it had."""
    with start_child(folder) as child:
        time.sleep(moment)
        child.send_signal(signal.SIGKILL)
    done = COUNT if folder.exists() else journal_lines(folder)
    if not folder.exists():
        build(folder)
    else:  # renamed into place already; the next builder says so and tidies nothing away
        with pytest.raises(StoreError, match="exists already"):
            build(folder)
        (folder / JOURNAL_NAME).unlink(missing_ok=True)
    check_finished(folder, whole)
    return done


@pytest.mark.parametrize("moment", [0.0, 0.08])
def test_kill_9_during_a_build(tmp_path: Path, whole: SkeletonStore, moment: float) -> None:
    assert kill_and_finish(tmp_path / "store", whole, moment) < COUNT


@pytest.mark.slow
def test_kill_9_at_twenty_random_moments(tmp_path: Path, whole: SkeletonStore) -> None:
    source = random.Random(0)
    done = [kill_and_finish(tmp_path / f"run{i}" / "store", whole, source.uniform(0, 0.2)) for i in range(20)]
    assert any(0 < count < COUNT for count in done), done


def test_two_builders_of_one_store(tmp_path: Path, whole: SkeletonStore) -> None:
    folder = tmp_path / "store"
    with start_child(folder) as child:
        while not (folder.with_name(".store.building") / JOURNAL_NAME).exists():
            time.sleep(0.005)
        with pytest.raises(StoreError, match="another process is building this store"):
            build(folder)
        assert child.wait() == 0
    check_finished(folder, whole)


def test_the_lock_is_per_store_and_survives_a_leftover_file(tmp_path: Path) -> None:
    (tmp_path / ".a.lock").write_text("left by a killed process")
    with StoreBuilder(tmp_path / "a", layout="ntu25"):
        build(tmp_path / "b", 2)
        with pytest.raises(StoreError, match="another process"), StoreBuilder(tmp_path / "a", layout="ntu25"):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the system refuse what would make a file larger, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_no_space_is_one_clear_error_and_the_build_goes_on(tmp_path: Path, whole: SkeletonStore) -> None:
    folder = tmp_path / "store"
    for limit, done in ((10, 0), (100_000, 8)):
        with (
            largest_file(limit),
            pytest.raises(StoreError, match=r"no space left .* samples .* run the same again"),
        ):
            build(folder)
        assert not folder.exists()
        if done:
            assert journal_lines(folder) >= done
    build(folder)
    check_finished(folder, whole)


def test_a_full_tmpfs(tmp_path: Path, whole: SkeletonStore) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        with pytest.raises(StoreError, match="no space left"):
            build(disk / "store")
        assert not (disk / "store").exists()
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        build(disk / "store")
        check_finished(disk / "store", whole)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
