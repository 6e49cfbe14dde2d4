"""What an encoder's features are worth on open recordings: one row of the study for each test set.

Test recordings are of other people than those that neighbours and linear layers learn from. UI-PRMD's people
were all seen in pretraining, without labels; so were UTD-MHAD's odd subjects, but none of its even ones.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from stars_hub.checkpoints import read_config
from stars_hub.evaluation import few_shot, fit_linear, knn_classify
from stars_hub.evaluation.clustering import cluster_metrics
from stars_hub.evaluation.description import RAW, describe
from stars_hub.evaluation.feature_space import Space, feature_space
from stars_hub.objectives import NNCLR
from stars_hub.skeletons import SkeletonStore

KS = (1, 5, 10)
FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


class TestSet(NamedTuple):
    """Recordings to learn from and others to be asked about, with their classes."""

    train: SkeletonStore
    train_labels: IntArray
    test: SkeletonStore
    test_labels: IntArray


def test_sets(work: Path) -> Iterator[tuple[str, TestSet]]:
    """UTD-MHAD by subject; UI-PRMD by subject, its ten movements, and these done right or wrong."""
    odd, even = (SkeletonStore.open(work / name) for name in ("utd_odd", "utd_even"))
    yield "utd_mhad", TestSet(odd, np.asarray(odd.labels), even, np.asarray(even.labels))
    uiprmd = SkeletonStore.open(work / "uiprmd")
    known = uiprmd.subjects.astype(int) % 2 == 1
    movement = np.asarray(uiprmd.labels)
    wrong = np.char.endswith(uiprmd.names.astype(str), "_inc")
    for name, labels in (("uiprmd_10", movement), ("uiprmd_20", 2 * movement + wrong)):
        yield name, TestSet(uiprmd.select(known), labels[known], uiprmd.select(~known), labels[~known])


def assess(model: Path | str, data: TestSet) -> dict[str, Any]:
    """Measure one encoder, or the joints themselves ("raw"), on one test set; accuracies in percent.

    k-NN is asked in every space that the model has; the other columns are those of pooled features.
    """
    train, test = (describe(model, store, progress=False) for store in (data.train, data.test))
    row: dict[str, Any] = {"knn": {}}
    for space in _spaces(model):
        change = feature_space(space, train, model=model)
        row["knn"][space] = _knn(change(test), change(train), data)
    for shots in (1, 5):
        found = few_shot(train, data.train_labels, test=(test, data.test_labels), ways=5, shots=shots)
        row[f"{shots}-shot"] = [round(found.accuracy, 2), round(found.interval, 2)]
    row["linear"] = _linear(train, test, data)
    clusters = cluster_metrics(test, data.test_labels, epochs=1)
    row |= {name: round(clusters[name], 4) for name in ("silhouette", "k-means NMI")}
    return row


def _spaces(model: Path | str) -> list[Space]:
    if str(model) == RAW:  # thousands of numbers, fewer recordings: there is nothing to whiten
        return ["pooled", "standardised"]
    return (
        ["pooled", "z", "standardised", "whitened"]
        if _has_z(model)
        else ["pooled", "standardised", "whitened"]
    )


def _has_z(model: Path | str) -> bool:
    objective = read_config(model).get("objective", {})
    return bool(objective.get("name") == NNCLR.name)


def _knn(queries: FloatArray, bank: FloatArray, data: TestSet) -> dict[str, float]:
    found = knn_classify(queries, bank, data.train_labels, ks=KS)
    return {f"k={k}": _percent(found[k] == data.test_labels) for k in KS}


def _linear(train: FloatArray, test: FloatArray, data: TestSet) -> float:
    labels = torch.from_numpy(data.train_labels)
    head = fit_linear(torch.from_numpy(train), labels, int(labels.max()) + 1, batch_size=64)
    with torch.inference_mode():
        return _percent(head(torch.from_numpy(test)).argmax(dim=1).numpy() == data.test_labels)


def _percent(right: npt.NDArray[np.bool_]) -> float:
    return round(100 * float(right.mean()), 2)
