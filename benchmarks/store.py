"""How quickly a store of 40,000 sequences opens, what that costs in memory, how fast samples come out.

The store is made up: sequences as long as NTU RGB+D's (30 to 120 frames, 25 joints, one in seven with two
persons). Each opening is a fresh process, timed after its imports; the baseline is an .npz of the same index
and names, which has to be read whole (the frames, in the authors' format, would come on top).

    python benchmarks/store.py [--sequences 40000] [--folder DIR] [--openings 7]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from common import report

from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.store import SkeletonStore

OPEN = """
import json, resource, sys, time
from stars_hub.skeletons.store import SkeletonStore
import numpy as np

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20

before = resident()
start = time.perf_counter()
store = SkeletonStore.open(sys.argv[1])
opened = time.perf_counter() - start
first = store[0].joints[0, 0, 0, 0]
sample = time.perf_counter() - start
store.person_spans(np.arange(64)), store.names[:1]
everything = (store.labels, store.subjects, store.lengths)
index = time.perf_counter() - start
memory = {"added": resident() - before, "all": resident()}
print(json.dumps({"open": opened, "sample": sample, "index": index, **memory}))
"""
OPEN_NPZ = """
import json, sys, time
import numpy as np
start = time.perf_counter()
arrays = {name: array for name, array in np.load(sys.argv[1]).items()}
print(json.dumps({"open": time.perf_counter() - start}))
"""


def made_up(count: int) -> Iterator[Sequence]:
    random = np.random.default_rng(0)
    pool = random.normal(size=(4096, 25, 3)).astype(np.float32)
    for number in range(count):
        length, persons = int(random.integers(30, 121)), 2 if number % 7 == 0 else 1
        first = random.integers(0, 4096 - length)
        joints = np.repeat(pool[first : first + length, None], persons, axis=1)
        columns = {"camera": 1 + number % 3, "setup": 1 + number % 17, "replication": 1 + number % 2}
        name = f"S{1 + number % 17:03d}C{1 + number % 3:03d}P{1 + number % 40:03d}R001A{number:06d}"
        yield Sequence(joints=joints, name=name, label=number % 60, subject=1 + number % 40, columns=columns)


def fresh(code: str, argument: Path, openings: int) -> dict[str, float]:
    """Medians over fresh processes."""
    runs = []
    for _ in range(openings):
        done = subprocess.run(
            [sys.executable, "-c", code, argument], capture_output=True, text=True, check=True
        )
        runs.append(json.loads(done.stdout))
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def samples_per_second(store: SkeletonStore) -> float:
    order = np.random.default_rng(1).permutation(len(store))[:4000]
    start = time.perf_counter()
    for index in order:
        store[index].joints.sum()
    return len(order) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sequences", type=int, default=40_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--openings", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "store"
        start = time.perf_counter()
        store = SkeletonStore.create(path, made_up(options.sequences), layout="ntu25")
        build = time.perf_counter() - start
        start = time.perf_counter()
        store.verify()
        verify = time.perf_counter() - start
        opening = fresh(OPEN, path, options.openings)
        columns = {name: store.column(name) for name in store.columns}
        np.savez(Path(folder) / "index.npz", lengths=store.lengths, **columns)
        npz = fresh(OPEN_NPZ, Path(folder) / "index.npz", options.openings)
        gigabytes = (path / "frames.npy").stat().st_size / 1e9
        rows = [
            {"what": "open", "figure": opening["open"] * 1e3, "unit": "ms"},
            {"what": "open and first sample", "figure": opening["sample"] * 1e3, "unit": "ms"},
            {
                "what": "open, labels, subjects, lengths, names",
                "figure": opening["index"] * 1e3,
                "unit": "ms",
            },
            {"what": "the same index and names from an .npz", "figure": npz["open"] * 1e3, "unit": "ms"},
            {"what": "resident memory that this adds", "figure": opening["added"], "unit": "MiB"},
            {"what": "resident memory of the process", "figure": opening["all"], "unit": "MiB"},
            {"what": "samples in random order", "figure": samples_per_second(store), "unit": "1/s"},
            {
                "what": "build from arrays in memory",
                "figure": options.sequences / build,
                "unit": "sequences/s",
            },
            {"what": "verify", "figure": gigabytes / verify, "unit": "GB/s"},
            {"what": "frames on disk", "figure": gigabytes, "unit": "GB"},
        ]
        note = f"{options.sequences} made-up sequences, ntu25; medians of {options.openings} fresh processes"
        report("store", rows, note=note)


if __name__ == "__main__":
    main()
