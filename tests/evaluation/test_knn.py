"""The k-NN protocol is the authors', and scikit-learn's where votes tie."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from sklearn.neighbors import KNeighborsClassifier

from stars_hub.errors import ConfigError
from stars_hub.evaluation import knn_classify


def test_accuracies_are_the_golden_ones(golden_dir: Path) -> None:
    with safe_open(golden_dir / "knn.safetensors", "np") as file:
        bank, labels, queries, truth = (
            file.get_tensor(name)
            for name in ("train_features", "train_labels", "test_features", "test_labels")
        )
        expected = json.loads(file.metadata()["meta"])["uniform_vote_cosine_accuracy"]
    found = knn_classify(queries, bank, labels)
    assert {str(k): (predicted == truth).mean() for k, predicted in found.items()} == pytest.approx(expected)


def distinct_directions(rng: np.random.Generator, count: int) -> np.ndarray:
    """Features in the plane at different angles between 0 and 45 degrees."""
    angles = rng.permutation(2000)[:count] * (np.pi / 4 / 2000)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_ties_of_votes_go_to_the_smallest_label_as_in_scikit_learn() -> None:
    """1,000 cases in which several classes have most votes; distances do not tie, which both leave open."""
    rng = np.random.default_rng(0)
    ties = 0
    for _ in range(50):
        bank = distinct_directions(rng, 30)
        queries = distinct_directions(rng, 100) @ [[1, 0], [0, -1]]  # below all of the bank: no equal angles
        labels = rng.integers(0, 6, 30) * 3
        for k in (2, 4, 5, 10):
            model = KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(bank, labels)
            expected = model.predict(queries)
            np.testing.assert_array_equal(knn_classify(queries, bank, labels, ks=[k])[k], expected)
            votes = np.sort(model.predict_proba(queries), axis=1)
            ties += int((votes[:, -1] == votes[:, -2]).sum())
    assert ties >= 1000


def test_the_length_of_a_feature_does_not_matter_and_tensors_give_tensors() -> None:
    rng = np.random.default_rng(1)
    bank, queries, labels = rng.normal(size=(40, 5)), rng.normal(size=(30, 5)), rng.integers(0, 4, 40)
    plain = knn_classify(queries, bank, labels, ks=[3])[3]
    scaled = knn_classify(
        torch.from_numpy(queries * rng.uniform(1, 9, (30, 1))),
        torch.from_numpy(bank * rng.uniform(1, 9, (40, 1))),
        torch.from_numpy(labels),
        ks=[3],
    )[3]
    assert isinstance(plain, np.ndarray)
    assert isinstance(scaled, torch.Tensor)
    assert plain.dtype == np.int64
    np.testing.assert_array_equal(scaled.numpy(), plain)
    assert knn_classify(queries[:0], bank, labels, ks=[1])[1].shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((2, 3)), np.ones((4, 5)), [0, 0, 0, 0]), r"got \(2, 3\), \(4, 5\) and \(4,\)"),
        ((np.ones((2, 3)), np.ones((4, 3)), [0, 0]), r"\(4, 3\) and \(2,\)"),
        ((np.ones(3), np.ones((4, 3)), [0, 0, 0, 0]), "queries must be features"),
        ((np.ones((2, 3)), np.full((4, 3), np.nan), [0, 0, 0, 0]), "bank: features are NaN"),
        ((np.ones((2, 3)), np.ones((4, 3)), [0, 0, -1, 0]), "whole numbers from 0"),
        (
            (np.ones((2, 3)), np.ones((4, 3)), list("abca")),
            r"whole numbers from 0; of names, .*numpy\.unique",
        ),
        ((np.ones((2, 3)), np.ones((4, 3)), [0, None, 1, 0]), "labels must be whole numbers from 0"),
        ((np.ones((2, 3)), np.ones((0, 3)), []), "the bank is empty"),
        (([["a", "b"]], np.ones((4, 3)), [0, 0, 0, 0]), "queries must be features .* numbers in a regular"),
        (([[1.0], [1.0, 2.0]], np.ones((4, 3)), [0, 0, 0, 0]), "queries must be features .* numbers in a"),
        ((np.ones((2, 3)), np.ones((4, 3)), [0.0, 0.5, 1.0, 0.0]), "whole numbers from 0"),
    ],
)
def test_what_cannot_be_is_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        knn_classify(*arguments, ks=[1])


def test_queries_and_bank_may_differ_in_precision() -> None:
    bank, queries = np.eye(3), torch.tensor([[0, 2, 0], [3, 0, 1]], dtype=torch.float16)
    assert knn_classify(queries, bank, [5, 6, 7], ks=[1])[1].tolist() == [6, 5]
    assert knn_classify(queries.double().numpy(), torch.eye(3), [5, 6, 7], ks=[1])[1].tolist() == [6, 5]


def test_the_papers_numbers_of_neighbours_that_the_bank_has() -> None:
    bank = np.eye(12)
    labels = np.arange(12, dtype=np.uint16)
    for size, expected in ((12, [1, 2, 5, 10]), (10, [1, 2, 5, 10]), (4, [1, 2]), (1, [1])):
        found = knn_classify(bank[:2], bank[:size], labels[:size])
        assert list(found) == expected
        assert found[1][0] == 0
    with pytest.raises(ConfigError, match=r"k must lie in \[1, 4\], the size of the bank"):
        knn_classify(bank[:2], bank[:4], labels[:4], ks=[1, 2, 5, 10])
