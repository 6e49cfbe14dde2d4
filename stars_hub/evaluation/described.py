"""Both parts of a split as features in one space: what k-NN, few-shot and clustering work on."""

from dataclasses import dataclass
from typing import Any

import torch

from stars_hub.errors import ConfigError
from stars_hub.evaluation.description import RAW, FloatArray, Model, Stream, describe, open_encoder
from stars_hub.evaluation.feature_space import SPACES, Space, feature_space
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
        asked = predictions is not None
        return Evaluation(
            protocol=protocol,
            metrics=metrics,
            settings={**settings, **self.settings},
            provenance=self.provenance,
            label_names=self.parts.label_names,
            truth=self.parts.test_labels if asked else None,
            predictions=predictions,
            names=self.parts.test.names.tolist() if asked else None,
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
    if features not in SPACES:
        raise ConfigError(f"features must be one of {', '.join(SPACES)}, got {features!r}")
    encoder = model if str(model) == RAW else open_encoder(model, device)
    train, test = (
        describe(encoder, part, stream=stream, batch_size=batch_size, progress=progress)
        for part in (parts.train, parts.test)
    )
    change = feature_space(
        features, train, model=None if isinstance(model, STARSEncoder) else model, shrinkage=shrinkage
    )
    settings: dict[str, Any] = {"features": features, "stream": stream}
    if features == "whitened":
        settings["shrinkage"] = shrinkage
    where = encoder.pos_embed.device if isinstance(encoder, STARSEncoder) else "cpu"
    return DescribedSplit(
        parts,
        change(train),
        change(test),
        settings,
        provenance(model_name(model), parts.fingerprints, parts.counts, device=where),
    )
