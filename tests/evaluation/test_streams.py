"""What is asked about, what an encoder sees of it, and several streams as one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax

from stars_hub.errors import ConfigError
from stars_hub.evaluation import cluster_metrics, describe, ensemble
from stars_hub.evaluation.described import describe_split
from stars_hub.evaluation.inputs import labelled, open_split
from stars_hub.evaluation.results import Evaluation
from stars_hub.model import STARSEncoder
from stars_hub.skeletons import SkeletonStore
from stars_hub.skeletons.sequence import Sequence
from stars_hub.transforms import BatchLoader, bone_stream, motion_stream
from tests.evaluation.conftest import ENCODER


def scored(scores: Any, truth: Any, **changes: Any) -> Evaluation:
    fields: dict[str, Any] = {
        "protocol": "linear",
        "metrics": {},
        "settings": {},
        "provenance": {"model": "m"},
        "label_names": ["a", "b", "c"],
        "truth": truth,
        "scores": np.asarray(scores, dtype=np.float32),
    }
    return Evaluation(**(fields | changes))


def test_ensemble_adds_probabilities() -> None:
    rng = np.random.default_rng(0)
    joint, bone = rng.normal(size=(2, 40, 3)).astype(np.float32) * 3
    truth = rng.integers(0, 3, 40)
    result = ensemble({"joint": scored(joint, truth), "bone": scored(bone, truth)}, weights=[3, 1])
    expected = 0.75 * softmax(joint, axis=1) + 0.25 * softmax(bone, axis=1)
    np.testing.assert_allclose(result.scores, expected, atol=1e-6)
    assert result.metrics["accuracy"] == pytest.approx(100 * (expected.argmax(1) == truth).mean())
    assert result.metrics["bone accuracy"] == pytest.approx(100 * (bone.argmax(1) == truth).mean())
    assert result.settings["weights"] == {"joint": 0.75, "bone": 0.25}
    alone = ensemble({"joint": scored(joint, truth), "bone": scored(bone, truth)}, weights=[0, 1])
    np.testing.assert_array_equal(alone.predictions, bone.argmax(1))


def test_ensemble_refuses_what_does_not_belong_together() -> None:
    first = scored(np.eye(3), [0, 1, 2])
    without_scores = scored(np.eye(3), [0, 1, 2])
    without_scores.scores = None
    for other, message in (
        (scored(np.eye(3), [0, 1, 1]), "bone was evaluated on other recordings"),
        (scored(np.eye(3), [0, 1, 2], names=["x", "y", "z"]), "other recordings or classes than joint"),
        (without_scores, "evaluation of bone holds no scores"),
    ):
        with pytest.raises(ConfigError, match=message):
            ensemble({"joint": first, "bone": other})
    for weights in ([1], [0, 0], [1, -1]):
        with pytest.raises(ConfigError, match="a weight of at least 0 for each"):
            ensemble({"joint": first, "bone": first}, weights=weights)
    with pytest.raises(ConfigError, match="two or more"):
        ensemble({"joint": first})


@pytest.mark.parametrize("stream", ["joint", "bone", "motion", "bone_motion"])
def test_described_streams_are_those_of_the_transforms(stream: Any, actions: SkeletonStore) -> None:
    torch.manual_seed(0)
    encoder = STARSEncoder(ENCODER).train()
    loader = BatchLoader(
        actions, batch_size=len(actions), num_frames=16, crop=0.95, rotation=0, shuffle=False, drop_last=False
    )
    x = next(iter(loader)).x
    if "bone" in stream:
        x = bone_stream(x, "ntu25")
    if "motion" in stream:
        x = motion_stream(x)
    with torch.no_grad():
        expected = encoder.eval()(x).numpy()
    encoder.train()
    found = describe(encoder, actions, stream=stream, batch_size=10, progress=False)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert encoder.training


def test_raw_features_are_joints_about_the_root(actions: SkeletonStore) -> None:
    features = describe("raw", actions, progress=False)
    frames = features.reshape(len(actions), 3, 64, 25, -1)
    root = actions.layout.parents.index(-1)
    assert np.abs(frames[:, :, :, root, 0]).max() == 0
    sizes = np.linalg.norm(frames[0, :, 0, :, 0], axis=0)
    joints = actions[0].joints
    # A crop of 95 % of some 25 frames starts with the first frame, in half-pixel steps.
    expected = np.linalg.norm(joints[0, 0] - joints[0, 0, root], axis=1)
    np.testing.assert_allclose(sizes, expected, atol=0.05)
    with pytest.raises(ConfigError, match="no bone stream"):
        describe("raw", actions, stream="bone")
    with pytest.raises(ConfigError, match="stream must be one of joint, bone"):
        describe("raw", actions, stream="sound")  # type: ignore[arg-type]


def test_raw_features_of_both_parts_can_be_compared(actions: SkeletonStore, tmp_path: Path) -> None:
    """Recordings of one person against those of two, and against those of another layout."""
    train, test = actions.split("cross")
    made = [
        Sequence(np.concatenate([each.joints, each.joints + 1], axis=1), name=each.name, label=label)
        for each, label in zip(test, test.labels.tolist(), strict=True)
    ]
    pairs = SkeletonStore.create(tmp_path / "pairs", made, layout="ntu25", label_names=test.label_names)
    smaller = test.copy(tmp_path / "smaller", layout="kinect20")
    for parts, joints, persons in (
        ((train, pairs), 25, 2),
        ((pairs, train), 25, 2),
        ((train, smaller), 25, 1),
        ((smaller, train), 20, 1),
    ):
        described = describe_split("raw", labelled(*parts), progress=False)
        assert described.train.shape == (len(parts[0]), 3 * 64 * joints * persons)
        assert described.test.shape == (len(parts[1]), 3 * 64 * joints * persons)


def test_ways_to_divide(actions: SkeletonStore) -> None:
    by_split = open_split(actions, split="cross")
    by_subject = open_split(actions, subjects=[3])
    by_store = open_split(*actions.split("cross"))
    for parts in (by_split, by_subject, by_store):
        assert set(parts.test.subjects.tolist()) == {3}
        assert set(parts.train.subjects.tolist()) == {0, 1, 2}
        assert parts.counts == {"training recordings": 18, "test recordings": 6, "classes": 3}
    some = open_split(actions, split="cross", classes=["waving", 1])
    assert some.label_names == ["squatting", "waving"]
    assert set(some.train_labels.tolist()) == {0, 1}
    assert [some.label_names[n] for n in some.test_labels] == [
        name.split("_")[1] for name in some.test.names.tolist()
    ]
    for arguments in ({}, {"split": "cross", "subjects": [3]}):
        with pytest.raises(ConfigError, match=r"one of test .*, split .* and subjects"):
            open_split(actions, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="subject 9; there are 0, 1, 2, 3"):
        open_split(actions, subjects=[9])
    with pytest.raises(ConfigError, match="no labelled recording in the test part"):
        open_split(actions, actions.select([]))


def test_labels_of_two_stores_are_matched_by_name(actions: SkeletonStore, tmp_path: Any) -> None:
    waving = actions.select(label="waving").renumber_labels().copy(tmp_path / "waving")
    assert waving.label_names == ["waving"]
    parts = open_split(actions, waving)
    assert {parts.label_names[n] for n in parts.test_labels} == {"waving"}


def test_clusters_by_hand() -> None:
    """Two classes at a right angle, equal features within each."""
    labels = np.repeat([0, 1], 6)
    apart = cluster_metrics(np.eye(2)[labels] * 3, labels, epochs=3)
    assert apart["silhouette"] == pytest.approx(1)
    assert apart["k-means NMI"] == pytest.approx(1)
    assert apart["linear separability"] == 100
    assert apart["within/between"] == pytest.approx(0, abs=1e-9)
    # Four directions 90 degrees apart, two of each class: 45 degrees to their own mean, 135 to the other.
    mixed = cluster_metrics([[1, 0], [0, 1], [-1, 0], [0, -1]], [0, 0, 1, 1], epochs=1)
    near = 1 - np.sqrt(0.5)
    assert mixed["within/between"] == pytest.approx(near / (2 - near))
    with pytest.raises(ConfigError, match="at least two classes"):
        cluster_metrics(np.ones((3, 2)), [0, 0, 0])
    with pytest.raises(ConfigError, match="NaN"):
        cluster_metrics(np.full((3, 2), np.nan), [0, 0, 1])
