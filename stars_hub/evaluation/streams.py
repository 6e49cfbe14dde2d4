"""Several evaluations of one test set as one: the score ensemble of joint, bone and motion streams.

Reference: two streams of joints and bones: Shi et al. 2019 (arXiv 1805.07694).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from stars_hub.errors import ConfigError
from stars_hub.evaluation.results import Evaluation, provenance, score_metrics


def ensemble(evaluations: Mapping[str, Evaluation], *, weights: Sequence[float] | None = None) -> Evaluation:
    """Add the softmax scores of evaluations of one test set.

    Args:
        evaluations: by stream, such as {"joint": …, "bone": …}; all with scores, of the same recordings.
        weights: how much each counts, in that order; None: all the same.

    Returns:
        Metrics of the sum and, as "joint accuracy" and the like, of each stream; scores are the weighted mean
        of the streams' probabilities.

    Raises:
        ConfigError: fewer than two evaluations, scores or names that lack, different test sets, or weights
            that cannot be.
    """
    parts = list(evaluations.values())
    weighted = check_weights(len(parts), weights)
    first = parts[0]
    for name, part in evaluations.items():
        if part.scores is None or part.truth is None or first.truth is None:
            raise ConfigError(f"the {part.protocol} evaluation of {name} holds no scores to be added")
        if (
            part.names != first.names
            or part.label_names != first.label_names
            or (not np.array_equal(part.truth, first.truth))
        ):
            raise ConfigError(
                f"{name} was evaluated on other recordings or classes than {next(iter(evaluations))}"
            )
    total = sum(
        weight * _softmax(part.scores)
        for weight, part in zip(weighted, parts, strict=True)
        if part.scores is not None
    )
    scores = np.asarray(total, dtype=np.float32)
    truth = np.asarray(first.truth)
    alone = {
        f"{name} accuracy": score_metrics(part.scores, truth)["accuracy"]
        for name, part in evaluations.items()
        if part.scores is not None
    }
    return Evaluation(
        protocol="ensemble",
        metrics={**score_metrics(scores, truth), **alone},
        settings={
            "weights": dict(zip(evaluations, weighted.tolist(), strict=True)),
            "streams": {
                name: {"protocol": part.protocol, **part.settings} for name, part in evaluations.items()
            },
        },
        provenance={
            **provenance(
                " + ".join(str(part.provenance.get("model", "?")) for part in parts),
                first.provenance.get("data", {}),
                first.provenance.get("counts", {}),
                device=str(first.provenance.get("device", "cpu")),
            ),
            "streams": {name: part.provenance for name, part in evaluations.items()},
        },
        label_names=first.label_names,
        truth=truth,
        predictions=scores.argmax(axis=1),
        scores=scores,
        names=first.names,
    )


def check_weights(count: int, weights: Sequence[float] | None) -> np.ndarray:
    """How much each of several evaluations counts, in all 1.

    Raises:
        ConfigError: fewer than two evaluations, or weights that cannot be.
    """
    weighted = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    if count < 2 or weighted.shape != (count,) or not (weighted >= 0).all() or not weighted.sum() > 0:
        raise ConfigError(
            f"expected two or more evaluations and a weight of at least 0 for each, got {count} and "
            f"{weighted.tolist()}"
        )
    shares: np.ndarray = weighted / weighted.sum()
    return shares


def _softmax(scores: np.ndarray) -> np.ndarray:
    grown = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    shares: np.ndarray = grown / grown.sum(axis=1, keepdims=True)
    return shares
