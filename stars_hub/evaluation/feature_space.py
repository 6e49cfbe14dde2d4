"""Spaces in which features are compared: as they are, or changed by what the training features are like.

Cosine similarity sees a common offset and a few wide directions first. Standardising or whitening takes these
away; both are fitted on training features alone.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import torch

from stars_hub import checkpoints
from stars_hub.errors import ConfigError
from stars_hub.objectives import NNCLR

Space = Literal["pooled", "z", "standardised", "whitened"]
SPACES: tuple[str, ...] = get_args(Space)

FloatArray: TypeAlias = npt.NDArray[np.float32]
Change: TypeAlias = Callable[[FloatArray], FloatArray]
"""Features (N, D) as they are pooled -> (N, D') in their space."""

_EPS = 1e-12


def feature_space(
    space: Space, train: FloatArray, *, model: str | Path | None = None, shrinkage: float = 0.1
) -> Change:
    """Make the change into a space.

    Args:
        space: "pooled": features as they are; "z": a STARS model's batch normalisation, the space in which it
            was tuned; "standardised": mean 0 and deviation 1 of every number over the training features;
            "whitened": `whitening` of the training features.
        train: (N, D), the training features.
        model: the STARS model, for "z".
        shrinkage: of "whitened".

    Raises:
        ConfigError: an unknown space, or a model without z.
    """
    if space == "pooled":
        return lambda features: features
    if space == "z":
        return projection(model)
    if space == "standardised":
        mean, deviation = train.mean(axis=0), train.std(axis=0)
        return lambda features: (features - mean) / np.maximum(deviation, _EPS)
    if space == "whitened":
        return whitening(train, shrinkage=shrinkage)
    raise ConfigError(f"features must be one of {', '.join(SPACES)}, got {space!r}")


def check_space(space: str, *, model: str | Path | None, shrinkage: float) -> None:
    """Say before anything is encoded that `feature_space` could not be made; arguments as there.

    Raises:
        ConfigError: an unknown space, a model without z, or a shrinkage outside [0, 1].
    """
    if space not in SPACES:
        raise ConfigError(f"features must be one of {', '.join(SPACES)}, got {space!r}")
    if not 0 <= shrinkage <= 1:
        raise ConfigError(f"shrinkage must lie in [0, 1], got {shrinkage}")
    if space == "z":
        _check_z(model)


def whitening(train: FloatArray, *, shrinkage: float = 0.1) -> Change:
    """Make PCA whitening: centred, turned to principal axes, each divided by its deviation.

    Axes of hardly any variance are noise that whitening would blow up, so each variance is first drawn
    towards their mean: (1 - shrinkage) · variance + shrinkage · mean variance.

    Args:
        train: (N, D), what mean and axes are taken of.
        shrinkage: in [0, 1]; 0: plain whitening, 1: centring and turning only.

    Raises:
        ConfigError: fewer than two features, or another shrinkage.
    """
    if len(train) < 2 or not 0 <= shrinkage <= 1:
        raise ConfigError(
            f"whitening takes at least 2 features and shrinkage in [0, 1], got {len(train)} and {shrinkage}"
        )
    mean = train.mean(axis=0, dtype=np.float64)
    variances, axes = np.linalg.eigh(np.cov(train.T.astype(np.float64)).reshape(len(mean), len(mean)))
    shrunk = (1 - shrinkage) * variances.clip(min=0) + shrinkage * variances.mean()
    scaled = axes / np.sqrt(np.maximum(shrunk, _EPS))
    return lambda features: ((features - mean) @ scaled).astype(np.float32)


def projection(model: str | Path | None) -> Change:
    """Take the projector of a STARS model, the batch normalisation that makes z of a pooled feature.

    Raises:
        ConfigError: the model has none: it was not tuned by NNCLR.
    """
    projector = NNCLR.from_pretrained(_check_z(model)).projector.eval()

    def change(features: FloatArray) -> FloatArray:
        with torch.inference_mode():
            z: FloatArray = projector(torch.from_numpy(features)).numpy()
        return z

    return change


def _check_z(model: str | Path | None) -> str | Path:
    name = None
    if model is not None and str(model) != "raw":
        objective = checkpoints.read_config(checkpoints.resolve_model(model)).get("objective")
        name = objective.get("name") if isinstance(objective, dict) else None
    if model is None or name != NNCLR.name:
        raise ConfigError(
            f"features 'z' are those of a model tuned by STARS, with its heads; {model} has none"
        )
    return model
