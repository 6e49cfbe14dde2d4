"""The parts of a report that hold still: tables, classes, confusions, curves, the map of features."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from stars_hub.errors import MissingExtraError
from stars_hub.evaluation.clustering import NOT_PERCENT
from stars_hub.evaluation.drawings import confusion_svg, lines_svg, scatter_svg
from stars_hub.evaluation.embedding import choose_samples, embed
from stars_hub.evaluation.html import Html, element, join, table
from stars_hub.evaluation.results import Evaluation

_NAMES = {
    "knn": "k-NN classification",
    "linear": "Linear probe",
    "finetune": "Fine-tuning",
    "semi": "Semi-supervised fine-tuning",
    "transfer": "Transfer",
    "few_shot": "Few-shot classification",
    "clustering": "Clustering",
    "ensemble": "Ensemble",
}


def protocol_name(evaluation: Evaluation) -> str:
    """The protocol as a reader says it."""
    return _NAMES.get(evaluation.protocol, evaluation.protocol)


def results(evaluations: list[Evaluation]) -> Html:
    """The numbers, one row a metric; of several evaluations one column each."""
    names = list(dict.fromkeys(name for each in evaluations for name in each.metrics))
    rows: list[list[str | None]] = [
        [name, *(_number(each.metrics.get(name)) for each in evaluations)] for name in names
    ]
    heads = ["", *(_heading(each, evaluations) for each in evaluations)]
    counted = [
        " and ".join(f"{value} {name}" for name, value in _counts(each).items()) for each in evaluations
    ]
    told = "; ".join(dict.fromkeys(filter(None, counted)))
    shares = [name for name in names if name in NOT_PERCENT]
    caption = f"In percent, but for {', '.join(shares)}." if shares else "Accuracies in percent."
    return join(
        element("h2", "Results"),
        element("div", table(heads, rows, caption=caption), class_="results wide"),
        element("p", f"{told[:1].upper()}{told[1:]}.", class_="note") if told else None,
    )


def details(evaluation: Evaluation, *, alone: bool) -> Html:
    """What lies below the numbers of one evaluation."""
    parts: list[Html] = []
    if evaluation.truth is not None and evaluation.predictions is not None and len(evaluation.truth):
        parts += [_classes(evaluation), _confusion(evaluation), _pairs(evaluation)]
    if evaluation.curves:
        panels = [lines_svg(name, values) for name, values in evaluation.curves.items() if values]
        parts += [element("h3", "Curves"), element("div", *panels, class_="panels")]
    if parts and evaluation.protocol == "semi":
        parts.insert(0, element("p", "All of this is the first run's.", class_="note"))
    title = "In detail" if alone else f"In detail: {_title(evaluation)}"
    return join(element("h2", title), *parts) if parts else Html()


def feature_map(features: np.ndarray, labels: np.ndarray, label_names: list[str]) -> Html:
    """The features in the plane: t-SNE, or PCA where scikit-learn is missing."""
    heading = element("h2", "Map of the features")
    chosen = choose_samples(labels) if (labels >= 0).any() else np.empty(0, dtype=int)
    if len(chosen) < 5:
        return join(heading, element("p", "Too few labelled recordings for a map.", class_="note"))
    told = f"{len(chosen)} recordings of {len(np.unique(labels[chosen]))} classes, at most 100 of each. "
    try:
        points = embed(features[chosen])
        told += "t-SNE, initialised by PCA, seed 42: who is near is alike; distances far apart say little."
    except MissingExtraError as error:
        points = embed(features[chosen], method="pca")
        told += f"The two largest principal components. For t-SNE, {error}."
    drawn = scatter_svg(points, labels[chosen], label_names, label="Map of the features, a mark a recording")
    return join(heading, element("p", told, class_="note"), element("div", drawn, class_="wide"))


def origin(evaluations: list[Evaluation]) -> Html:
    """What was evaluated, and how: provenance and settings."""
    parts = [element("h2", "What was evaluated, and how")]
    for each in evaluations:
        if len(evaluations) > 1:
            parts.append(element("h3", _title(each)))
        for name, content in (("Provenance", each.provenance), ("Settings", each.settings)):
            rows: list[list[str | None]] = [[key, value] for key, value in _flat(content)]
            if rows:
                parts.append(element("div", table([name, ""], rows), class_="wide"))
    return join(*parts)


def _classes(evaluation: Evaluation) -> Html:
    totals = evaluation.confusion().sum(axis=1)
    counts = dict(zip(evaluation.label_names, totals.tolist(), strict=True))
    items = []
    for name, percent in sorted(evaluation.per_class().items(), key=lambda item: item[1]):
        bar = element(
            "span", element("span", style=f"width:{percent:.1f}%"), class_="bar", aria_hidden="true"
        )
        cells = [
            element("span", name),
            bar,
            element("span", f"{percent:.1f} %", class_="number"),
            element("span", f"of {counts[name]}", class_="of"),
        ]
        items.append(element("li", *cells))
    told = "Share of each class's test recordings that were recognised, the hardest class first."
    return join(
        element("h3", "Accuracy by class"),
        element("p", told, class_="note"),
        element("ol", *items, class_="classes"),
    )


def _confusion(evaluation: Evaluation) -> Html:
    told = (
        "Rows are the true classes, columns what they were taken for, in percent of the row; the diagonal, "
        "in another colour, is right."
    )
    drawn = confusion_svg(evaluation.confusion(), evaluation.label_names)
    return join(
        element("h3", "Confusion matrix"),
        element("p", told, class_="note"),
        element("div", drawn, class_="wide"),
    )


def _pairs(evaluation: Evaluation) -> Html:
    totals = evaluation.confusion().sum(axis=1)
    counts = dict(zip(evaluation.label_names, totals.tolist(), strict=True))
    rows: list[list[str | None]] = [
        [truth, guess, f"{count} of {counts[truth]}"] for truth, guess, count in evaluation.hardest_pairs(10)
    ]
    shown = (
        table(["true class", "taken for", "how often"], rows)
        if rows
        else element("p", "No test recording was taken for another class.")
    )
    return join(element("h3", "Most often confused"), shown)


def _heading(evaluation: Evaluation, evaluations: list[Evaluation]) -> str:
    return _title(evaluation) if len(evaluations) > 1 else protocol_name(evaluation)


def _title(evaluation: Evaluation) -> str:
    model = evaluation.provenance.get("model")
    return f"{protocol_name(evaluation)}, {model}" if model else protocol_name(evaluation)


def _counts(evaluation: Evaluation) -> dict[str, Any]:
    counts = evaluation.provenance.get("counts")
    return dict(counts) if isinstance(counts, Mapping) else {}


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f}" if abs(value) >= 1 or value == 0 else f"{value:.3g}"


def _flat(content: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as rows: {"a": {"b": 1}} is ("a: b", "1")."""
    rows: list[tuple[str, str]] = []
    for key, value in content.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}: ")
        else:
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            rows.append((f"{prefix}{key}", shown))
    return rows
