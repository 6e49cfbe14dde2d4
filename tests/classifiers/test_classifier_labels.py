"""Classes have names: where they come from, in what order, and what numbers count."""

from pathlib import Path

import numpy as np
import pytest

from stars_hub.classifiers import STARSClassifier
from stars_hub.errors import ConfigError
from stars_hub.model.encoder import STARSEncoder
from stars_hub.skeletons.store import SkeletonStore
from tests.classifiers.conftest import ACTIONS, clip, clips


def test_a_new_head_for_given_classes(encoder: STARSEncoder) -> None:
    classifier = STARSClassifier(encoder, label_names=["wave", "kick", "jump"])
    assert classifier.predict_proba([clip("kick")]).shape == (1, 3)
    examples = [example for example in clips(6) if example.label != "rest"]
    classifier.fit(examples, mode="linear", class_weights="balanced")
    assert classifier.label_names == ["wave", "kick", "jump"]
    assert classifier.predict([clip("wave", 77), clip("kick", 78)]) == ["wave", "kick"]
    with pytest.raises(ConfigError, match="'rest'"):
        classifier.fit(clips(4))
    classifier.reset_classifier(["a", "b"], head="joints", hidden_dim=8)
    assert classifier.predict_proba([clip("kick")]).shape == (1, 2)


def test_numbers_become_names(encoder: STARSEncoder, tmp_path: Path) -> None:
    joints = [clip(ACTIONS[n % 2], n) for n in range(8)]
    numbers = np.array([10, 9] * 4)
    classifier = STARSClassifier(encoder).fit(joints, numbers, mode="linear")
    assert classifier.label_names == ["9", "10"]
    assert classifier.predict(joints[:2]) == ["10", "9"]
    store = SkeletonStore.create(
        tmp_path / "store", joints, layout="ntu25", labels=[0, 1] * 4, label_names=["kick", "rest"]
    )
    assert STARSClassifier(encoder).fit(store, mode="linear").label_names == ["kick", "rest"]
    by_number = STARSClassifier(encoder).fit(store, [1, 0] * 4, mode="linear")
    assert by_number.predict(joints[:1]) == ["rest"]


def test_a_stores_classes_keep_their_order(encoder: STARSEncoder, tmp_path: Path) -> None:
    names = ["wave", "jump", "kick"]  # of jump there is no recording
    joints = [clip(action, n) for n in range(4) for action in ("kick", "wave")]
    store = SkeletonStore.create(
        tmp_path / "store", joints, layout="ntu25", labels=[2, 0] * 4, label_names=names
    )
    classifier = STARSClassifier(encoder).fit(store, mode="linear")
    assert classifier.label_names == names
    assert classifier.predict(joints[:2]) == ["kick", "wave"]
    said = STARSClassifier(encoder).fit(store, ["kick", "wave"] * 4, mode="linear")
    assert said.label_names == names
    assert said.predict(joints[:2]) == ["kick", "wave"]


def test_a_stores_recordings_may_have_other_classes(encoder: STARSEncoder, tmp_path: Path) -> None:
    joints = [clip(action, n) for n in range(4) for action in ("kick", "wave")]
    store = SkeletonStore.create(tmp_path / "store", joints, layout="ntu25", labels=["kick", "wave"] * 4)
    classifier = STARSClassifier(encoder).fit(store, ["foot", "arm"] * 4, mode="linear")
    assert classifier.label_names == ["arm", "foot"]
    assert classifier.predict(joints[:2]) == ["foot", "arm"]


def test_numbers_count_the_classes_that_the_classifier_has(fitted: STARSClassifier, tmp_path: Path) -> None:
    loaded = STARSClassifier.from_pretrained(fitted.save_pretrained(tmp_path / "model"))
    joints = [clip(action, n) for n in range(4) for action in ("wave", "kick")]
    for classifier in (fitted, loaded):
        classifier.fit(joints, [2, 0] * 4, mode="linear", validation=0)
        assert classifier.label_names == ["kick", "rest", "wave"]
        assert classifier.predict(joints[:2]) == ["wave", "kick"]
        with pytest.raises(ConfigError, match="label 3 is outside the 3 classes"):
            classifier.fit(joints, [3, 0] * 4)
        assert classifier.fit(joints, ["w", "k"] * 4, mode="linear").label_names == ["k", "w"]


def test_numbers_that_became_names_stay_names(encoder: STARSEncoder) -> None:
    joints = [clip(action, n) for n in range(4) for action in ("wave", "kick")]
    classifier = STARSClassifier(encoder)
    for numbers in ([10, 9], [10, 9], [1, 7]):
        classifier.fit(joints, numbers * 4, mode="linear")
        assert classifier.predict(joints[:2]) == [str(number) for number in numbers]
