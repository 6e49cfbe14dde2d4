"""Episodes over a few examples, against what can be worked out by hand."""

from typing import Any

import numpy as np
import pytest
import torch

from stars_hub import few_shot
from stars_hub.errors import ConfigError


def corners(count: int, classes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Features of which those of one class are all equal, and others at a right angle."""
    labels = np.repeat(np.arange(classes), count)
    return 3 * np.eye(classes)[labels], labels


@pytest.mark.parametrize("rule", ["mean", "knn"])
def test_what_is_apart_is_told_apart(rule: Any) -> None:
    features, labels = corners(4)
    result = few_shot(features, labels, shots=2, episodes=20, rule=rule)
    assert result.accuracy == 100
    assert result.interval == 0
    assert result.episodes.shape == (20,)


def test_features_that_say_nothing_give_a_guess() -> None:
    """Queries all equal: exactly one class of five is answered, and every class has as many queries."""
    result = few_shot(np.ones((60, 3)), np.repeat(np.arange(6), 10), shots=1, episodes=30, queries=4)
    assert result.accuracy == pytest.approx(20)


def test_interval_is_that_of_the_mean() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(8), 12)
    features = np.eye(8)[labels] + 0.8 * rng.normal(size=(96, 8))
    result = few_shot(features, labels, episodes=50, seed=3)
    assert result.accuracy == pytest.approx(result.episodes.mean())
    assert result.interval == pytest.approx(1.96 * np.std(result.episodes, ddof=1) / np.sqrt(50))
    again = few_shot(torch.from_numpy(features), torch.from_numpy(labels), episodes=50, seed=3)
    np.testing.assert_array_equal(again.episodes, result.episodes)
    assert (few_shot(features, labels, episodes=50, seed=4).episodes != result.episodes).any()
    more = few_shot(features, labels, episodes=50, shots=5, seed=3)
    assert more.accuracy > result.accuracy + result.interval


def test_mean_and_nearest_example_differ_where_they_should() -> None:
    """Class 0 lies on both sides of a query's class 1: its mean is nearer, its examples are not."""
    angles = np.deg2rad([-30, 30, 12, 12])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    asked = np.array([[1.0, 0.1]]), np.array([1])  # at 5.7 degrees
    settings: dict[str, Any] = {"ways": 2, "shots": 2, "episodes": 3, "test": (asked[0].repeat(2, 0), [0, 1])}
    mean = few_shot(features, [0, 0, 1, 1], rule="mean", **settings)
    nearest = few_shot(features, [0, 0, 1, 1], rule="knn", **settings)
    assert mean.episodes.tolist() == [50, 50, 50]  # both are taken for class 0, whose mean is at 0 degrees
    assert nearest.episodes.tolist() == [50, 50, 50]  # both for class 1
    only_second: dict[str, Any] = {**settings, "test": (asked[0], asked[1])}
    with pytest.raises(ConfigError, match="there are 1"):
        few_shot(features, [0, 0, 1, 1], **only_second)


def test_queries_come_from_the_test_part() -> None:
    """Examples say class c lies at corner c; the test part has all corners moved on by one: never right."""
    features, labels = corners(3, classes=3)
    moved = np.roll(features, 1, axis=1)
    result = few_shot(features, labels, test=(moved, labels), ways=3, episodes=5)
    assert result.accuracy == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ways": 7}, "7-way 1-shot episodes take 7 classes with at least 2 recordings .* there are 6"),
        ({"shots": 4}, "there are 0"),
        ({"shots": 0}, "shots must be at least 1"),
        ({"ways": 1}, "ways must be at least 2"),
        ({"episodes": 1}, "episodes must be at least 2"),
        ({"rule": "vote"}, "rule must be 'mean' or 'knn'"),
        ({"rule": "knn", "neighbours": 6}, "at most ways · shots neighbours, got 'knn' and 6"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        few_shot(*corners(4), **settings)
    with pytest.raises(ConfigError, match=r"got \(3,\) and"):
        few_shot(np.ones(3), [0, 1, 2])
    with pytest.raises(ConfigError, match="NaN"):
        few_shot(np.full((4, 2), np.nan), [0, 0, 1, 1], ways=2)
