"""Damaged, missing or foreign files of a store are found, and many processes read what is whole."""

import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from stars_hub.errors import StoreError
from stars_hub.skeletons.store import SkeletonStore
from tests.skeletons.builds import build, sequences


def test_every_damaged_byte_is_found(tmp_path: Path) -> None:
    source = random.Random(1)
    store = build(tmp_path / "store", 8)
    for path in sorted(path for path in store.folder.rglob("*") if path.is_file()):
        good = path.read_bytes()
        for place in {0, len(good) - 1, *(source.randrange(len(good)) for _ in range(4))}:
            path.write_bytes(good[:place] + bytes([good[place] ^ 0x41]) + good[place + 1 :])
            with pytest.raises(StoreError, match=r"damaged|changed|cannot be|manifest|format version"):
                SkeletonStore.open(store.folder).verify()
        path.write_bytes(good[:-1])
        with pytest.raises(StoreError, match=r"damaged|changed|cannot be"):
            SkeletonStore.open(store.folder)
        path.unlink()
        with pytest.raises(StoreError, match=r"is missing|is no skeleton store"):
            SkeletonStore.open(store.folder)
        path.write_bytes(good)
    store.verify()


def test_verify_names_the_first_damaged_sample(tmp_path: Path) -> None:
    store = build(tmp_path / "store", 8)
    starts, _ = store.person_spans()
    with (store.folder / "frames.npy").open("r+b") as file:
        file.seek(128 + int(starts[5, 0]) * 300 + 7)
        file.write(b"\x00\xff")
    with pytest.raises(StoreError, match="frames of sample 5 \\('000005'"):
        store.verify()


def read_all(folder: Path) -> float:
    return float(sum(sample.joints.sum(dtype=np.float64) for sample in SkeletonStore.open(folder)))


def test_many_processes_read_one_store(whole: SkeletonStore) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        sums = list(pool.map(read_all, [whole.folder] * 4))
    assert sums == [sum(float(joints.sum(dtype=np.float64)) for joints in sequences())] * 4


def test_open_says_what_is_wrong(tmp_path: Path) -> None:
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(StoreError, match="is no skeleton store: it holds no store"):
            SkeletonStore.open(folder)
    (tmp_path / "store.json").write_text('{"format_version": 99}')
    with pytest.raises(StoreError, match="format version 99, this release reads up to 1: update"):
        SkeletonStore.open(tmp_path)
    for text in ("[]", "{", '{"format_version": "1"}', '{"format_version": 1}', "\x00"):
        (tmp_path / "store.json").write_text(text)
        with pytest.raises(StoreError, match=r"store\.json"):
            SkeletonStore.open(tmp_path)
