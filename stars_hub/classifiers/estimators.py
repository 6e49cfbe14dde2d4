"""Features and the linear probe as scikit-learn estimators: for Pipeline, GridSearchCV, cross_val_score.

`STARSFeatures` turns recordings into features; `STARSProbeClassifier` is the linear protocol on them. `X` is

- recordings: a list or an object array of sequences (T, V, 3) or (T, M, V, 3), a store, an (N, T, V, 3);
- or a table (N, T·V·3) of flattened sequences of one length, where `num_joints` says V;
- or, where `num_joints` is not given, a table (N, D) of features that were computed before. So a search over
  settings of the probe need not encode the recordings again for each of them.

The classes are made when they are first asked for, since scikit-learn is an optional package.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from einops import rearrange

from stars_hub.errors import ConfigError, MissingExtraError
from stars_hub.evaluation.linear import fit_linear
from stars_hub.model.encoder import STARSEncoder
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.store import SkeletonStore

__all__ = ["STARSFeatures", "STARSProbeClassifier"]

if TYPE_CHECKING:
    STARSFeatures: Any
    STARSProbeClassifier: Any


class _Recordings:
    """What both estimators know: how `X` becomes features."""

    model: STARSEncoder | str | Path | None
    num_joints: int | None
    layout: str | SkeletonLayout | None
    units: str
    up_axis: str | None
    batch_size: int
    device: str | None

    def _features(self, X: Any, *, reset: bool) -> np.ndarray:  # noqa: N803
        """(N, D); the first call, with `reset`, loads the encoder if there is one to be asked."""
        from sklearn.utils.validation import validate_data

        if not _holds_recordings(X):
            flat = self.num_joints is not None
            X = validate_data(self, X, reset=reset, dtype=np.float64, ensure_all_finite=not flat)  # noqa: N806
            if self.num_joints is None:
                return np.asarray(X)
            X = self._unflattened(X)  # noqa: N806
        if reset:
            self.encoder_ = self._encoder()
        if not hasattr(self, "encoder_"):
            raise ConfigError("fit saw features, so there is no encoder for recordings: fit on recordings")
        return self.encoder_.encode(
            list(X) if isinstance(X, np.ndarray) else X,
            batch_size=self.batch_size,
            layout=self.layout,
            units=self.units,
            up_axis=self.up_axis,
            device=self.device,
            progress=False,
        )

    def _encoder(self) -> STARSEncoder:
        if self.model is None:
            raise ConfigError("recordings need an encoder: model=… names one")
        if isinstance(self.model, STARSEncoder):
            return self.model
        return STARSEncoder.from_pretrained(self.model)

    def _unflattened(self, table: np.ndarray) -> np.ndarray:
        if table.shape[1] % (3 * (self.num_joints or 1)):
            raise ConfigError(
                f"a row must hold T·V·3 numbers with V = {self.num_joints} joints, got {table.shape[1]}"
            )
        return rearrange(table.astype(np.float32), "n (t v c) -> n t v c", v=self.num_joints, c=3)

    def __sklearn_tags__(self) -> Any:
        """Unknown joints are NaN; features must be finite."""
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.allow_nan = self.num_joints is not None
        return tags


class _Features(_Recordings):
    """Features of recordings, as a scikit-learn transformer.

    Args:
        model: an encoder, or the name of one as for `STARSEncoder.from_pretrained`; only recordings need it.
        num_joints: V, where `X` is a table of flattened sequences; None: a table holds features, which stay.
        layout: joint layout of the recordings; None: that of the store, else the encoder's.
        units: of the coordinates: "m", "cm", "mm" or "pixels".
        up_axis: axis of the recordings that points up; None: that of their layout.
        batch_size: sequences encoded at a time.
        normalize: scale each feature to length 1.
        device: such as "cuda"; None: where the encoder is.
    """

    def __init__(
        self,
        model: STARSEncoder | str | Path | None = None,
        *,
        num_joints: int | None = None,
        layout: str | SkeletonLayout | None = None,
        units: str = "m",
        up_axis: str | None = None,
        batch_size: int = 64,
        normalize: bool = False,
        device: str | None = None,
    ) -> None:
        self.model = model
        self.num_joints = num_joints
        self.layout = layout
        self.units = units
        self.up_axis = up_axis
        self.batch_size = batch_size
        self.normalize = normalize
        self.device = device

    def fit(self, X: Any, y: Any = None) -> Any:  # noqa: N803
        """Load the encoder; there is nothing to learn from `X`."""
        if not _holds_recordings(X):
            from sklearn.utils.validation import validate_data

            validate_data(self, X, ensure_all_finite=self.num_joints is None, dtype=np.float64)
        if self.num_joints is not None or _holds_recordings(X):
            self.encoder_ = self._encoder()
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> np.ndarray:  # noqa: N803
        """Features (N, D) of recordings."""
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        features = self._features(X, reset=False)
        if not self.normalize:
            return features
        lengths = np.linalg.norm(features, axis=1, keepdims=True)
        return features / np.maximum(lengths, np.finfo(features.dtype).tiny)


class _ProbeClassifier(_Recordings):
    """The linear protocol as a scikit-learn classifier: one layer on the features of a frozen encoder.

    Args:
        model: an encoder, or the name of one as for `STARSEncoder.from_pretrained`; only recordings need it.
        num_joints: V, where `X` is a table of flattened sequences; None: a table holds features.
        layout: joint layout of the recordings; None: that of the store, else the encoder's.
        units: of the coordinates: "m", "cm", "mm" or "pixels".
        up_axis: axis of the recordings that points up; None: that of their layout.
        batch_size: sequences encoded at a time.
        epochs: passes over the features.
        lr: learning rate at the start of its cosine.
        step_size: features of a step of the optimizer.
        class_weight: "balanced" lets every class count the same, None every recording; or a weight a label.
        random_state: of the layer's start and of the order: a seed, a RandomState, or None for numpy's own.
        device: such as "cuda"; None: where the encoder is.

    Attributes:
        classes_: (K,), the labels, sorted.
        head_: the trained layer.
        encoder_: the encoder, where `fit` saw recordings.

    Reference: MAMP (arXiv 2308.07092) section 4.3.
    """

    def __init__(
        self,
        model: STARSEncoder | str | Path | None = None,
        *,
        num_joints: int | None = None,
        layout: str | SkeletonLayout | None = None,
        units: str = "m",
        up_axis: str | None = None,
        batch_size: int = 64,
        epochs: int = 100,
        lr: float = 0.03,
        step_size: int = 32,
        class_weight: str | dict[Any, float] | None = None,
        random_state: int | np.random.RandomState | None = 0,
        device: str | None = None,
    ) -> None:
        self.model = model
        self.num_joints = num_joints
        self.layout = layout
        self.units = units
        self.up_axis = up_axis
        self.batch_size = batch_size
        self.epochs = epochs
        self.lr = lr
        self.step_size = step_size
        self.class_weight = class_weight
        self.random_state = random_state
        self.device = device

    def fit(self, X: Any, y: Any) -> Any:  # noqa: N803
        """Train the layer on recordings, or on their features, with labels (N,)."""
        from sklearn.utils import assert_all_finite, check_random_state
        from sklearn.utils.class_weight import compute_class_weight
        from sklearn.utils.multiclass import check_classification_targets
        from sklearn.utils.validation import check_consistent_length, column_or_1d

        if y is None:
            raise ConfigError("requires y to be passed, but the target y is None")
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        features = self._features(X, reset=True)
        check_consistent_length(features, y)
        self.classes_, ids = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ConfigError(f"a classifier needs two classes or more, got one class: {self.classes_}")
        weights = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(2**31 - 1)
        head = fit_linear(
            torch.tensor(features),  # a copy: memory that is only to be read is no matter
            torch.from_numpy(ids),
            len(self.classes_),
            epochs=self.epochs,
            lr=self.lr,
            batch_size=self.step_size,
            seed=int(seed),
            class_weights=torch.from_numpy(weights),
        )
        self.head_ = head.double()
        return self

    @torch.inference_mode()
    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """The probability of each class: float64 (N, K), columns in the order of `classes_`."""
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        features = torch.tensor(self._features(X, reset=False)).double()
        probabilities: np.ndarray = self.head_(features).softmax(dim=1).numpy()
        return probabilities

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The likeliest class of each recording, (N,)."""
        best = self.predict_proba(X).argmax(
            axis=1
        )  # before classes_ is asked for: it says what is not fitted
        labels: np.ndarray = self.classes_[best]
        return labels


def _holds_recordings(X: Any) -> bool:  # noqa: N803
    """Whether `X` is recordings rather than a table of numbers."""
    if isinstance(X, SkeletonStore | str | Path):
        return True
    if isinstance(X, np.ndarray | torch.Tensor):
        return X.ndim == 4 or (X.ndim == 1 and X.dtype == object and len(X) > 0 and _is_recording(X[0]))
    return isinstance(X, list | tuple) and len(X) > 0 and _is_recording(X[0])


def _is_recording(item: Any) -> bool:
    return isinstance(item, str | Path) or hasattr(item, "joints") or getattr(item, "ndim", 0) >= 3


def __getattr__(name: str) -> Any:
    """Make an estimator of its logic above and scikit-learn's base classes."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "plots") from error
    logic, mixin = (
        (_Features, TransformerMixin) if name == "STARSFeatures" else (_ProbeClassifier, ClassifierMixin)
    )
    namespace = {"__module__": __name__, "__doc__": logic.__doc__}
    made = type(name, (logic, mixin, BaseEstimator), namespace)
    return globals().setdefault(name, made)
