"""What the command line does not reach; the formats themselves are tested in tests/test_cli.py."""

from pathlib import Path

import numpy as np
import pytest

from stars_hub.errors import ConfigError, SequenceError
from stars_hub.evaluation import write_features
from stars_hub.evaluation.features import read_features


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("precious")
    with pytest.raises(UnicodeEncodeError):
        write_features(path, ["\ud800"], np.zeros((1, 2), dtype=np.float32))
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_impossible_arguments(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"written as \.npz, \.csv, \.safetensors, got '\.txt'"):
        write_features(tmp_path / "f.txt", [], np.zeros((0, 2)))
    with pytest.raises(SequenceError, match="a name for each of 2 features, got 1"):
        write_features(tmp_path / "f.npz", ["a"], np.zeros((2, 2)))
    assert not list(tmp_path.iterdir())


def test_a_name_of_several_recordings_is_told_apart_by_its_place_alone(tmp_path: Path) -> None:
    features = np.arange(6, dtype=np.float32).reshape(3, 2)
    path = write_features(tmp_path / "f.npz", ["a", "b", "a"], features)
    np.testing.assert_array_equal(read_features(path, ["a", "b", "a"]), features)
    np.testing.assert_array_equal(read_features(path, ["b"]), features[1:2])
    for names in (["a", "b"], ["a", "a", "b"], ["b", "b"]):
        with pytest.raises(ConfigError, match="names several recordings"):
            read_features(path, names)
