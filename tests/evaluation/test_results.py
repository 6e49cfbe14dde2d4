"""An evaluation says what its numbers are, and comes back from its file as it was."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from stars_hub.errors import ConfigError
from stars_hub.evaluation.results import Evaluation, accuracy, provenance

WRONG_KIND = json.dumps(
    {"protocol": "knn", "metrics": [1.0], "settings": {}, "provenance": {}, "label_names": []}
)


def evaluation(**changes: Any) -> Evaluation:
    rng = np.random.default_rng(0)
    fields: dict[str, Any] = {
        "protocol": "linear",
        "metrics": {"accuracy": 100 / 3, "top-5": np.float32(66.7)},
        "settings": {"epochs": 3, "crop": (0.5, 1.0), "folder": Path("a") / "b", "lr": np.float64(0.1)},
        "provenance": provenance("m", {"train": "f0"}, {"test recordings": 6}, device="cpu"),
        "label_names": ["wave", "walk", "sit", "ünused"],
        "truth": [0, 0, 1, 1, 1, 2],
        "predictions": [0, 1, 1, 2, 2, 0],
        "scores": rng.normal(size=(6, 4)).astype(np.float32),
        "names": [f"clip{n}" for n in range(6)],
        "curves": {"loss": [1.5, 0.1 + 0.2]},
    }
    return Evaluation(**(fields | changes))


def test_confusion_is_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    truth, found = rng.integers(0, 4, (2, 200))
    counts = evaluation(truth=truth, predictions=found, scores=None, names=None).confusion()
    np.testing.assert_array_equal(counts, confusion_matrix(truth, found, labels=range(4)))


def test_per_class_and_hardest_pairs_by_hand() -> None:
    result = evaluation()
    assert result.per_class() == pytest.approx({"wave": 50.0, "walk": 100 / 3, "sit": 0.0})
    assert result.hardest_pairs() == [("walk", "sit", 2), ("wave", "walk", 1), ("sit", "wave", 1)]
    assert result.hardest_pairs(1) == [("walk", "sit", 2)]
    assert accuracy(result.predictions, result.truth) == pytest.approx(100 / 3)


def test_file_keeps_every_number(tmp_path: Path) -> None:
    result = evaluation()
    again = Evaluation.from_json(result.to_json(tmp_path / "result.json"))
    for field in dataclasses.fields(Evaluation):
        before, after = getattr(result, field.name), getattr(again, field.name)
        if isinstance(before, np.ndarray):
            assert before.dtype == after.dtype
            np.testing.assert_array_equal(before, after)
        else:
            assert before == after
            assert type(before) is type(after)
    assert again.settings == {"epochs": 3, "crop": [0.5, 1.0], "folder": str(Path("a") / "b"), "lr": 0.1}


def test_without_predictions(tmp_path: Path) -> None:
    result = evaluation(truth=None, predictions=None, scores=None, names=None)
    again = Evaluation.from_json(result.to_json(tmp_path / "result.json"))
    assert again.truth is None
    with pytest.raises(ConfigError, match="linear evaluation holds no predictions"):
        again.confusion()


def test_table_is_aligned() -> None:
    lines = evaluation().table().splitlines()
    assert lines == ["linear: m", "  6 test recordings", "  accuracy  33.3", "  top-5     66.7"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": {"accuracy": float("nan")}}, "metric 'accuracy' is NaN"),
        ({"curves": {"loss": [1.0, float("inf")]}}, "curve 'loss' is NaN or infinite"),
        ({"scores": np.full((6, 4), np.nan)}, "scores is NaN"),
        ({"predictions": [0]}, "as many of each, got .*'predictions': 1"),
        ({"truth": [0, 0, 0, 0, 0, 4]}, r"truth must lie in \[0, 4\)"),
        ({"scores": np.zeros((6, 3))}, r"\(N, 4\), a column a class, got \(6, 3\)"),
    ],
)
def test_impossible_results_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        evaluation(**changes)


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="cannot be written"):
        evaluation(settings={"thing": object()}).to_json(path)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ConfigError, match="cannot be written"):
        evaluation().to_json(tmp_path / "nowhere" / "result.json")


@pytest.mark.parametrize(
    "content", ["{", "[]", json.dumps({"protocol": "knn"}), json.dumps({"x": 1}), WRONG_KIND]
)
def test_what_is_no_evaluation_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"result\.json: expected an evaluation"):
        Evaluation.from_json(path)
