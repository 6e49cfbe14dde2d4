import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.covariance import OAS

from stars_hub.classifiers import PrototypeClassifier, STARSClassifier
from stars_hub.classifiers.prototypes import PrototypeHead, whitening
from stars_hub.errors import CheckpointError, ConfigError, SequenceError
from stars_hub.model.encoder import STARSEncoder
from stars_hub.skeletons.store import SkeletonStore
from tests.classifiers.conftest import ACTIONS, clip, clips


@pytest.mark.parametrize("count", [2, 3, 30, 400])
def test_whitening_is_that_of_scikit_learns_shrunk_covariance(count: int) -> None:
    mixing = torch.randn(6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    features = torch.randn(count, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64) @ mixing
    mean, matrix = whitening(features)
    reference = OAS().fit(features.numpy())
    np.testing.assert_allclose(mean, reference.location_)
    np.testing.assert_allclose(matrix @ matrix, reference.precision_, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(matrix, matrix.T)


def test_whitening_of_equal_features_changes_their_mean_alone() -> None:
    mean, matrix = whitening(torch.full((3, 2), 5.0))
    torch.testing.assert_close(mean, torch.tensor([5.0, 5.0]))
    torch.testing.assert_close(matrix, torch.eye(2))


def test_head_by_hand() -> None:
    # Four examples on the axes: the covariance is 1/2 times the identity, so whitening is a plain scaling.
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    head = PrototypeHead(features, torch.tensor([0, 0, 1, 1]), num_classes=2)
    root = 0.5**0.5
    torch.testing.assert_close(head.prototypes, torch.tensor([[root, root], [-root, -root]]))
    logits = head(torch.tensor([[3.0, 0.0], [-1.0, -1.0]]))
    torch.testing.assert_close(logits, torch.tensor([[root, -root], [-1.0, 1.0]]) / 0.1)


def test_one_example_a_class_names_others(encoder: STARSEncoder) -> None:
    classifier = PrototypeClassifier(encoder).fit([clip(action) for action in ACTIONS], ACTIONS)
    others = clips(4, seed=1)
    assert classifier.predict(others) == [other.label for other in others]
    probabilities = classifier.predict_proba(others)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_a_class_added_later_is_as_if_it_had_been_there(encoder: STARSEncoder) -> None:
    examples = clips(2)
    whole = PrototypeClassifier(encoder).fit(examples)
    grown = PrototypeClassifier(encoder)
    for action in ACTIONS:
        grown.add_class(action, [example for example in examples if example.label == action][:1])
        grown.add_class(action, [example for example in examples if example.label == action][1:])
    queries = clips(1, seed=1)
    assert grown.label_names == whole.label_names == list(ACTIONS)
    np.testing.assert_allclose(grown.predict_proba(queries), whole.predict_proba(queries), rtol=1e-4)


def test_saved_and_loaded(encoder: STARSEncoder, tmp_path: Path) -> None:
    classifier = PrototypeClassifier(encoder).fit(clips(2))
    folder = classifier.save_pretrained(tmp_path / "model")
    loaded = PrototypeClassifier.from_pretrained(folder)
    np.testing.assert_array_equal(loaded.predict_proba(clips(1)), classifier.predict_proba(clips(1)))
    loaded.add_class("jump", [clip("kick", 5)])
    assert loaded.label_names == [*ACTIONS, "jump"]
    assert "0. kick\n1. rest\n2. wave" in (folder / "README.md").read_text()
    assert STARSEncoder.from_pretrained(folder).config == encoder.config
    with pytest.raises(CheckpointError, match=r"PrototypeClassifier\.from_pretrained"):
        STARSClassifier.from_pretrained(folder)


def test_a_folder_that_contradicts_itself_is_refused(encoder: STARSEncoder, tmp_path: Path) -> None:
    folder = PrototypeClassifier(encoder).fit(clips(2)).save_pretrained(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["objective"]["label_names"].append("jump")
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="jump"):
        PrototypeClassifier.from_pretrained(folder)


def test_a_failure_keeps_the_former_examples(encoder: STARSEncoder) -> None:
    classifier = PrototypeClassifier(encoder).fit(clips(1))
    before = classifier.predict_proba(clips(1, seed=1))
    broken = clip("kick")
    broken[3, 0, 4, 1] = np.inf
    with pytest.raises(SequenceError, match="sequence 1"):
        classifier.fit([clip("kick"), broken], ["a", "b"])
    with pytest.raises(SequenceError, match="no recording"):
        classifier.add_class("none", [])
    with pytest.raises(ConfigError, match="2 recordings, got 1"):
        classifier.fit([clip("kick"), clip("rest")], ["a"])
    assert classifier.label_names == list(ACTIONS)
    np.testing.assert_array_equal(classifier.predict_proba(clips(1, seed=1)), before)


@pytest.mark.parametrize("nobody", [0.0, np.nan])
def test_a_recording_of_nobody_is_no_example(encoder: STARSEncoder, nobody: float) -> None:
    classifier = PrototypeClassifier(encoder).fit(clips(1))
    before = classifier.predict_proba(clips(1, seed=1))
    empty = np.full_like(clip("rest"), nobody)
    with pytest.raises(SequenceError, match="sequence 1: nobody is seen in it, so there is nothing to learn"):
        classifier.fit([clip("kick"), empty], ["a", "b"])
    with pytest.raises(SequenceError, match="the sequence: nobody is seen"):
        classifier.add_class("empty", empty)
    np.testing.assert_array_equal(classifier.predict_proba(clips(1, seed=1)), before)


def test_classes_of_a_store(encoder: STARSEncoder, tmp_path: Path) -> None:
    joints = [clip("kick"), clip("wave")]
    store = SkeletonStore.create(
        tmp_path / "store", joints, layout="ntu25", labels=[2, 0], label_names=["wave", "jump", "kick"]
    )
    classifier = PrototypeClassifier(encoder).fit(store)
    assert classifier.label_names == ["wave", "kick"]  # there is no example of jump
    assert classifier.predict(joints) == ["kick", "wave"]
    assert classifier.fit(store, ["foot", "arm"]).predict(joints) == ["foot", "arm"]


def test_a_store_brings_its_layout_along(encoder: STARSEncoder, tmp_path: Path) -> None:
    joints = [clip("kick")[:, :, :20], clip("wave")[:, :, :20]]
    store = SkeletonStore.create(tmp_path / "store", joints, layout="kinect20", labels=["kick", "wave"])
    features = PrototypeClassifier(encoder).fit(store).features
    told = PrototypeClassifier(encoder).fit(joints, ["kick", "wave"], layout="kinect20").features
    np.testing.assert_array_equal(features, told)


def test_nothing_to_predict_with(encoder: STARSEncoder) -> None:
    classifier = PrototypeClassifier(encoder)
    with pytest.raises(ConfigError, match="two classes"):
        classifier.predict([clip("kick")])
    with pytest.raises(ConfigError, match="two classes"):
        classifier.add_class("kick", [clip("kick")]).predict([clip("kick")])
