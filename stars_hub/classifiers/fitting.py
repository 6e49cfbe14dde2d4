"""How a classifier is trained: recordings into a store of what the encoder sees, then a head or the whole.

Reference: MAMP (arXiv 2308.07092) section 4.3; STARS (arXiv 2407.10935) section 4.3.
"""

import os
from collections.abc import Iterator
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import torch

from stars_hub.classifiers.examples import Examples, iter_seen
from stars_hub.classifiers.validation import Validation, validation_mask
from stars_hub.distributed import world_size
from stars_hub.errors import ConfigError
from stars_hub.evaluation.linear import fit_linear
from stars_hub.model.encoder import STARSEncoder
from stars_hub.model.heads import LinearHead
from stars_hub.model.preparation import Preparation
from stars_hub.objectives import Classification
from stars_hub.recipes import finetune_small_data
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.training import finetune
from stars_hub.training.finetuning import balanced_weights

Mode: TypeAlias = Literal["auto", "linear", "partial", "full"]

PARTIAL_FROM = 100
FULL_FROM = 150
_PATIENCE = 15
_BATCH_SIZE = 16
_LINEAR_EPOCHS, _LINEAR_LR, _LINEAR_BATCH_SIZE = 100, 0.03, 32


class Fit(NamedTuple):
    """How to train; see `STARSClassifier.fit`."""

    mode: Mode
    validation: Validation
    epochs: int | None
    class_weights: str
    seed: int
    progress: bool | None
    output: str | Path | None


@dataclass(frozen=True)
class FitReport:
    """How a `fit` went.

    Attributes:
        mode: what was trained: "linear", "partial" or "full".
        num_train: recordings that were trained on; after "linear" those kept out are among them, since the
            layer is trained anew on all once its accuracy is known.
        num_validation: recordings that were kept out.
        validation_subjects: whole subjects among these; empty if they are a random part.
        accuracy: percent of the recordings kept out whose class is found; None without any. After "partial"
            and "full" it is that of the epoch which these recordings chose, and so somewhat flattering.
        history: a record an epoch, with "loss" and, if recordings are kept out, "validation" (percent).
            "partial" and "full" tell the "validation" before the first epoch as well, as that of epoch 0.
    """

    mode: str
    num_train: int
    num_validation: int
    validation_subjects: list[str]
    accuracy: float | None
    history: list[dict[str, float]]

    def __str__(self) -> str:
        text = f"Trained ({self.mode}) on {self.num_train} recordings."
        if self.accuracy is None:
            return text
        count = len(self.validation_subjects)
        whose = f" of {count} other {'subject' if count == 1 else 'subjects'}" if count else ""
        found = f"{self.accuracy:.1f} %"
        if self.mode == "linear":
            return f"{text} Accuracy on {self.num_validation}{whose}, when they were left out: {found}."
        chosen = "at the epoch that was best on them"
        return f"{text} Accuracy on {self.num_validation} others{whose}: {found}, {chosen}."


def fit_classification(
    encoder: STARSEncoder, examples: Examples, preparation: Preparation, how: Fit, scratch: Path
) -> tuple[Classification, FitReport]:
    """Train a new head, and in the modes that say so a copy of the encoder.

    Args:
        encoder: stays as it is.
        examples: the labelled recordings.
        preparation: what makes them ready for the encoder.
        how: to train.
        scratch: an empty folder.

    Raises:
        ValueError: see `STARSClassifier.fit`.
    """
    _check(how, examples)
    kept_out = validation_mask(examples.label_ids, examples.subjects, how.validation, seed=how.seed)
    mode = _mode(how.mode, int((~kept_out).sum()))
    if mode != "linear" and max(world_size(), int(os.environ.get("WORLD_SIZE", 1))) > 1:
        raise ConfigError("fit trains in one process; under torchrun, run stars-hub finetune or finetune(…)")
    store = write_recordings(scratch / "recordings", examples, preparation)
    fit = _fit_linear if mode == "linear" else _fit_blocks
    objective, history, accuracy = fit(encoder, store, kept_out, how, mode, scratch)
    report = FitReport(
        mode=mode,
        num_train=len(store) if mode == "linear" else int((~kept_out).sum()),
        num_validation=int(kept_out.sum()),
        validation_subjects=_only_in(examples.subjects, kept_out),
        accuracy=accuracy,
        history=history,
    )
    if how.output is not None and mode == "linear":
        objective.save_pretrained(Path(how.output) / "last")
    weight = encoder.pos_embed
    return objective.to(device=weight.device, dtype=weight.dtype), report


def _only_in(subjects: list[str] | None, kept_out: np.ndarray) -> list[str]:
    """The subjects all of whose recordings are kept out."""
    if subjects is None:
        return []
    who = np.array(subjects)
    return sorted(set(who[kept_out].tolist()) - set(who[~kept_out].tolist()))


def write_recordings(folder: Path, examples: Examples, preparation: Preparation) -> SkeletonStore:
    """A store of recordings as the encoder sees them, but for their length.

    Raises:
        SequenceError: a recording that shows nobody.
        ConfigError: not as many labels or subjects as recordings.
    """
    return SkeletonStore.create(
        folder,
        _cleaned(examples, preparation),
        layout=preparation.target,
        labels=examples.label_ids,
        subjects=examples.subjects,
        names=[f"{place:06d}" for place in range(len(examples.labels))],
        label_names=examples.label_names,
    )


def _cleaned(examples: Examples, preparation: Preparation) -> Iterator[np.ndarray]:
    found = 0
    for name, joints in iter_seen(examples.sequences):
        if found == len(examples.labels):
            raise ConfigError(f"expected a label for each recording, got {found} for more recordings")
        yield preparation.clean(joints, name=name)
        found += 1
    if found < len(examples.labels):
        raise ConfigError(f"expected a recording for each of {len(examples.labels)} labels, got {found}")


def _check(how: Fit, examples: Examples) -> None:
    if len(set(examples.labels)) < 2:
        raise ConfigError(
            f"a classifier needs recordings of two classes or more, got {len(examples.labels)} of "
            f"{sorted(set(examples.labels))}"
        )
    if how.mode not in ("auto", "linear", "partial", "full"):
        raise ConfigError(f"mode must be auto, linear, partial or full, got {how.mode!r}")
    if how.class_weights not in ("none", "balanced"):
        raise ConfigError(f"class_weights must be none or balanced, got {how.class_weights!r}")
    if how.epochs is not None and how.epochs < 1:
        raise ConfigError(f"epochs must be at least 1, got {how.epochs}")
    if how.output is not None:
        _check_output(Path(how.output).expanduser())


def _check_output(folder: Path) -> None:
    if folder.is_file():
        raise ConfigError(f"{folder} is a file: give a folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty: every fit begins anew, give a new folder")


def _mode(mode: Mode, count: int) -> Mode:
    """What "auto" stands for, by the number of recordings."""
    if mode != "auto":
        return mode
    if count < PARTIAL_FROM:
        return "linear"
    return "partial" if count < FULL_FROM else "full"


_Fitted: TypeAlias = tuple[Classification, list[dict[str, float]], float | None]


def _fit_linear(
    encoder: STARSEncoder, store: SkeletonStore, kept_out: np.ndarray, how: Fit, mode: Mode, scratch: Path
) -> _Fitted:
    """One layer on the features of a frozen encoder, encoded once.

    Recordings that are kept out choose nothing here: they tell the accuracy, and then are trained on as well.
    """
    history: list[dict[str, float]] = []
    names = store.label_names or []
    features = torch.from_numpy(encoder.encode(store, progress=how.progress))
    labels, asked = torch.from_numpy(store.labels), torch.from_numpy(kept_out)

    def note(epoch: int, numbers: dict[str, float]) -> None:
        history.append({"epoch": epoch + 1, "loss": numbers["loss"]})
        if "accuracy" in numbers:
            history[-1]["validation"] = numbers["accuracy"]

    def fit(rows: torch.Tensor, **further: Any) -> LinearHead:
        balanced = how.class_weights == "balanced"
        return fit_linear(
            features[rows],
            labels[rows],
            len(names),
            epochs=how.epochs or _LINEAR_EPOCHS,
            batch_size=_LINEAR_BATCH_SIZE,
            lr=_LINEAR_LR,
            seed=how.seed,
            class_weights=balanced_weights(labels[rows].numpy(), len(names)) if balanced else None,
            **further,
        )

    everything = torch.ones_like(asked)
    if asked.any():
        fit(~asked, validation=(features[asked], labels[asked]), on_epoch=note)
        head = fit(everything)
    else:
        head = fit(everything, on_epoch=note)
    objective = Classification(encoder, label_names=names, head="linear")
    objective.head.load_state_dict(head.state_dict())
    return objective, history, history[-1].get("validation")


def _fit_blocks(
    encoder: STARSEncoder, store: SkeletonStore, kept_out: np.ndarray, how: Fit, mode: Mode, scratch: Path
) -> _Fitted:
    """Blocks and a head of joints, by the trainer's recipe for small data; stops when nothing is gained."""
    train, validation = store.select(~kept_out), store.select(kept_out)
    settings: dict[str, Any] = {
        "data": (str(train.copy(scratch / "train").folder),),
        "model": str(encoder.save_pretrained(scratch / "model")),
        "output": str(how.output or scratch / "run"),
        "batch_size": min(_BATCH_SIZE, len(train)),
        "class_weights": how.class_weights,
        "seed": how.seed,
        "device": str(encoder.pos_embed.device),
        "progress": how.progress,
    }
    if mode == "partial":
        settings["trainable_blocks"] = encoder.config.depth - encoder.config.depth // 2
    if how.epochs is not None:
        settings["epochs"] = how.epochs
    if len(validation):
        asked = str(validation.copy(scratch / "validation").folder)
        settings |= {"monitor_data": (asked,), "patience": _PATIENCE}
    else:
        settings["monitor_every"] = 0
    with redirect_stdout(StringIO()) if how.progress is False else nullcontext():
        result = finetune(finetune_small_data(**settings))
    objective = Classification.from_pretrained(result.best or result.last)
    accuracies = [
        record["validation"] for record in result.history if record.get("epoch") and "validation" in record
    ]
    return objective, result.history, max(accuracies, default=None)
