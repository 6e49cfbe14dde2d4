"""Every protocol of the papers under one name each: model and recordings in, an `Evaluation` out.

Reference: STARS (arXiv 2407.10935) section 4.3; MAMP (arXiv 2308.07092) section 4.3.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch

from stars_hub.errors import ConfigError
from stars_hub.evaluation.clustering import cluster_metrics
from stars_hub.evaluation.description import FloatArray, Model, Stream, describe, open_encoder
from stars_hub.evaluation.feature_space import Space, feature_space
from stars_hub.evaluation.few_shot import Rule, few_shot
from stars_hub.evaluation.inputs import LabelledSplit, Recordings, open_split
from stars_hub.evaluation.knn import PAPER_KS, knn_classify
from stars_hub.evaluation.probe import linear_probe
from stars_hub.evaluation.results import Evaluation, accuracy, model_name, provenance
from stars_hub.evaluation.streams import ensemble
from stars_hub.evaluation.supervised import evaluate_finetuning, evaluate_semi


def evaluate(
    protocol: str,
    model: Model,
    data: Recordings,
    *,
    test: Recordings | None = None,
    split: str | None = None,
    subjects: Iterable[Any] = (),
    classes: Iterable[Any] = (),
    device: str | torch.device | None = None,
    progress: bool | None = None,
    **settings: Any,
) -> Evaluation:
    """Run a protocol on a model and recordings.

    Args:
        protocol: one of `PROTOCOLS`: "knn", "linear", "few_shot", "clustering", "ensemble", "finetune",
            "semi" or "transfer"; the function of each says which settings it has.
        model: an encoder or its name; "raw", the joints themselves, where nothing is trained.
        data: all recordings, or the training ones where `test` is given.
        test: the test recordings, where they are a store of their own.
        split: the name of a split that the store declares.
        subjects: subjects whose recordings are the test.
        classes: only recordings of these labels, by number or name; all if there are none.
        device: where to compute; None: a GPU if there is one.
        progress: show bars; None: on work that takes longer than two seconds.
        **settings: of the protocol.

    Raises:
        ConfigError: an unknown protocol or setting, or a value that cannot be.
        CheckpointError: the model cannot be found or read.
        StoreError: a store cannot be opened, or knows no such split or label.

    Example::

        evaluate("knn", "models/stars", "stores/ntu60", split="xsub", ks=[1, 5]).metrics
    """
    if protocol not in PROTOCOLS:
        raise ConfigError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {protocol!r}")
    run = PROTOCOLS[protocol]
    known = inspect.signature(run).parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    if not open_ended and (unknown := [name for name in settings if name not in known]):
        names = [name for name in known if name not in ("model", "parts", "device", "progress")]
        raise ConfigError(f"{protocol} has no setting {', '.join(unknown)}; it has {', '.join(names)}")
    subjects, classes = list(subjects), list(classes)
    parts = open_split(data, test, split=split, subjects=subjects, classes=classes)
    result = run(model, parts, device=device, progress=progress, **settings)
    chosen = {"split": split, "held_out_subjects": subjects, "classes": classes}
    result.settings |= {name: value for name, value in chosen.items() if value}
    result.protocol = protocol
    return result


def evaluate_knn(
    model: Model,
    parts: LabelledSplit,
    *,
    ks: Iterable[int] = PAPER_KS,
    features: Space = "pooled",
    shrinkage: float = 0.1,
    stream: Stream = "joint",
    device: str | torch.device | None = None,
    progress: bool | None = None,
) -> Evaluation:
    """k-NN: each test recording gets the class of its nearest training recordings.

    Args:
        model: as for `describe`.
        parts: the recordings.
        ks: numbers of neighbours; predictions are those of the first.
        features: the space in which they are compared: see `feature_space`.
        shrinkage: of "whitened".
        stream: what the encoder sees.
        device: as for `evaluate`.
        progress: as for `evaluate`.

    Returns:
        Metrics "k=1" and so on, accuracies in percent.
    """
    ks = list(ks)
    train, test = _features(model, parts, features, shrinkage, stream, device, progress)
    found = knn_classify(test, train, parts.train_labels, ks=ks)
    return Evaluation(
        protocol="knn",
        metrics={f"k={k}": accuracy(found[k], parts.test_labels) for k in ks},
        settings={"ks": ks, "features": features, "shrinkage": shrinkage, "stream": stream},
        provenance=_provenance(model, parts, device),
        label_names=parts.label_names,
        truth=parts.test_labels,
        predictions=found[ks[0]],
        names=parts.test.names.tolist(),
    )


def evaluate_few_shot(
    model: Model,
    parts: LabelledSplit,
    *,
    ks: Iterable[int] = PAPER_KS,
    ways: int = 5,
    shots: Iterable[int] = (1, 5),
    queries: int = 15,
    episodes: int = 1000,
    rule: Rule = "mean",
    neighbours: int = 1,
    seed: int = 0,
    features: Space = "pooled",
    shrinkage: float = 0.1,
    stream: Stream = "joint",
    device: str | torch.device | None = None,
    progress: bool | None = None,
) -> Evaluation:
    """Few-shot: k-NN over all training recordings of classes new to the encoder, and n-way k-shot episodes.

    Which classes are new, the caller says: the split "few_shot" of an NTU-120 store names the 60 actions that
    NTU-60 lacks, `classes` any others. Examples come from the training part, queries from the test part.

    Args:
        model: as for `describe`.
        parts: the recordings.
        ks: numbers of neighbours.
        ways: as for `few_shot`.
        shots: several numbers of examples, each of which gives a metric.
        queries: as for `few_shot`.
        episodes: as for `few_shot`.
        rule: as for `few_shot`.
        neighbours: as for `few_shot`.
        seed: as for `few_shot`.
        features: as for `evaluate_knn`.
        shrinkage: as for `evaluate_knn`.
        stream: as for `evaluate_knn`.
        device: as for `evaluate`.
        progress: as for `evaluate`.

    Returns:
        Metrics "k=1" and so on, "5-way 1-shot" and "5-way 1-shot ±", half of the 95 % confidence interval.
    """
    shots, ks = list(shots), list(ks)
    train, test = _features(model, parts, features, shrinkage, stream, device, progress)
    found = knn_classify(test, train, parts.train_labels, ks=ks)
    metrics = {f"k={k}": accuracy(found[k], parts.test_labels) for k in ks}
    drawn = {"ways": ways, "queries": queries, "episodes": episodes, "rule": rule, "neighbours": neighbours}
    for count in shots:
        asked = (test, parts.test_labels)
        result = few_shot(train, parts.train_labels, test=asked, shots=count, seed=seed, **drawn)  # type: ignore
        metrics[f"{ways}-way {count}-shot"] = result.accuracy
        metrics[f"{ways}-way {count}-shot ±"] = result.interval
    space = {"features": features, "shrinkage": shrinkage, "stream": stream}
    return Evaluation(
        protocol="few_shot",
        metrics=metrics,
        settings={"ks": ks, "shots": shots, "seed": seed, **drawn, **space},
        provenance=_provenance(model, parts, device),
        label_names=parts.label_names,
        truth=parts.test_labels,
        predictions=found[ks[0]],
        names=parts.test.names.tolist(),
    )


def evaluate_clustering(
    model: Model,
    parts: LabelledSplit,
    *,
    features: Space = "pooled",
    shrinkage: float = 0.1,
    stream: Stream = "joint",
    seed: int = 0,
    epochs: int = 100,
    device: str | torch.device | None = None,
    progress: bool | None = None,
) -> Evaluation:
    """Clustering: how the test recordings' classes lie in the space of features; see `cluster_metrics`."""
    _, test = _features(model, parts, features, shrinkage, stream, device, progress)
    space = {"features": features, "shrinkage": shrinkage, "stream": stream}
    return Evaluation(
        protocol="clustering",
        metrics=cluster_metrics(test, parts.test_labels, seed=seed, epochs=epochs),
        settings={"seed": seed, "epochs": epochs, **space},
        provenance=_provenance(model, parts, device),
        label_names=parts.label_names,
    )


def evaluate_linear(
    model: Model,
    parts: LabelledSplit,
    *,
    device: str | torch.device | None = None,
    progress: bool | None = None,
    augment: bool = True,
    epochs: int = 100,
    batch_size: int = 256,
    lr: float = 0.1,
    crop: tuple[float, float] = (0.5, 1.0),
    rotation: float = 0.3,
    seed: int = 0,
    stream: Stream = "joint",
) -> Evaluation:
    """Linear: a linear layer on the frozen encoder; see `linear_probe`."""
    return linear_probe(
        model,
        parts,
        augment=augment,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        crop=crop,
        rotation=rotation,
        seed=seed,
        stream=stream,
        device=device,
        progress=progress,
    )


def evaluate_ensemble(
    model: Model,
    parts: LabelledSplit,
    *,
    streams: Iterable[Stream] = ("joint", "bone", "motion"),
    models: Mapping[str, Model] | None = None,
    weights: Iterable[float] | None = None,
    device: str | torch.device | None = None,
    progress: bool | None = None,
    **settings: Any,
) -> Evaluation:
    """Ensemble: the linear protocol on several streams, their softmax scores added.

    Args:
        model: for streams that `models` does not name.
        parts: the recordings.
        streams: what the encoders see.
        models: an encoder of its own for a stream, by its name.
        weights: how much each stream counts; None: all the same.
        device: as for `evaluate`.
        progress: as for `evaluate`.
        **settings: of `linear_probe`.
    """
    found = {
        stream: evaluate_linear(
            (models or {}).get(stream, model), parts, stream=stream, device=device, progress=progress, **settings
        )
        for stream in streams
    }
    return ensemble(found, weights=None if weights is None else list(weights))


PROTOCOLS: dict[str, Callable[..., Evaluation]] = {
    "knn": evaluate_knn,
    "linear": evaluate_linear,
    "few_shot": evaluate_few_shot,
    "clustering": evaluate_clustering,
    "ensemble": evaluate_ensemble,
    "finetune": evaluate_finetuning,
    "semi": evaluate_semi,
    "transfer": evaluate_finetuning,
}


def _features(
    model: Model,
    parts: LabelledSplit,
    space: Space,
    shrinkage: float,
    stream: Stream,
    device: str | torch.device | None,
    progress: bool | None,
) -> tuple[FloatArray, FloatArray]:
    """Training and test features in the space in which they are compared."""
    raise NotImplementedError
