"""A classifier from a handful of examples of each class, without training.

Reference: Snell et al. 2017 (arXiv 1703.05175), the mean of a class's features as its prototype; Chen et al.
2010 (arXiv 0907.4698) for the shrinkage of the covariance, "OAS".
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stars_hub import checkpoints
from stars_hub.classifiers.base import SequenceClassifier
from stars_hub.classifiers.examples import collect, iter_seen
from stars_hub.classifiers.labels import named_labels
from stars_hub.errors import CheckpointError, ConfigError, SequenceError
from stars_hub.model.encoder import STARSEncoder
from stars_hub.model.sources import Sequences, layout_of, opened
from stars_hub.skeletons.sequence import Sequence

_TEMPERATURE = 0.1
_LEAST_VARIANCE = 1e-12


class PrototypeClassifier(SequenceClassifier):
    """Names a recording after the class whose examples it resembles; one example a class is enough.

    Features are whitened by the covariance of all examples, shrunk as far as their number asks for, and
    scaled to length 1; a class's prototype is the mean of its examples; the nearest prototype by angle wins.
    Nothing is trained: `fit` takes as long as encoding the examples, and classes can be added at any time.

    Asked about one subject of UTD-MHAD (27 actions; subjects 1, 3, 5 and 7 in turn) with examples of the
    other three, ten draws each, by `stars-mini`, which saw these recordings without labels, it names 65, 72,
    75 and 77 % right from 1, 2, 3 and 5 examples a class; without the whitening 65, 70, 71 and 72 %, with
    features standardised instead 65, 69, 71 and 72 %. The temperature 0.1 of the probabilities had about the
    least log loss for a smaller encoder.

    Args:
        encoder: an encoder, or the name of one as for `STARSEncoder.from_pretrained`.

    Attributes:
        features: (S, D) float32, of the examples.
        example_labels: (S,) int64, their classes.

    >>> from stars_hub import EncoderConfig
    >>> from stars_hub.skeletons.synthetic import synthetic_motion
    >>> encoder = STARSEncoder(EncoderConfig(num_frames=16, embed_dim=16, depth=1, num_heads=2))
    >>> walking, waving = synthetic_motion("walking"), synthetic_motion("waving")
    >>> classifier = PrototypeClassifier(encoder).fit([walking, waving], ["walk", "wave"])
    >>> classifier.predict([waving, walking])
    ['wave', 'walk']
    """

    kind = "prototypes"

    def __init__(self, encoder: STARSEncoder | str | Path) -> None:
        super().__init__(encoder)
        self._set([], torch.empty(0, self.encoder.config.embed_dim), torch.empty(0, dtype=torch.int64))

    @property
    def label_names(self) -> list[str]:
        """The names of the classes, in the order of `predict_proba`'s columns."""
        return list(self._label_names)

    def fit(
        self, sequences: Sequences, labels: Iterable[Any] | None = None, **how: Any
    ) -> "PrototypeClassifier":
        """Take these examples, and forget earlier ones.

        Args:
            sequences: as for `STARSEncoder.encode`.
            labels: one a recording, names or whole numbers; None: those that the recordings bring along, as a
                store and a folder with labels.csv do. Whole numbers count the store's `label_names`, or else
                become names themselves.
            how: batch_size, layout, units, up_axis, device, dtype and progress, as for `STARSEncoder.encode`.

        Returns:
            The classifier itself; if anything fails, with its former examples.

        Raises:
            ConfigError: labels that cannot be, or not as many as recordings.
            SequenceError: no recording, one that shows nobody, or one with an impossible shape or values.
        """
        examples = collect(sequences, labels).of_seen_classes()
        features = self._encode(examples.sequences, how)
        if len(features) != len(examples.labels):
            raise ConfigError(
                f"expected a label for each of {len(features)} recordings, got {len(examples.labels)}"
            )
        self._set(examples.label_names, features, torch.from_numpy(examples.label_ids))
        return self

    def add_class(self, name: str, sequences: Sequences, **how: Any) -> "PrototypeClassifier":
        """Add a class, or examples to a class that there is.

        Args:
            name: of the class; a new one comes last.
            sequences: its examples, as for `STARSEncoder.encode`.
            how: as for `fit`.

        Raises:
            ConfigError: an empty name.
            SequenceError: no recording, one that shows nobody, or one with an impossible shape or values.
        """
        [name] = named_labels([name])
        features = self._encode(sequences, how)
        names = self._label_names if name in self._label_names else [*self._label_names, name]
        new = torch.full((len(features),), names.index(name))
        self._set(names, torch.cat([self.features, features]), torch.cat([self.example_labels, new]))
        return self

    def _history(self) -> str:
        return f"It compares them with {len(self.features)} examples; nothing was trained."

    def _write(self, folder: str | Path, card: "str | checkpoints.ModelCard") -> Path:
        self._checked_head()
        encoder = self.encoder
        objective = {"name": self.kind, "label_names": self._label_names}
        return checkpoints.write_model(
            folder,
            config={**encoder.config.to_dict(), "objective": objective},
            tensors=encoder.state_dict(),
            objective={"features": self.features, "labels": self.example_labels},
            card=card if isinstance(card, str) else card.render(),
            layout=None if encoder.own_layout is None else encoder.own_layout.to_dict(),
        )

    @classmethod
    def _from_folder(cls, folder: Path) -> "PrototypeClassifier":
        classifier = cls(folder)
        source = folder / checkpoints.OBJECTIVE_NAME
        tensors = checkpoints.read_tensors(source)
        names = checkpoints.read_config(folder)["objective"].get("label_names")
        features, labels = tensors.get("features"), tensors.get("labels")
        if (
            not isinstance(names, list)
            or features is None
            or labels is None
            or features.shape != (len(labels), classifier.encoder.config.embed_dim)
            or sorted(set(labels.tolist())) != list(range(len(names)))
        ):
            raise CheckpointError(f"{source} does not hold examples of each of the classes {names}")
        classifier._set([str(name) for name in names], features, labels)
        return classifier

    def _encode(self, sequences: Sequences, how: dict[str, Any]) -> Tensor:
        sequences = opened(sequences)
        layout = how.pop("layout", None) or layout_of(sequences)
        seen = (Sequence(joints, name=name) for name, joints in iter_seen(sequences))
        features = torch.from_numpy(self.encoder.encode(seen, layout=layout, **how))
        if not len(features):
            raise SequenceError("there is no recording to learn from")
        return features

    def _set(self, names: list[str], features: Tensor, labels: Tensor) -> None:
        """All at once, so that a failure before leaves everything as it was."""
        head = PrototypeHead(features, labels, num_classes=len(names)) if names else None
        self._label_names, self.features, self.example_labels, self._head = names, features, labels, head

    def _checked_head(self) -> "PrototypeHead":
        if self._head is None or len(self._label_names) < 2:
            raise ConfigError(
                f"a classifier needs examples of two classes or more, this one has {self._label_names}: "
                "call fit or add_class"
            )
        return self._head

    def _scorer(self) -> nn.Module:
        return nn.Sequential(self.encoder, self._checked_head().to(self.encoder.pos_embed.device))


class PrototypeHead(nn.Module):
    """Scores classes by the angle between whitened features and prototypes.

    Args:
        features: (S, D), of the examples.
        labels: (S,), their classes; each of 0 … K - 1 occurs.
        num_classes: K.

    Shape:
        features (N, D) -> logits (N, K)
    """

    mean: Tensor
    matrix: Tensor
    prototypes: Tensor

    def __init__(self, features: Tensor, labels: Tensor, *, num_classes: int) -> None:
        super().__init__()
        mean, matrix = whitening(features)
        self.register_buffer("mean", mean)
        self.register_buffer("matrix", matrix)
        members = F.one_hot(labels, num_classes).to(features.dtype)
        self.register_buffer("prototypes", F.normalize(members.T @ self._describe(features)))

    def forward(self, features: Tensor) -> Tensor:
        """Score every class, in float32 whatever the encoder computes in."""
        with torch.autocast(features.device.type, enabled=False):
            return self._describe(features.float()) @ self.prototypes.T / _TEMPERATURE

    def _describe(self, features: Tensor) -> Tensor:
        return F.normalize((features - self.mean) @ self.matrix)


def whitening(features: Tensor) -> tuple[Tensor, Tensor]:
    """What takes away the mean and the correlations of features, as far as few of them can tell.

    The covariance is shrunk towards a multiple of the identity by the oracle approximating estimator, which
    is defined for two features already; the matrix is the symmetric inverse root of the result.

    Args:
        features: (S, D).

    Returns:
        mean (D,) and matrix (D, D), for `(features - mean) @ matrix`.

    Reference: Chen et al. 2010 (arXiv 0907.4698), equation 23, as scikit-learn's OAS computes it.
    """
    wide = features.double()
    count, dim = wide.shape
    mean = wide.mean(dim=0)
    covariance = (wide - mean).T @ (wide - mean) / count
    scale = covariance.diagonal().mean()
    if scale <= _LEAST_VARIANCE:  # one example, or all the same: there is nothing to learn from
        return mean.to(features.dtype), torch.eye(dim, dtype=features.dtype)
    above = (covariance.square().mean() + scale.square()).item()
    below = (count + 1) * (covariance.square().mean() - scale.square() / dim).item()
    shrinkage = 1.0 if below <= 0 else min(1.0, above / below)
    shrunk = (1 - shrinkage) * covariance + shrinkage * scale * torch.eye(dim, dtype=wide.dtype)
    variances, axes = torch.linalg.eigh(shrunk)
    matrix = axes @ (axes / variances.sqrt()).T
    return mean.to(features.dtype), matrix.to(features.dtype)
