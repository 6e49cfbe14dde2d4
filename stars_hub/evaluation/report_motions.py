"""The parts of a report in which skeletons move."""

from collections import Counter

import numpy as np

from stars_hub.evaluation.html import Html, element, join
from stars_hub.evaluation.motions import Caption, Stage, gallery
from stars_hub.evaluation.results import Evaluation
from stars_hub.evaluation.retrieval import Neighbours
from stars_hub.skeletons.store import SkeletonStore


def samples(
    stage: Stage, recordings: SkeletonStore, evaluation: Evaluation, *, count: int, seed: int
) -> Html | None:
    """Some recordings drawn at random, of as many classes as can be, with what they were taken for."""
    if not len(recordings) or count < 1:
        return None
    taken_for = answers(evaluation, recordings.names.tolist())
    figures = []
    for index in draw_samples(recordings.labels, count=count, seed=seed):
        recording = recordings[int(index)]
        lines, verdict = [recording.name], None
        if int(index) in taken_for:
            predicted, verdict = taken_for[int(index)]
            lines.append("recognised" if verdict else f"wrong: taken for {predicted}")
        caption = Caption(label_name(recordings, int(index)), tuple(lines), verdict)
        figures.append(stage.show(recording.joints, recordings.layout, fps=recordings.fps, caption=caption))
    told = f"{len(figures)} of {len(recordings)} recordings, drawn at random."
    return join(element("h3", "Samples"), element("p", told, class_="note"), gallery(figures))


def neighbours(stage: Stage, found: Neighbours) -> Html | None:
    """Each query beside what is nearest to it."""
    if not len(found.queries):
        return None
    rows = []
    for row, query in enumerate(found.queries):
        truth = label_name(found.queries, row)
        caption = Caption(truth, (f"query {row + 1}: {query.name}",))
        shown = stage.show(query.joints, found.queries.layout, fps=found.queries.fps, caption=caption)
        figures = []
        pairs = zip(found.nearest[row].tolist(), found.similarity[row].tolist(), strict=True)
        for rank, (index, similarity) in enumerate(pairs, start=1):
            name, near = label_name(found.bank, index), found.bank[index]
            right = name == truth
            lines = (f"{rank}. {near.name}", f"{'same' if right else 'other'} class, cosine {similarity:.3f}")
            caption = Caption(name, lines, right)
            figures.append(stage.show(near.joints, found.bank.layout, fps=found.bank.fps, caption=caption))
        rows.append(element("div", shown, gallery(figures), class_="query"))
    told = (
        f"Drawn at random, each beside the {found.nearest.shape[1]} most similar of {len(found.bank)} "
        "recordings. A dashed frame marks one of another class."
    )
    return join(element("h3", "Nearest neighbours"), element("p", told, class_="note"), *rows)


def draw_samples(labels: np.ndarray, *, count: int, seed: int) -> np.ndarray:
    """Draw recordings at random, no class a second time before each has come once; class by class."""
    order = np.random.default_rng(seed).permutation(len(labels))
    turn = np.zeros(len(labels), dtype=np.int64)  # the how-maniest of its class a recording is in this order
    for label in np.unique(labels):
        own = order[labels[order] == label]
        turn[own] = np.arange(len(own))
    chosen = order[np.argsort(turn[order], kind="stable")][:count]
    return chosen[np.argsort(labels[chosen], kind="stable")]


def label_name(store: SkeletonStore, index: int) -> str:
    """The class of a recording in words."""
    label, names = int(store.labels[index]), store.label_names
    if label < 0:
        return "unlabelled"
    return names[label] if names else f"class {label}"


def answers(evaluation: Evaluation, names: list[str]) -> dict[int, tuple[str, bool]]:
    """What each recording was taken for, and whether that is right, by its place among the names.

    Several recordings of one name are told apart by their places, where these are the evaluation's.
    """
    if evaluation.names is None or evaluation.truth is None or evaluation.predictions is None:
        return {}
    pairs = zip(evaluation.truth, evaluation.predictions, strict=True)
    found = [(evaluation.label_names[guess], bool(guess == truth)) for truth, guess in pairs]
    if evaluation.names == names:
        return dict(enumerate(found))
    by_name = dict(zip(evaluation.names, found, strict=True))
    counts = Counter(evaluation.names) | Counter(names)
    return {place: by_name[name] for place, name in enumerate(names) if name in by_name and counts[name] == 1}
