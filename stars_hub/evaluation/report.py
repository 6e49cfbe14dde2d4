"""The report of an evaluation: one HTML file that needs nothing else, with the recordings moving in it."""

from collections.abc import Sequence as SequenceOf
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stars_hub._version import __version__
from stars_hub.errors import ConfigError
from stars_hub.evaluation import report_motions, report_results
from stars_hub.evaluation.html import Html, element, join, page
from stars_hub.evaluation.motions import Stage, controls, legend
from stars_hub.evaluation.results import Evaluation
from stars_hub.evaluation.retrieval import Neighbours
from stars_hub.files import output_file
from stars_hub.skeletons.store import SkeletonStore

MAX_BYTES = 10_000_000


def write_report(
    path: str | Path,
    evaluation: Evaluation | SequenceOf[Evaluation],
    *,
    title: str | None = None,
    summary: str | None = None,
    features: npt.ArrayLike | None = None,
    labels: npt.ArrayLike | None = None,
    recordings: SkeletonStore | None = None,
    neighbours: Neighbours | None = None,
    num_recordings: int = 12,
    seed: int = 0,
) -> Path:
    """Write a report as one HTML file of less than 10 MB that loads nothing else; for screen and print.

    It shows the results, what was evaluated and how, the accuracy of each class, the confusion matrix, the
    pairs most often confused and the training curves; with `features` a map of them, with `recordings` and
    `neighbours` skeletons that move and turn. No optional package is needed; with scikit-learn (the extra
    `plots`) the map is t-SNE, without it PCA.

    Args:
        path: the file; appears whole or not at all.
        evaluation: one, or several to be compared.
        title: of the page; None: made of protocol and model.
        summary: a sentence or two below the title.
        features: (N, D), of the test recordings, in the order of the first evaluation's `truth`; None: those
            that the first evaluation holds, if any.
        labels: (N,) of the features; None: the first evaluation's `truth`.
        recordings: of which some, drawn at random, are shown; where their names are those of the first
            evaluation, what it took them for stands beside them.
        neighbours: queries and what was found for them (`find_neighbours`).
        num_recordings: how many recordings are shown.
        seed: of the draw.

    Raises:
        ConfigError: nothing to report on, lengths that do not fit together, a page of more than 10 MB, or a
            file that cannot be written.
    """
    evaluations = [evaluation] if isinstance(evaluation, Evaluation) else list(evaluation)
    if not evaluations:
        raise ConfigError("a report needs at least one evaluation")
    first = evaluations[0]
    title = title or f"{report_results.protocol_name(first)} of {first.provenance.get('model', 'features')}"
    stage = Stage()
    moving = join(
        report_motions.samples(stage, recordings, first, count=num_recordings, seed=seed)
        if recordings is not None
        else None,
        report_motions.neighbours(stage, neighbours) if neighbours is not None else None,
    )
    body = join(
        element("h1", title),
        summary and element("p", summary, class_="lead"),
        report_results.results(evaluations),
        moving and join(element("h2", "The recordings"), controls(), legend(), moving),
        _feature_map(first, first.features if features is None else features, labels),
        *(report_results.details(each, alone=len(evaluations) == 1) for each in evaluations),
        report_results.origin(evaluations),
        element("p", f"Written by stars_hub {__version__}.", class_="note"),
    )
    return _write(Path(path), page(title, element("main", body), motions=stage.content if moving else None))


def _feature_map(
    evaluation: Evaluation, features: npt.ArrayLike | None, labels: npt.ArrayLike | None
) -> Html | None:
    if features is None:
        return None
    labels = evaluation.truth if labels is None else np.asarray(labels)
    count = len(np.asarray(features))
    if labels is None or len(labels) != count:
        raise ConfigError(
            f"expected a label for each of {count} features, got {'none' if labels is None else len(labels)}"
        )
    return report_results.feature_map(np.asarray(features), labels, evaluation.label_names)


def _write(path: Path, text: str) -> Path:
    content = text.encode()
    if len(content) > MAX_BYTES:
        raise ConfigError(
            f"{path}: the page would have {len(content):,} bytes, more than {MAX_BYTES:,}: "
            "report on fewer evaluations or show fewer recordings"
        )
    with output_file(path) as temporary:
        temporary.write_bytes(content)
    return path
