"""What a protocol found: numbers, predictions, and all that it takes to find them again."""

import dataclasses
import json
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stars_hub._version import __version__
from stars_hub.errors import ConfigError
from stars_hub.files import whole_file

_ARRAYS = {"truth": np.int64, "predictions": np.int64, "scores": np.float32}


@dataclass(kw_only=True, eq=False)
class Evaluation:
    """The result of one protocol on one test set; `to_json` and `from_json` keep every number.

    Args:
        protocol: "knn", "linear", "finetune", "semi", "transfer", "few_shot", "clustering" or "ensemble".
        metrics: the table: accuracies in percent by name, such as {"k=1": 67.2}; spreads as "… std".
        settings: every setting of the protocol.
        provenance: model, data (fingerprints by name), counts, versions, device, date.
        label_names: one name a class, K of them.
        truth: (N,) int64, the test recordings' labels.
        predictions: (N,) int64, those of the first metric.
        scores: (N, K) float32 class scores, where the protocol has them: logits, or their like.
        names: (N,) the test recordings.
        features: (N, D) of the test recordings, as they were compared, where the protocol has them; a file
            does not keep them.
        curves: numbers by epoch.

    Raises:
        ConfigError: a number is NaN or infinite, or lengths do not fit together.
    """

    protocol: str
    metrics: dict[str, float]
    settings: dict[str, Any]
    provenance: dict[str, Any]
    label_names: list[str]
    truth: np.ndarray | None = None
    predictions: np.ndarray | None = None
    scores: np.ndarray | None = None
    names: list[str] | None = None
    features: np.ndarray | None = field(default=None, repr=False)
    curves: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, kind in _ARRAYS.items():
            values = getattr(self, name)
            if values is not None:
                setattr(self, name, np.asarray(values, dtype=kind))
        self.metrics = {name: float(value) for name, value in self.metrics.items()}
        self.curves = {name: [float(value) for value in values] for name, values in self.curves.items()}
        self.settings, self.provenance = _plain(self.settings), _plain(self.provenance)
        self.label_names = [str(name) for name in self.label_names]
        self.names = None if self.names is None else [str(name) for name in self.names]
        self._check_shapes()
        self._check_finite()

    def _check_shapes(self) -> None:
        lengths = {
            name: len(getattr(self, name))
            for name in ("truth", "predictions", "scores", "names", "features")
            if getattr(self, name) is not None
        }
        if len(set(lengths.values())) > 1:
            raise ConfigError(f"expected as many of each, got {lengths}")
        classes = len(self.label_names)
        for name in ("truth", "predictions"):
            labels = getattr(self, name)
            if labels is not None and len(labels) and not 0 <= labels.min() <= labels.max() < classes:
                raise ConfigError(
                    f"{name} must lie in [0, {classes}), the labels that have names, got "
                    f"[{labels.min()}, {labels.max()}]"
                )
        if self.scores is not None and self.scores.shape[1:] != (classes,):
            raise ConfigError(f"scores must be (N, {classes}), a column a class, got {self.scores.shape}")

    def _check_finite(self) -> None:
        numbers: dict[str, Any] = {
            **{f"metric {name!r}": value for name, value in self.metrics.items()},
            **{f"curve {name!r}": values for name, values in self.curves.items()},
        }
        if self.scores is not None:
            numbers["scores"] = self.scores
        for what, values in numbers.items():
            if not np.isfinite(values).all():
                raise ConfigError(f"the {self.protocol} evaluation's {what} is NaN or infinite")

    def confusion(self) -> np.ndarray:
        """How often each class was taken for each: counts (K, K) int64, a row for each true class.

        Raises:
            ConfigError: the protocol keeps no predictions.
        """
        truth, predictions = self._answers()
        classes = len(self.label_names)
        counts = np.bincount(truth * classes + predictions, minlength=classes**2)
        return counts.reshape(classes, classes)

    def per_class(self) -> dict[str, float]:
        """Accuracy in percent of each class that the test set has, by its name.

        Raises:
            ConfigError: the protocol keeps no predictions.
        """
        counts = self.confusion()
        totals, hits = counts.sum(axis=1), counts.diagonal()
        return {self.label_names[c]: float(100 * hits[c] / totals[c]) for c in np.flatnonzero(totals)}

    def hardest_pairs(self, count: int = 10) -> list[tuple[str, str, int]]:
        """The confusions that happen most often: (true class, predicted class, how often).

        Args:
            count: at most so many; pairs with equal counts in the order of the labels.

        Raises:
            ConfigError: the protocol keeps no predictions.
        """
        wrong = self.confusion()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        places = np.stack(np.unravel_index(order, wrong.shape), axis=1).tolist()
        return [
            (self.label_names[i], self.label_names[j], int(wrong[i, j])) for i, j in places if wrong[i, j]
        ]

    def _answers(self) -> tuple[np.ndarray, np.ndarray]:
        if self.truth is None or self.predictions is None:
            raise ConfigError(f"this {self.protocol} evaluation holds no predictions")
        return self.truth, self.predictions

    def table(self) -> str:
        """The metrics as aligned text, below a line that says what was evaluated on what."""
        width = max(map(len, self.metrics), default=0)
        rows = [f"  {name.ljust(width)}  {_shown(value)}" for name, value in self.metrics.items()]
        counts = self.provenance.get("counts", {})
        told = [f"{value} {name}" for name, value in counts.items()]
        heads = [f"{self.protocol}: {self.provenance.get('model', 'features')}"]
        return "\n".join([*heads, *([f"  {', '.join(told)}"] if told else []), *rows])

    def to_json(self, path: str | Path) -> Path:
        """Write everything to a file, which appears whole or not at all.

        Raises:
            ConfigError: the file cannot be written, or a setting is nothing that JSON knows.
        """
        path = Path(path)
        try:
            text = json.dumps(self._to_dict(), indent=1, allow_nan=False, ensure_ascii=False)
            with whole_file(path) as temporary:
                temporary.write_text(text + "\n", encoding="utf-8")
        except (OSError, TypeError, ValueError) as error:
            raise ConfigError(f"{path}: the evaluation cannot be written: {error}") from error
        return path

    @classmethod
    def from_json(cls, path: str | Path) -> "Evaluation":
        """Read what `to_json` wrote.

        Raises:
            ConfigError: the file cannot be read or is no evaluation.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(**content)
        except (OSError, AttributeError, TypeError, ValueError) as error:
            raise ConfigError(
                f"{path}: expected an evaluation as Evaluation.to_json writes it: {error}"
            ) from error

    def _to_dict(self) -> dict[str, Any]:
        content = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        del content["features"]
        return {
            name: value.tolist() if name in _ARRAYS and value is not None else value
            for name, value in content.items()
        }


def provenance(
    model: str, data: Mapping[str, str], counts: Mapping[str, int], *, device: str | torch.device = "cpu"
) -> dict[str, Any]:
    """Note where a result comes from.

    Args:
        model: its name or folder.
        data: fingerprint of each store, by the part that it plays.
        counts: such as {"training recordings": 431}.
        device: where it was computed.
    """
    return {
        "model": model,
        "data": dict(data),
        "counts": dict(counts),
        "versions": {
            "stars_hub": __version__,
            "torch": str(torch.__version__),
            "python": platform.python_version(),
        },
        "device": str(device),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def model_name(model: Any) -> str:
    """What provenance calls a model: the name that it was opened by, or its class."""
    return str(model) if isinstance(model, str | Path) else type(model).__name__


def accuracy(predictions: Any, truth: Any) -> float:
    """Share of correct predictions, in percent."""
    return float(100 * np.mean(np.asarray(predictions) == np.asarray(truth)))


def score_metrics(scores: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Accuracy and, with more than five classes, top-5 accuracy in percent of scores (N, K)."""
    metrics = {"accuracy": accuracy(scores.argmax(axis=1), truth)}
    if scores.shape[1] > 5:
        best = np.argpartition(-scores, 5, axis=1)[:, :5]
        metrics["top-5"] = float(100 * (best == truth[:, None]).any(axis=1).mean())
    return metrics


def _shown(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def _plain(value: Any) -> Any:
    """As JSON gives it back: tuples are lists, numpy's numbers and paths are Python's numbers and text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value) if isinstance(value, Path) else value
