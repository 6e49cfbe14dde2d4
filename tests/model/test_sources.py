from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from stars_hub.errors import SequenceError, SkeletonFileError
from stars_hub.model.sources import as_persons, count, iter_named


def shapes(sequences: object) -> list[tuple[str, tuple[int, ...]]]:
    return [(name, joints.shape) for name, joints in iter_named(sequences)]


def test_one_sequence_as_array_or_tensor() -> None:
    assert shapes(np.zeros((7, 25, 3))) == [("the sequence", (7, 1, 25, 3))]
    assert shapes(torch.zeros(7, 2, 25, 3, dtype=torch.float64)) == [("the sequence", (7, 2, 25, 3))]


def test_lists_iterators_and_recordings() -> None:
    recording = SimpleNamespace(name="jump", joints=np.zeros((4, 1, 5, 3)))
    items = [np.zeros((7, 25, 3)), torch.zeros(1, 2, 25, 3), recording]
    expected = [("sequence 0", (7, 1, 25, 3)), ("sequence 1", (1, 2, 25, 3)), ("jump", (4, 1, 5, 3))]
    assert shapes(items) == shapes(iter(items)) == expected


def test_nested_lists_of_numbers_are_a_sequence_in_a_list() -> None:
    frame = [[0.0, 1.0, 2.0]] * 5
    assert shapes([[frame, frame]]) == [("sequence 0", (2, 1, 5, 3))]


def test_paths(tmp_path: Path) -> None:
    for name in ("b", "a"):
        np.save(tmp_path / f"{name}.npy", np.zeros((3, 25, 3), dtype=np.float32))
    assert shapes(tmp_path) == shapes(str(tmp_path)) == [("a", (3, 1, 25, 3)), ("b", (3, 1, 25, 3))]
    assert shapes([tmp_path / "b.npy"]) == [(str(tmp_path / "b.npy"), (3, 1, 25, 3))]


def test_they_are_read_one_at_a_time() -> None:
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield np.zeros((2, 25, 3))

    next(iter_named(endless()))
    assert len(taken) == 1


def test_counts_are_known_where_they_can_be() -> None:
    assert count(np.zeros((7, 25, 3))) == 1
    assert count([1, 2, 3]) == 3
    assert count(iter([])) is None


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        (np.zeros((7, 25)), r"expected a sequence .* got \(7, 25\)"),
        (np.zeros((0, 25, 3)), r"T >= 1, got \(0, 25, 3\)"),
        (np.zeros((7, 25, 4)), r"got \(7, 25, 4\)"),
        (np.zeros((1, 7, 2, 25, 3)), "several sequences go in a list"),
        (np.zeros((16, 60, 25, 3)), r"60 persons; if it is a batch \(N, T, V, 3\), pass a list"),
        (np.full((2, 25, 3), 1e30), "beyond"),
        (np.full((2, 25, 3), np.inf), r"infinite or beyond 1e\+09; unknown is NaN"),
        (np.array([["a"] * 3] * 25), "must be numbers"),
        ([[[0.0, 1.0, 2.0]], [[0.0]]], "regular array"),
        (None, "must be numbers"),
        (np.zeros((2, 25, 3), dtype=complex), "they are complex128"),
    ],
)
def test_impossible_sequences_are_named(joints: object, message: str) -> None:
    with pytest.raises(SequenceError, match=rf"(?s)^sequence 3: .*{message}"):
        as_persons(joints, name="sequence 3")


@pytest.mark.parametrize("source", [{"a": np.zeros((2, 25, 3))}, {1, 2}, b"bytes", 3])
def test_what_is_no_source_is_refused(source: object) -> None:
    with pytest.raises(
        SequenceError, match=f"expected sequences, a path or a store, got {type(source).__name__}"
    ):
        list(iter_named(source))


def test_paths_that_lead_nowhere_are_refused() -> None:
    with pytest.raises(SkeletonFileError, match="got nothing"):
        list(iter_named(""))
    with pytest.raises(SkeletonFileError, match=r"absent\.npy"):
        list(iter_named(["absent.npy"]))
