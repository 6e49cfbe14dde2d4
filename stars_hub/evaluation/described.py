"""Both parts of a split as features in one space: what k-NN, few-shot and clustering work on."""

from dataclasses import dataclass
from typing import Any

import torch

from stars_hub.evaluation.description import (
    FloatArray,
    Model,
    Stream,
    check_stream,
    describe,
    is_raw,
    open_encoder,
    raw_features,
)
from stars_hub.evaluation.feature_space import Space, check_space, feature_space
from stars_hub.evaluation.inputs import LabelledSplit
from stars_hub.evaluation.results import Evaluation, model_name, provenance
from stars_hub.model.encoder import STARSEncoder


@dataclass(frozen=True)
class DescribedSplit:
    """Labelled features.

    Attributes:
        parts: the recordings.
        train: (N, D), features of the training recordings.
        test: (Q, D), features of the test recordings.
        settings: how they were made.
        provenance: of what.
    """

    parts: LabelledSplit
    train: FloatArray
    test: FloatArray
    settings: dict[str, Any]
    provenance: dict[str, Any]

    def evaluation(
        self, protocol: str, metrics: dict[str, float], settings: dict[str, Any], predictions: Any = None
    ) -> Evaluation:
        """Put what a protocol found together with where it comes from."""
        return Evaluation(
            protocol=protocol,
            metrics=metrics,
            settings={**settings, **self.settings},
            provenance=self.provenance,
            label_names=self.parts.label_names,
            truth=self.parts.test_labels,
            predictions=predictions,
            names=self.parts.test.names.tolist(),
            features=self.test,
        )


def describe_split(
    model: Model,
    parts: LabelledSplit,
    *,
    features: Space = "pooled",
    shrinkage: float = 0.1,
    stream: Stream = "joint",
    batch_size: int = 64,
    device: str | torch.device | None = None,
    progress: bool | None = None,
) -> DescribedSplit:
    """Compute the features of all recordings, in the space in which they are to be compared.

    Args:
        model: as for `describe`.
        parts: the recordings.
        features: "pooled", "z", "standardised" or "whitened": see `feature_space`.
        shrinkage: of "whitened".
        stream: what the encoder sees.
        batch_size: recordings at a time.
        device: as for `open_encoder`.
        progress: show a bar; None: if it takes longer than two seconds.

    Raises:
        ConfigError: a setting that cannot be.
    """
    name = None if isinstance(model, STARSEncoder) else model
    check_space(features, model=name, shrinkage=shrinkage)
    check_stream(model, stream)
    work: dict[str, Any] = {"batch_size": batch_size, "progress": progress}
    if is_raw(model):
        encoder = None
        persons = min(max(part.max_persons for part in (parts.train, parts.test)), 2)
        alike: dict[str, Any] = {"layout": parts.train.layout, "num_persons": persons, **work}
        train, test = (raw_features(part, **alike) for part in (parts.train, parts.test))
    else:
        encoder = open_encoder(model, device)
        train, test = (describe(encoder, part, stream=stream, **work) for part in (parts.train, parts.test))
    change = feature_space(features, train, model=name, shrinkage=shrinkage)
    settings: dict[str, Any] = {"features": features, "stream": stream}
    if features == "whitened":
        settings["shrinkage"] = shrinkage
    where = "cpu" if encoder is None else encoder.pos_embed.device
    return DescribedSplit(
        parts,
        change(train),
        change(test),
        settings,
        provenance(model_name(model), parts.fingerprints, parts.counts, device=where),
    )
