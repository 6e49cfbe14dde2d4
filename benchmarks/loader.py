"""How fast do random training batches come out of a store, on one core?

A made-up store of 40,000 sequences (30 to 150 frames, a fifth with a second person) feeds batches of 128 with
random crop, rotation and T = 120, as the first stage of training wants them. Beside the loader runs a plain
reader of the same store in the same process: sample by sample, crop, `torch.nn.functional.interpolate`,
rotation, `torch.stack`, which is what a dataset class of the field does. Run it pinned to one core:

    taskset -c 0 python benchmarks/loader.py

Writes benchmarks/results/loader.json.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from stars_hub.skeletons.store import SkeletonStore
from stars_hub.transforms import BatchLoader, random_angles, random_crop, rotate

FRAMES, PERSONS, JOINTS = 120, 2, 25


def made_up(count: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    pool = rng.normal(0, 1, (4_000, JOINTS, 3)).astype(np.float32)
    for _ in range(count):
        length, persons = int(rng.integers(30, 151)), 2 if rng.random() < 0.2 else 1
        start = int(rng.integers(0, len(pool) - persons * length))
        yield pool[start : start + persons * length].reshape(length, persons, JOINTS, 3)


def plain_batch(store: SkeletonStore, ids: np.ndarray, generator: torch.Generator) -> torch.Tensor:
    """The reference: one sample after another."""
    samples = []
    for index in ids.tolist():
        joints = torch.from_numpy(np.array(store[index].joints))
        x = torch.zeros(3, len(joints), JOINTS, PERSONS)
        x[..., : joints.shape[1]] = joints.permute(3, 0, 2, 1)
        start, kept = random_crop(torch.tensor([len(joints)]), 0.5, 1.0, generator=generator)
        x = x[:, start : start + kept].flatten(2)
        x = F.interpolate(x[None], size=(FRAMES, JOINTS * PERSONS), mode="bilinear", align_corners=False)
        x = x.unflatten(3, (JOINTS, PERSONS))
        samples.append(rotate(x, random_angles(1, generator=generator))[0])
    return torch.stack(samples)


def rate(batches: Iterator[int]) -> float:
    begin, count = time.perf_counter(), 0
    for size in batches:
        count += size
    return count / (time.perf_counter() - begin)


def measure(store: SkeletonStore, batch_size: int) -> dict[str, float]:
    order = np.random.default_rng(1).permutation(len(store))
    generator = torch.Generator().manual_seed(0)
    plain = (len(plain_batch(store, ids, generator)) for ids in order[: 16 * batch_size].reshape(16, -1))
    found = {"plain": rate(plain)}
    for name, settings in {
        "loader": {"prefetch": 0},
        "loader, prefetch thread": {"prefetch": 2},
        "loader, centre crop": {"prefetch": 0, "crop": 0.95, "rotation": 0.0},
    }.items():
        loader = BatchLoader(store, batch_size=batch_size, num_frames=FRAMES, **settings)
        for epoch in range(2):
            loader.set_epoch(epoch)
            part = "first epoch" if epoch == 0 else "later epochs"
            found[f"{name}, {part}"] = rate(len(batch.ids) for batch in loader)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=40_000)
    parser.add_argument("--batch-size", type=int, default=128)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        store = SkeletonStore.create(
            Path(folder) / "store",
            made_up(options.sequences),
            layout="ntu25",
            labels=np.arange(options.sequences) % 60,
        )
        print(f"{len(store)} sequences stored in {time.perf_counter() - begin:.1f} s")
        rates = measure(store, options.batch_size)
        size = store.frames.nbytes
    plain = rates["plain"]
    for name, value in rates.items():
        print(f"{name:40} {value:9.0f} sequences/s  {value / plain:6.1f} x plain")
    result = {
        "question": __doc__.splitlines()[0],
        "settings": {**vars(options), "num_frames": FRAMES, "store_bytes": size},
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "processor": platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "sequences_per_second": {name: round(value) for name, value in rates.items()},
        "ratio_to_plain": {name: round(value / plain, 1) for name, value in rates.items()},
    }
    path = Path(__file__).parent / "results" / "loader.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
