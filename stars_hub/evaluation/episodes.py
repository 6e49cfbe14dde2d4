"""Few examples: n-way k-shot episodes over features of classes that the encoder was not trained on.

The paper's few-shot protocol is k-NN over classes that pretraining did not see, the 60 actions of NTU-120
that NTU-60 lacks: `evaluate("few_shot", …)` gives both, with the split of that name or with other `classes`.

Reference: STARS (arXiv 2407.10935) section 4.3; episodes: Vinyals et al. 2016 (arXiv 1606.04080), nearest
class mean: Snell et al. 2017 (arXiv 1703.05175).
"""

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from einops import reduce
from torch import Tensor

from stars_hub.errors import ConfigError
from stars_hub.evaluation.knn import knn_classify

Rule = Literal["mean", "knn"]
_EPS = 1e-12


class FewShot(NamedTuple):
    """Accuracy over episodes, in percent.

    Attributes:
        accuracy: mean over the episodes.
        interval: half the width of its 95 % confidence interval, 1.96 standard errors.
        episodes: (E,) the accuracy of each.
    """

    accuracy: float
    interval: float
    episodes: npt.NDArray[np.float64]


def few_shot(
    features: Any,
    labels: Any,
    *,
    test: tuple[Any, Any] | None = None,
    ways: int = 5,
    shots: int = 1,
    queries: int = 15,
    episodes: int = 1000,
    rule: Rule = "mean",
    neighbours: int = 1,
    seed: int = 0,
) -> FewShot:
    """Ask, again and again, which of a few classes a recording is of, from few examples of each.

    Every episode draws `ways` classes, `shots` examples of each, and up to `queries` other recordings of each
    that it asks about. Features are compared by cosine similarity.

    Args:
        features: (N, D) of recordings of known class.
        labels: (N,) whole numbers from 0.
        test: features (Q, D) and labels (Q,) of which the queries are drawn, such as those of other subjects;
            None: queries are drawn of what an episode's examples leave.
        ways: classes of an episode.
        shots: examples of each.
        queries: recordings of each that are asked about; fewer where a class has not so many.
        episodes: how many are drawn.
        rule: "mean": the class whose examples' mean direction is nearest; "knn": the vote of the nearest
            examples, the smallest label winning ties.
        neighbours: examples that vote, for "knn".
        seed: of all draws.

    Raises:
        ConfigError: shapes or settings that cannot be, or too few classes with enough recordings.

    >>> few_shot(np.eye(4)[[0, 0, 1, 1]], [0, 0, 1, 1], ways=2, queries=1, episodes=10).accuracy
    100.0
    """
    least_numbers = {"ways": 2, "shots": 1, "queries": 1, "episodes": 2, "neighbours": 1}
    given = {"ways": ways, "shots": shots, "queries": queries, "episodes": episodes, "neighbours": neighbours}
    for name, number in given.items():
        if number < least_numbers[name]:
            raise ConfigError(f"{name} must be at least {least_numbers[name]}, got {number}")
    if rule not in ("mean", "knn") or neighbours > ways * shots:
        raise ConfigError(
            f"rule must be 'mean' or 'knn' with at most ways · shots neighbours, got {rule!r} and "
            f"{neighbours}"
        )
    known, classes = _unit(features, labels)
    asked, truth = (known, classes) if test is None else _unit(*test)
    members = {label: np.flatnonzero(classes == label) for label in np.unique(classes).tolist()}
    others = members if test is None else {label: np.flatnonzero(truth == label) for label in members}
    least = shots + 1 if test is None else shots
    enough = [label for label, rows in members.items() if len(rows) >= least and len(others[label])]
    if len(enough) < ways:
        raise ConfigError(
            f"{ways}-way {shots}-shot episodes take {ways} classes with at least {least} recordings and one "
            f"to ask about, there are {len(enough)}"
        )
    rng = np.random.default_rng(seed)
    found = np.empty(episodes)
    for episode in range(episodes):
        chosen = np.sort(rng.choice(enough, ways, replace=False)).tolist()
        support = [rng.permutation(members[label]) for label in chosen]
        left = [
            rows[shots:] if test is None else rng.permutation(others[label])
            for label, rows in zip(chosen, support, strict=True)
        ]
        examples = known[np.concatenate([rows[:shots] for rows in support])]
        rows = [rows[:queries] for rows in left]
        places = np.repeat(np.arange(ways), [len(part) for part in rows])
        answers = _answer(asked[np.concatenate(rows)], examples, ways, rule, neighbours)
        found[episode] = 100 * np.mean(answers == places)
    return FewShot(float(found.mean()), float(1.96 * found.std(ddof=1) / np.sqrt(episodes)), found)


def _answer(
    queries: npt.NDArray[Any], examples: npt.NDArray[Any], ways: int, rule: Rule, neighbours: int
) -> npt.NDArray[Any]:
    """The place (Q,) of each query's class among those of an episode; examples (ways · shots, D)."""
    if rule == "mean":
        means = reduce(examples, "(way shot) d -> way d", "mean", way=ways)
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), _EPS)
        answers: npt.NDArray[Any] = (queries @ means.T).argmax(axis=1)
        return answers
    places = np.repeat(np.arange(ways), len(examples) // ways)
    answers = knn_classify(queries, examples, places, ks=[neighbours])[neighbours]
    return np.asarray(answers)


def _unit(features: Any, labels: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Features as arrays of length 1, and their labels."""
    features, labels = (
        given.cpu().numpy() if isinstance(given, Tensor) else np.asarray(given)
        for given in (features, labels)
    )
    if features.ndim != 2 or labels.shape != features.shape[:1] or labels.dtype.kind not in "iu":
        raise ConfigError(
            f"expected features (N, D) and labels (N,), whole numbers, got {features.shape} and "
            f"{labels.shape} of {labels.dtype}"
        )
    if not np.isfinite(features).all():
        raise ConfigError("features are NaN or infinite")
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), _EPS), labels
