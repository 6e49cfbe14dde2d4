"""The main job, from weights to a report, in less than a minute, without the network and without recordings.

The motions are made up by rule. What comes out says that the installation works; it says nothing of how good
an encoder is on recordings of people.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stars_hub.classifiers.prototypes import PrototypeHead
from stars_hub.errors import ConfigError
from stars_hub.evaluation.features import write_features
from stars_hub.evaluation.knn import knn_classify
from stars_hub.evaluation.report import write_report
from stars_hub.evaluation.results import Evaluation, accuracy, provenance
from stars_hub.evaluation.retrieval import Neighbours, find_neighbours
from stars_hub.model.encoder import STARSEncoder
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.skeletons.synthetic import SYNTHETIC_ACTIONS as ACTIONS
from stars_hub.skeletons.synthetic import synthetic_dataset

EXAMPLES = 3  # of each action, each by another person
CLIPS = 4  # of each action, by persons whom the examples do not show
HONESTY = (
    "These motions are made up by rule, not recorded from people: the numbers say that the installation "
    "works, not how good the encoder is."
)


@dataclass(frozen=True)
class Demo:
    """What the demonstration found.

    Attributes:
        few_shot: the clips classified from the examples of each action.
        nearest: the clips given the action of the most similar example.
        seconds: what each step took.
        report: the HTML file.
        features: the file of the clips' names and features.
    """

    few_shot: Evaluation
    nearest: Evaluation
    seconds: dict[str, float]
    report: Path
    features: Path

    def table(self) -> str:
        """How many clips of each action were recognised in either way, as aligned text."""
        found = [self.nearest, self.few_shot]
        rows = [["clips recognised", "by the nearest example", f"by {EXAMPLES} examples of each"]]
        rows += [[name, *(_hits(each, label) for each in found)] for label, name in enumerate(ACTIONS)]
        rows += [["all", *(_hits(each) for each in found)]]
        percent = [f"{each.metrics['accuracy']:.1f} %" for each in found]
        rows += [[f"(chance: {100 / len(ACTIONS):.1f} %)", *percent]]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        return "\n".join(
            f"{name:<{widths[0]}}  {first:>{widths[1]}}  {second:>{widths[2]}}"
            for name, first, second in rows
        )


class _Steps:
    """Times what is done, and tells each step in a line when it is over."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time a step; what is put into the list is told with it."""
        details: list[str] = []
        start = time.perf_counter()
        yield details
        self.seconds[name] = time.perf_counter() - start
        self.tell(f"{name:<20}{self.seconds[name]:6.2f} s   {', '.join(details)}".rstrip())


def run_demo(
    output: str | Path,
    *,
    model: str | Path = "stars-mini",
    seed: int = 0,
    tell: Callable[[str], None] = print,
) -> Demo:
    """Encode made-up motions, find what is alike, classify clips of persons never seen, and write a report.

    Args:
        output: a folder for `report.html` and `features.npz`; made if need be.
        model: as for `STARSEncoder.from_pretrained`; the default comes with the package.
        seed: decides the motions, and with them every number.
        tell: gets each line as soon as it is known.

    Raises:
        CheckpointError: there is no such model, or it cannot be read.
        ConfigError: the folder cannot be made or written to.
    """
    steps = _Steps(tell)
    with steps.step("load the encoder") as told:
        encoder = STARSEncoder.from_pretrained(model)
        count = sum(parameter.numel() for parameter in encoder.parameters())
        told += [f"{model}, {count / 1e6:.2f} million parameters"]
    with tempfile.TemporaryDirectory(prefix="stars-hub-demo-") as place:
        demo = _run(encoder, str(model), Path(place), _folder(output), seed, steps)
    tell(f"{'altogether':<20}{sum(demo.seconds.values()):6.2f} s\n")
    tell(f"{demo.table()}\n\n{HONESTY}\n")
    tell(f"{demo.report}: open it in a browser to see them move")
    tell(f"{demo.features}: names and features of the clips")
    return demo


def _run(encoder: STARSEncoder, model: str, place: Path, output: Path, seed: int, steps: _Steps) -> Demo:
    with steps.step("make up motions") as told:
        known = _store(place / "example", EXAMPLES, seed=2 * seed)
        new = _store(place / "clip", CLIPS, seed=2 * seed + 1)
        told += [f"{len(known)} examples by {EXAMPLES} persons, {len(new)} clips by {CLIPS} others"]
    with steps.step("encode") as told:
        start = time.perf_counter()
        known_features, features = encoder.encode(known), encoder.encode(new)
        rate = (len(known) + len(new)) / (time.perf_counter() - start)
        told += [f"{rate:.3g} sequences a second, features of width {features.shape[1]}"]
    with steps.step("find neighbours") as told:
        neighbours = find_neighbours(new, features, known, known_features, count=3, k=3, seed=seed)
        [nearest] = knn_classify(features, known_features, known.labels, ks=[1]).values()
        told += _alike(neighbours)
    with steps.step("classify") as told:
        # What PrototypeClassifier does, with features that are there already.
        seen, labels = torch.from_numpy(known_features), torch.from_numpy(known.labels)
        head = PrototypeHead(seen, labels, num_classes=len(ACTIONS))
        guesses = head(torch.from_numpy(features)).argmax(dim=1).numpy()
        told += [f"from {EXAMPLES} examples of each of {len(ACTIONS)} actions, without training"]
    origin = provenance(
        model,
        {"examples": known.fingerprint, "clips": new.fingerprint},
        {"examples": len(known), "clips": len(new)},
    )
    few_shot = _evaluation("few_shot", new, guesses, seed, origin)
    one_nearest = _evaluation("knn", new, nearest, seed, origin)
    with steps.step("write the report"):
        report = write_report(
            output / "report.html",
            [few_shot, one_nearest],
            title="stars-hub demo: made-up motions",
            summary=HONESTY,
            features=features,
            recordings=new,
            neighbours=neighbours,
            seed=seed,
        )
        table = write_features(output / "features.npz", few_shot.names or [], features)
    return Demo(few_shot, one_nearest, steps.seconds, report, table)


def _folder(output: str | Path) -> Path:
    folder = Path(output).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made: {error.strerror or error}") from error
    return folder


def _store(folder: Path, num_per_class: int, *, seed: int) -> SkeletonStore:
    """As many persons as recordings of a class, so that none performs an action twice."""
    made = synthetic_dataset(num_per_class, num_subjects=num_per_class, seed=seed)
    names = [f"{sequence.columns['action']} {folder.name} {sequence.subject}" for sequence in made]
    return SkeletonStore.create(folder, made, layout="ntu25", names=names, label_names=ACTIONS)


def _alike(found: Neighbours) -> list[str]:
    """What the first query is most like."""
    names = [found.bank.names[index] for index in found.nearest[0].tolist()]
    return [f"{found.queries.names[0]} is most like {', '.join(names)}"]


def _evaluation(
    protocol: str, clips: SkeletonStore, predictions: np.ndarray, seed: int, origin: dict[str, Any]
) -> Evaluation:
    return Evaluation(
        protocol=protocol,
        metrics={"accuracy": accuracy(predictions, clips.labels)},
        settings={"recordings": "made up by rule", "examples of each action": EXAMPLES, "seed": seed},
        provenance=origin,
        label_names=list(ACTIONS),
        truth=clips.labels,
        predictions=predictions,
        names=list(clips.names),
    )


def _hits(found: Evaluation, label: int | None = None) -> str:
    """How many clips, of one action or of all, were recognised."""
    truth, predictions = np.asarray(found.truth), np.asarray(found.predictions)
    chosen = slice(None) if label is None else truth == label
    return f"{np.sum(truth[chosen] == predictions[chosen])} of {len(truth[chosen])}"
