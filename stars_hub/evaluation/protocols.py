"""Every protocol of the papers under one name each: model and recordings in, an `Evaluation` out.

Reference: STARS (arXiv 2407.10935) section 4.3; MAMP (arXiv 2308.07092) section 4.3.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch

from stars_hub.errors import ConfigError
from stars_hub.evaluation.clustering import cluster_metrics
from stars_hub.evaluation.described import DescribedSplit, describe_split
from stars_hub.evaluation.description import Model, Stream, check_stream
from stars_hub.evaluation.episodes import Rule, few_shot
from stars_hub.evaluation.inputs import LabelledSplit, Recordings, open_split
from stars_hub.evaluation.knn import PAPER_KS, knn_classify
from stars_hub.evaluation.probe import linear_probe
from stars_hub.evaluation.results import Evaluation, accuracy
from stars_hub.evaluation.streams import check_weights, ensemble
from stars_hub.evaluation.supervised import evaluate_finetuning, evaluate_semi, finetune_settings
from stars_hub.neighbours import fitting_ks


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
        protocol: "knn", "few_shot" or "clustering", which take the settings of `describe_split` too;
            "linear", "ensemble", "finetune", "semi" or "transfer". The settings of each are those of the
            function that `PROTOCOLS` names.
        model: an encoder or its name; for the first three also "raw", the joints themselves.
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
    _check_settings(protocol, settings)
    subjects, classes = list(subjects), list(classes)
    parts = open_split(data, test, split=split, subjects=subjects, classes=classes)
    place: dict[str, Any] = {"device": device, "progress": progress}
    run = PROTOCOLS[protocol]
    if run in _ON_FEATURES:
        space: dict[str, Any] = {
            name: settings.pop(name) for name in _names(describe_split) & settings.keys()
        }
        result = run(describe_split(model, parts, **space, **place), **settings)
    else:
        result = run(model, parts, **settings, **place)
    chosen = {"split": split, "held_out_subjects": subjects, "classes": classes}
    result.settings |= {name: value for name, value in chosen.items() if value}
    result.protocol = protocol
    return result


def evaluate_knn(described: DescribedSplit, *, ks: Iterable[int] | None = None) -> Evaluation:
    """k-NN: each test recording gets the class of its nearest training recordings.

    Args:
        described: features of the recordings.
        ks: numbers of neighbours; predictions are those of the first. None: those of the paper, 1, 2, 5 and
            10, of which there are so many training recordings.

    Returns:
        Metrics "k=1" and so on, accuracies in percent.

    Raises:
        ConfigError: a number below 1 or above that of the training recordings.
    """
    parts = described.parts
    ks = fitting_ks(PAPER_KS, len(described.train)) if ks is None else list(ks)
    found = knn_classify(described.test, described.train, parts.train_labels, ks=ks)
    metrics = {f"k={k}": accuracy(found[k], parts.test_labels) for k in ks}
    return described.evaluation("knn", metrics, {"ks": ks}, found[ks[0]])


def evaluate_few_shot(
    described: DescribedSplit,
    *,
    ks: Iterable[int] | None = None,
    ways: int = 5,
    shots: Iterable[int] = (1, 5),
    queries: int = 15,
    episodes: int = 1000,
    rule: Rule = "mean",
    neighbours: int = 1,
    seed: int = 0,
) -> Evaluation:
    """Few-shot: k-NN over all training recordings of classes new to the encoder, and n-way k-shot episodes.

    Which classes are new, the caller says: the split "few_shot" of an NTU-120 store names the 60 actions that
    NTU-60 lacks, `classes` any others. Examples come from the training part, queries from the test part.

    Args:
        described: features of the recordings.
        ks: as for `evaluate_knn`.
        ways: classes of an episode.
        shots: several numbers of examples of each class; each gives a metric.
        queries: as for `few_shot`.
        episodes: as for `few_shot`.
        rule: as for `few_shot`.
        neighbours: as for `few_shot`.
        seed: as for `few_shot`.

    Returns:
        Metrics "k=1" and so on, "5-way 1-shot" and "5-way 1-shot ±", half the 95 % confidence interval.
    """
    shots, parts = list(shots), described.parts
    nearest = evaluate_knn(described, ks=ks)
    draw = partial(
        few_shot,
        described.train,
        parts.train_labels,
        test=(described.test, parts.test_labels),
        ways=ways,
        queries=queries,
        episodes=episodes,
        rule=rule,
        neighbours=neighbours,
        seed=seed,
    )
    metrics = dict(nearest.metrics)
    for count in shots:
        result = draw(shots=count)
        metrics[f"{ways}-way {count}-shot"] = result.accuracy
        metrics[f"{ways}-way {count}-shot ±"] = result.interval
    settings = {
        "ks": nearest.settings["ks"],
        "shots": shots,
        **{name: value for name, value in draw.keywords.items() if name != "test"},
    }
    return described.evaluation("few_shot", metrics, settings, nearest.predictions)


def evaluate_clustering(described: DescribedSplit, *, seed: int = 0, epochs: int = 100) -> Evaluation:
    """Clustering: how the test recordings' classes lie to each other; see `cluster_metrics`."""
    metrics = cluster_metrics(described.test, described.parts.test_labels, seed=seed, epochs=epochs)
    return described.evaluation("clustering", metrics, {"seed": seed, "epochs": epochs})


def evaluate_ensemble(
    model: Model,
    parts: LabelledSplit,
    *,
    streams: Iterable[Stream] = ("joint", "bone", "motion"),
    models: Mapping[str, Model] | None = None,
    weights: Iterable[float] | None = None,
    **settings: Any,
) -> Evaluation:
    """Ensemble: the linear protocol on several streams, their softmax scores added.

    Args:
        model: for streams that `models` does not name.
        parts: the recordings.
        streams: what the encoders see.
        models: an encoder of its own for a stream, by its name.
        weights: how much each stream counts; None: all the same.
        **settings: of `linear_probe`.

    Raises:
        ConfigError: an unknown stream, fewer than two, a model for none of them, or weights that cannot be.
    """
    streams = list(streams)
    by_stream: dict[Any, Model] = {**dict.fromkeys(streams, model), **(models or {})}
    weights = None if weights is None else list(weights)
    if unused := sorted(by_stream.keys() - set(streams)):
        raise ConfigError(f"models names {', '.join(unused)}, which is none of the streams {streams}")
    for stream, own in by_stream.items():
        check_stream(own, stream)
    check_weights(len(by_stream), weights)
    found: dict[str, Evaluation] = {
        stream: linear_probe(own, parts, stream=stream, **settings) for stream, own in by_stream.items()
    }
    return ensemble(found, weights=weights)


PROTOCOLS: dict[str, Callable[..., Evaluation]] = {
    "knn": evaluate_knn,
    "few_shot": evaluate_few_shot,
    "clustering": evaluate_clustering,
    "linear": linear_probe,
    "ensemble": evaluate_ensemble,
    "finetune": evaluate_finetuning,
    "semi": evaluate_semi,
    "transfer": evaluate_finetuning,
}
_ON_FEATURES = (evaluate_knn, evaluate_few_shot, evaluate_clustering)


def _names(function: Callable[..., Any]) -> set[str]:
    """The keyword arguments of a function that are settings of a protocol."""
    parameters = inspect.signature(function).parameters.values()
    names = {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
    return names - {"device", "progress"}


def _check_settings(protocol: str, settings: Mapping[str, Any]) -> None:
    run = PROTOCOLS[protocol]
    known = _names(run) | (_names(describe_split) if run in _ON_FEATURES else set())
    if run is evaluate_ensemble:
        known |= _names(linear_probe) - {"stream"}
    elif run in (evaluate_finetuning, evaluate_semi):
        known |= finetune_settings()
    if unknown := sorted(settings.keys() - known):
        raise ConfigError(
            f"{protocol} has no setting {', '.join(unknown)}; it has {', '.join(sorted(known))}"
        )
