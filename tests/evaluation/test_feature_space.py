"""Spaces are made of training features alone, and do what their names say."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from stars_hub.errors import ConfigError
from stars_hub.evaluation.feature_space import feature_space, projection, whitening
from stars_hub.model import EncoderConfig, STARSEncoder
from stars_hub.objectives import NNCLR
from stars_hub.skeletons import SkeletonStore
from stars_hub.transforms import BatchLoader


@pytest.fixture
def mixed() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 6))
    return ((rng.normal(size=(n, 6)) @ mixing + 5).astype(np.float32) for n in (200, 30))  # type: ignore


def test_standardised_is_scikit_learns(mixed: tuple[np.ndarray, np.ndarray]) -> None:
    train, test = mixed
    expected = StandardScaler().fit(train).transform(test)
    np.testing.assert_allclose(feature_space("standardised", train)(test), expected, atol=1e-4)


def test_whitened_is_scikit_learns_up_to_sign_and_order(mixed: tuple[np.ndarray, np.ndarray]) -> None:
    train, test = mixed
    expected = PCA(whiten=True).fit(train.astype(np.float64)).transform(test)
    found = whitening(train, shrinkage=0.0)(test)[:, ::-1]  # ours: least variance first
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-3)


def test_shrinkage_goes_from_whitening_to_a_mere_turn(mixed: tuple[np.ndarray, np.ndarray]) -> None:
    train, test = mixed
    turned = whitening(train, shrinkage=1.0)(test)
    scale = np.sqrt(np.cov(train.T.astype(np.float64)).trace() / 6)
    centred = (test - train.mean(axis=0)) / scale
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), np.linalg.norm(centred, axis=1), rtol=1e-4)
    spreads = [whitening(train, shrinkage=s)(train).std(axis=0) for s in (0.0, 0.3, 0.6)]
    ratios = [spread.max() / spread.min() for spread in spreads]
    assert ratios[0] == pytest.approx(1, abs=1e-3)
    assert ratios[0] < ratios[1] < ratios[2]


def test_a_number_that_never_changes_is_no_division_by_zero() -> None:
    train = np.ones((5, 3), dtype=np.float32)
    train[:, 0] = range(5)
    for space in ("standardised", "whitened"):
        assert np.isfinite(feature_space(space, train, shrinkage=0.0)(train)).all()  # type: ignore[arg-type]


def test_z_is_what_the_model_was_tuned_in(stars_model: Path, actions: SkeletonStore) -> None:
    """Against the objective's own `project`, on the loader's batches."""
    objective = NNCLR.from_pretrained(stars_model).eval()
    loader = BatchLoader(
        actions, batch_size=len(actions), num_frames=16, crop=0.95, rotation=0, shuffle=False, drop_last=False
    )
    with torch.no_grad():
        expected = objective.project(next(iter(loader)).x).numpy()
    pooled = STARSEncoder.from_pretrained(stars_model).encode(actions, progress=False)
    found = feature_space("z", pooled, model=stars_model)(pooled)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(found - pooled).max() > 0.1


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    features = np.ones((3, 2), dtype=np.float32)
    plain = STARSEncoder(EncoderConfig(embed_dim=16, depth=1, num_heads=2)).save_pretrained(tmp_path / "m")
    for model in (None, plain):
        with pytest.raises(ConfigError, match="tuned by STARS"):
            projection(model)
    with pytest.raises(ConfigError, match="features must be one of pooled, z, standardised, whitened"):
        feature_space("sideways", features)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="at least 2 features"):
        whitening(features[:1])
    with pytest.raises(ConfigError, match=r"shrinkage in \[0, 1\], got 3 and 1.5"):
        whitening(features, shrinkage=1.5)
