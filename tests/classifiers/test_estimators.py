"""The estimators under scikit-learn's own checks, and on recordings in its tools."""

import pickle
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from stars_hub.classifiers import STARSClassifier
from stars_hub.classifiers.estimators import STARSFeatures, STARSProbeClassifier
from stars_hub.errors import ConfigError
from stars_hub.model.encoder import STARSEncoder
from stars_hub.skeletons.store import SkeletonStore
from tests.classifiers.conftest import clips

# The checks give tables of numbers of any width: those count as features that were computed before.


@pytest.mark.filterwarnings("ignore:SCIPY_ARRAY_API", "ignore:.*:sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([STARSFeatures(), STARSFeatures(normalize=True), STARSProbeClassifier(epochs=30)])
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture
def recordings() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Sequences, labels and subjects."""
    made = clips(6, subjects=3)
    labels, subjects = ([getattr(clip, what) for clip in made] for what in ("label", "subject"))
    return [clip.joints for clip in made], np.array(labels), np.array(subjects)


def test_features_are_those_of_the_encoder(encoder: STARSEncoder, recordings: Any, tmp_path: Path) -> None:
    sequences, _, _ = recordings
    expected = encoder.encode(sequences)
    transformer = STARSFeatures(encoder).fit(sequences)
    objects = np.empty(len(sequences), dtype=object)
    objects[:] = sequences
    store = SkeletonStore.create(tmp_path / "store", sequences, layout="ntu25")
    batch = np.stack(sequences)[:, :, 0]
    for X in (sequences, objects, store, batch):  # noqa: N806
        np.testing.assert_allclose(transformer.transform(X), expected, atol=1e-5)
    flat = STARSFeatures(encoder, num_joints=25)
    np.testing.assert_allclose(flat.fit_transform(batch.reshape(len(batch), -1)), expected, atol=1e-5)
    scaled = STARSFeatures(encoder, normalize=True).fit_transform(sequences)
    np.testing.assert_allclose(scaled, encoder.encode(sequences, normalize=True), atol=1e-6)


def test_probe_is_the_linear_classifier(encoder: STARSEncoder, recordings: Any) -> None:
    sequences, labels, _ = recordings
    probe = STARSProbeClassifier(encoder).fit(sequences, labels)
    classifier = STARSClassifier(encoder).fit(sequences, labels, mode="linear", validation=0)
    assert probe.classes_.tolist() == classifier.label_names
    np.testing.assert_allclose(probe.predict_proba(sequences), classifier.predict_proba(sequences), atol=1e-4)
    assert probe.score(sequences, labels) == 1.0
    on_features = STARSProbeClassifier().fit(encoder.encode(sequences), labels)
    np.testing.assert_allclose(
        on_features.predict_proba(encoder.encode(sequences)), probe.predict_proba(sequences), atol=1e-6
    )


def test_in_the_tools_of_scikit_learn(encoder: STARSEncoder, recordings: Any, tmp_path: Path) -> None:
    sequences, labels, subjects = recordings
    folder = encoder.save_pretrained(tmp_path / "model")
    scores = cross_val_score(
        STARSProbeClassifier(folder, epochs=60), sequences, labels, groups=subjects, cv=GroupKFold(3)
    )
    assert scores.tolist() == [1.0, 1.0, 1.0]
    pipeline = make_pipeline(STARSFeatures(folder), LogisticRegression(C=1e3))
    assert pipeline.fit(sequences, labels).score(sequences, labels) == 1.0
    features = STARSFeatures(folder).fit_transform(sequences)
    search = GridSearchCV(STARSProbeClassifier(epochs=20), {"lr": [1e-7, 0.1]}, cv=GroupKFold(3))
    search.fit(features, labels, groups=subjects)
    assert search.best_params_ == {"lr": 0.1}


def test_cloned_and_pickled(encoder: STARSEncoder, recordings: Any) -> None:
    sequences, labels, _ = recordings
    probe = STARSProbeClassifier(encoder, epochs=20).fit(sequences, labels)
    again = pickle.loads(pickle.dumps(probe))
    np.testing.assert_array_equal(again.predict_proba(sequences), probe.predict_proba(sequences))
    copy = clone(probe).set_params(epochs=21)
    assert copy.get_params()["epochs"] == 21
    assert not hasattr(copy, "head_")


def test_random_states_as_in_scikit_learn(encoder: STARSEncoder, recordings: Any) -> None:
    sequences, labels, _ = recordings
    features = encoder.encode(sequences)

    def weights(random_state: Any) -> np.ndarray:
        probe = STARSProbeClassifier(epochs=2, random_state=random_state).fit(features, labels)
        return probe.head_.fc.weight.detach().numpy()

    state = np.random.RandomState(5)
    first, second = weights(state), weights(state)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(weights(np.random.RandomState(5)), first)
    np.testing.assert_array_equal(weights(np.int64(3)), weights(3))
    np.random.seed(5)
    np.testing.assert_array_equal(weights(None), first)


def test_what_cannot_be(encoder: STARSEncoder, recordings: Any) -> None:
    sequences, labels, _ = recordings
    with pytest.raises(ConfigError, match="model"):
        STARSProbeClassifier().fit(sequences, labels)
    with pytest.raises(ConfigError, match="25 joints"):
        STARSFeatures(encoder, num_joints=25).fit_transform(np.ones((3, 76)))
    with pytest.raises(ConfigError, match="features"):
        STARSProbeClassifier(encoder).fit(encoder.encode(sequences), labels).predict(sequences)
    with pytest.raises(AttributeError, match="Nothing"):
        getattr(import_module("stars_hub.classifiers.estimators"), "Nothing")  # noqa: B009
