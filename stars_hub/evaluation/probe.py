"""The linear protocol: how well one linear layer tells the classes apart, the encoder frozen.

Reference: STARS (arXiv 2407.10935) section 4.3; MAMP (arXiv 2308.07092) section 4.3.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stars_hub.evaluation.description import (
    Model,
    Stream,
    as_stream,
    check_stream,
    describe,
    open_encoder,
)
from stars_hub.evaluation.inputs import LabelledSplit, Recordings, open_split
from stars_hub.evaluation.linear import (
    MOMENTUM,
    Batches,
    CachedFeatures,
    Features,
    check_recipe,
    new_head,
    train_head,
)
from stars_hub.evaluation.results import Evaluation, model_name, provenance, score_metrics
from stars_hub.model.encoder import STARSEncoder
from stars_hub.training.data import check_layout
from stars_hub.training.monitor import clip_settings
from stars_hub.transforms.loader import BatchLoader


def linear_probe(
    model: Model,
    train: Recordings | LabelledSplit,
    test: Recordings | None = None,
    *,
    augment: bool = True,
    epochs: int = 100,
    batch_size: int = 256,
    lr: float = 0.1,
    crop: tuple[float, float] = (0.5, 1.0),
    rotation: float = 0.3,
    class_weights: Tensor | Sequence[float] | None = None,
    seed: int = 0,
    stream: Stream = "joint",
    device: str | torch.device | None = None,
    progress: bool | None = None,
) -> Evaluation:
    """Train a linear layer on a frozen encoder and test it: SGD, momentum 0.9, no decay, cosine to 0.

    The defaults are the paper's for NTU RGB+D. It has batch size 64 for PKU-MMD I, and 16 with lr 0.01 for
    PKU-MMD II. The accuracy is that after the last epoch; the curve shows the others.

    Args:
        model: the encoder, or its name.
        train: labelled recordings of the encoder's layout to learn from; or both parts at once.
        test: labelled recordings to be asked about, their labels matched by name.
        augment: crop and rotate training recordings at random and encode them anew in every epoch, as the
            paper does; else each is encoded once, about `epochs` times faster.
        epochs: passes over the training recordings.
        batch_size: recordings a step, at least 2; an incomplete last batch is left out.
        lr: learning rate at the start.
        crop: part of the frames that is kept at random, low to high.
        rotation: largest random rotation about each axis, in radians.
        class_weights: (K,), how much a recording of each class counts.
        seed: of the layer's start, the order and the augmentation.
        stream: what the encoder sees: the joints, their bones, or the motion of either.
        device: where to compute; None: a GPU if there is one; an encoder that is given stays where it is.
        progress: show a bar; None: if encoding takes longer than two seconds.

    Returns:
        Metrics "accuracy" and, with more than five classes, "top-5"; scores are logits.

    Raises:
        ConfigError: a setting that cannot be, or no labelled recordings.
        LayoutError: `augment` with recordings of another layout than the encoder's.
    """
    encoder = open_encoder(model, device)
    parts = train if isinstance(train, LabelledSplit) else open_split(train, test)
    weights = None if class_weights is None else torch.as_tensor(class_weights, dtype=torch.float32)
    check_stream(encoder, stream)
    check_recipe(
        epochs=epochs,
        batch_size=batch_size,
        num_features=len(parts.train),
        num_classes=len(parts.label_names),
        class_weights=weights,
    )
    size = min(batch_size, len(parts.train))
    changes: dict[str, Any] = {"crop": crop, "rotation": rotation} if augment else {}
    if augment:
        batches, features = _encoded_anew(encoder, parts, size, stream=stream, seed=seed, **changes)
    else:
        batches, features = _encoded_once(encoder, parts, size, stream=stream, seed=seed, progress=progress)
    scores, curves = _train_and_score(
        batches,
        (features, parts.test_labels),
        num_classes=len(parts.label_names),
        device=encoder.pos_embed.device,
        seed=seed,
        epochs=epochs,
        lr=lr,
        class_weights=weights,
        progress=progress,
    )
    settings = {
        "augment": augment, "epochs": epochs, "batch_size": size, "lr": lr, "momentum": MOMENTUM,
        "seed": seed, "stream": stream, **changes,
        "class_weights": None if weights is None else weights.tolist(),
    }  # fmt: skip
    source = provenance(model_name(model), parts.fingerprints, parts.counts, device=encoder.pos_embed.device)
    return Evaluation(
        protocol="linear",
        metrics=score_metrics(scores, parts.test_labels),
        settings=settings,
        provenance=source,
        label_names=parts.label_names,
        truth=parts.test_labels,
        predictions=scores.argmax(axis=1),
        scores=scores,
        names=parts.test.names.tolist(),
        features=features,
        curves=curves,
    )


def _encoded_anew(
    encoder: STARSEncoder, parts: LabelledSplit, size: int, *, stream: Stream, **how: Any
) -> tuple[Batches, np.ndarray]:
    """Training recordings that look different in every epoch, and the features (Q, D) of the test."""
    for part in (parts.train, parts.test):
        check_layout(part.layout, encoder.config)
    batches = AugmentedRecordings(encoder, parts, size, stream=stream, **how)
    return batches, describe(encoder, parts.test, stream=stream, progress=False)


def _encoded_once(
    encoder: STARSEncoder,
    parts: LabelledSplit,
    size: int,
    *,
    stream: Stream,
    seed: int,
    progress: bool | None,
) -> tuple[Batches, np.ndarray]:
    """Features of the training recordings, and those (Q, D) of the test."""
    known, asked = (
        describe(encoder, part, stream=stream, progress=progress) for part in (parts.train, parts.test)
    )
    device = encoder.pos_embed.device
    features, labels = torch.from_numpy(known).to(device), torch.from_numpy(parts.train_labels).to(device)
    return CachedFeatures(features, labels, size, seed), asked


def _train_and_score(
    batches: Batches,
    test: tuple[np.ndarray, np.ndarray],
    *,
    num_classes: int,
    device: torch.device,
    seed: int,
    **how: Any,
) -> tuple[np.ndarray, dict[str, list[float]]]:
    """Logits (Q, K) of the test by the trained layer, and what each epoch told."""
    features, labels = (torch.from_numpy(part).to(device) for part in test)
    curves: dict[str, list[float]] = {}

    def note(epoch: int, numbers: dict[str, float]) -> None:
        for name, value in numbers.items():
            curves.setdefault(name, []).append(value)

    head = new_head(features.shape[1], num_classes, seed).to(device)
    train_head(head, batches, validation=(features, labels), on_epoch=note, **how)
    with torch.inference_mode():
        scores = head(features).float().cpu().numpy()
    return scores, curves


class AugmentedRecordings:
    """Recordings cropped and rotated at random, and encoded as they then are."""

    def __init__(
        self,
        encoder: STARSEncoder,
        parts: LabelledSplit,
        size: int,
        *,
        stream: Stream,
        crop: tuple[float, float],
        rotation: float,
        seed: int,
    ) -> None:
        self.encoder, self.parts, self.stream = encoder.eval(), parts, stream
        self.loader = BatchLoader(
            parts.train,
            batch_size=size,
            crop=crop,
            rotation=rotation,
            seed=seed,
            **clip_settings(encoder.config),
        )

    def __len__(self) -> int:
        return len(self.loader)

    def epoch(self, number: int) -> Iterator[Features]:
        """The features of all recordings as they look in one epoch."""
        self.loader.set_epoch(number)
        weight = self.encoder.pos_embed
        for batch in self.loader:
            with torch.no_grad():
                x = as_stream(batch.x.to(weight.device, weight.dtype), self.stream, self.encoder)
                features = self.encoder(x).float()
            yield features, torch.from_numpy(self.parts.number(batch.labels.numpy())).to(weight.device)
