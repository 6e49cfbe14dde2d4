"""Many readers, one writer: the store does not depend on how many, or on what went wrong meanwhile."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from stars_hub.errors import SkeletonFileError, StoreError
from stars_hub.skeletons.layouts import get_layout
from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.store import SkeletonStore, StoreBuilder
from stars_hub.skeletons.store import ingest as ingestion
from stars_hub.skeletons.store.ingest import Item, ingest, ingest_stream
from stars_hub.skeletons.store.journal import JOURNAL_NAME, BuildEntry


def write_files(folder: Path, count: int = 40) -> list[Item]:
    """One file a sequence; every tenth is broken, another empty, another of a strange skeleton."""
    random = np.random.default_rng(0)
    folder.mkdir()
    items = []
    for number in range(count):
        path = folder / f"take{number:03d}.npy"
        if number % 10 == 3:
            path.write_bytes(b"no array")
        else:
            length, joints = (
                (0 if number % 10 == 5 else int(random.integers(1, 9))),
                20 if number % 10 == 7 else 25,
            )
            np.save(path, random.normal(size=(length, joints, 3)).astype(np.float32))
        items.append(Item(path.stem, path, (path,)))
    return items


def read(path: Path) -> list[Sequence]:
    try:
        joints = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise SkeletonFileError("no array", path) from error
    return (
        [Sequence(joints=joints[:, None], name=path.stem, label=None, subject=None, columns={})]
        if len(joints)
        else []
    )


def read_and_die(path: Path) -> list[Sequence]:
    if path.stem == "take030":
        journal = path.parent.parent / ".out.building" / JOURNAL_NAME
        while "take007" not in journal.read_text():  # until the first task is written
            time.sleep(0.01)
        os._exit(1)
    return read(path)


def prepare(folder: Path, items: list[Item], *, workers: int, reader: object = read) -> list[BuildEntry]:
    with StoreBuilder(folder, layout="ntu25") as builder:
        entries = ingest(builder, items, reader, workers=workers, progress=False)  # type: ignore[arg-type]
        builder.finish()
    return entries


def test_two_processes_write_what_one_writes(tmp_path: Path) -> None:
    items = write_files(tmp_path / "raw")
    one = prepare(tmp_path / "one", items, workers=1)
    two = prepare(tmp_path / "two", items, workers=2)
    assert one == two
    store = SkeletonStore.open(tmp_path / "one")
    assert store.fingerprint == SkeletonStore.open(tmp_path / "two").fingerprint
    assert store.names.tolist() == [f"take{i:03d}" for i in range(40) if i % 10 not in (3, 5, 7)]
    skipped = {name: reason.split(":")[0] for entry in one for name, reason in entry.skipped}
    assert skipped == {
        f"take{i:03d}": {3: "unreadable", 5: "holds no body", 7: "does not fit the layout"}[i % 10]
        for i in range(40)
        if i % 10 in (3, 5, 7)
    }


def test_a_reader_that_dies_is_reported_and_the_next_run_goes_on(tmp_path: Path) -> None:
    items = write_files(tmp_path / "raw")
    with pytest.raises(StoreError, match=r"a reading process died .* run the same again to go on"):
        prepare(tmp_path / "out", items, workers=2, reader=read_and_die)
    with StoreBuilder(tmp_path / "out", layout="ntu25") as builder:
        assert len(builder._pending) >= 8
    asked: list[str] = []

    def recording(path: Path) -> list[Sequence]:
        asked.append(path.stem)
        return read(path)

    prepare(tmp_path / "out", items, workers=1, reader=recording)
    assert "take000" not in asked
    assert "take030" in asked
    prepare(tmp_path / "fresh", items, workers=1)
    assert (
        SkeletonStore.open(tmp_path / "out").fingerprint == SkeletonStore.open(tmp_path / "fresh").fingerprint
    )


def read_forever(path: Path) -> list[Sequence]:
    (path.parent.parent / f"pid{os.getpid()}").touch()
    time.sleep(600)
    return []


KILLED = """
import sys
from pathlib import Path
from tests.skeletons.test_ingest import prepare, read_forever, write_files
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    prepare(folder / "out", write_files(folder / "raw"), workers=2, reader=read_forever)
"""


def test_readers_end_with_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    with subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment) as parent:
        while len(readers := list(tmp_path.glob("pid*"))) < 2:
            assert parent.poll() is None
            time.sleep(0.02)
        parent.kill()
    left = {int(path.name[3:]) for path in readers}
    deadline = time.monotonic() + 20
    while left and time.monotonic() < deadline:
        left = {pid for pid in left if is_running(pid)}
        time.sleep(0.02)
    assert not left


def is_running(pid: int) -> bool:
    """A zombie that nobody reaps yet has ended too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    items = write_files(tmp_path / "raw", 6)
    with StoreBuilder(tmp_path / "out", layout="ntu25") as builder:
        ingest(builder, items, read, workers=1, progress=False)
    changed = np.full((3, 25, 3), 7, np.float32)
    np.save(items[1].files[0], changed)
    prepare(tmp_path / "out", items, workers=1)
    store = SkeletonStore.open(tmp_path / "out")
    np.testing.assert_array_equal(store[1].joints[:, 0], changed)
    store.verify()


def test_a_stream_is_resumed_by_number(tmp_path: Path) -> None:
    def stream(stop: int) -> list[Sequence]:
        made = [np.full((2, 1, 25, 3), number + 1, np.float32) for number in range(stop)]
        return [
            Sequence(joints=joints, name=f"s{number}", label=None, subject=None, columns={})
            for number, joints in enumerate(made)
        ]

    with StoreBuilder(tmp_path / "out", layout="ntu25") as builder:
        ingest_stream(builder, stream(3), stamp="a", progress=False)
    with StoreBuilder(tmp_path / "out", layout="ntu25") as builder:
        assert len(builder._pending) == 3
        entries = ingest_stream(builder, stream(5), stamp="a", ignored={"s3"}, progress=False)
        builder.finish()
    assert [entry.num_samples for entry in entries] == [1, 1, 1, 0, 1]
    assert entries[3].skipped == (("s3", "on the ignore list"),)
    assert SkeletonStore.open(tmp_path / "out").names.tolist() == ["s0", "s1", "s2", "s4"]


def test_processes_are_started_where_one_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pooled: list[int] = []

    def pool(items: Iterable[Item], read: object, layout: object, workers: int) -> Iterator[object]:
        pooled.extend([len(list(items)), workers])
        yield from ()

    items = write_files(tmp_path / "raw", 4)
    monkeypatch.setattr(ingestion, "_outcomes_of_pool", pool)
    monkeypatch.setattr(ingestion, "num_cores", lambda: 3)
    layout = get_layout("ntu25")
    assert len(list(ingestion._outcomes(items, read, layout, None))) == 4
    assert pooled == []
    monkeypatch.setattr(ingestion, "PATIENCE", 0.0)
    list(ingestion._outcomes(items, read, layout, None))
    assert pooled == [4, 3]
