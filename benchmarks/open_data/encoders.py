"""The encoders of the study: what each is trained on, and with which settings.

Every encoder is a run folder that goes on from where it was interrupted. Settings were chosen by
leave-one-subject-out k-NN over the odd subjects of UTD-MHAD, which all training may see without labels; the
even ones were looked at once, at the end.
"""

from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.open_data.stores import BALANCED, PART, TRAINING
from stars_hub.model import EncoderConfig, STARSEncoder
from stars_hub.recipes import pretrain_recipe, tune_recipe
from stars_hub.training import pretrain, tune

WITHOUT_UTD = tuple(name for name in TRAINING if name != "utd_odd")
# Faster than float32 on processors with bfloat16 instructions; weights and losses are float32 all the same.
COMMON: dict[str, Any] = {"precision": "bfloat16", "progress": False}


class Pretraining(NamedTuple):
    """One run of the first stage.

    Attributes:
        data: the stores that it is trained on.
        changes: to the recipe.
        start: the run whose `last` it goes on from; None: a new encoder.
    """

    data: tuple[str, ...] = TRAINING
    changes: dict[str, Any] = {}  # noqa: RUF012
    start: str | None = None


class Tuning(NamedTuple):
    """One run of the second stage.

    Attributes:
        start: the run whose `last` it starts from.
        data: the stores that it is tuned on.
        changes: to the recipe.
        recipe: its name.
    """

    start: str
    data: tuple[str, ...] = BALANCED
    changes: dict[str, Any] = {}  # noqa: RUF012
    recipe: str = "small-data"


# What takes many runs is asked of a smaller encoder that is trained for a shorter time.
SMALLER: dict[str, Any] = {
    "encoder": EncoderConfig(num_frames=48, embed_dim=96, depth=4, num_heads=4),
    "decoder_depth": 1,
    "epochs": 30,
    "warmup_epochs": 2.0,
}
SHORTER = {"epochs": 8}
# The first stage's second part, as long again by half, from half the learning rate.
SECOND_PART: dict[str, Any] = {
    "encoder": None, "epochs": 60, "warmup_epochs": 2.0, "lr": 5e-4, "min_lr": 2e-5, "seed": 1
}  # fmt: skip
OWN_SUBJECT: dict[str, Any] = {"other_subjects": False, "topk": 0}
ONE_VIEW: dict[str, Any] = {
    "two_views": False, "crop": (1.0, 1.0), "rotation": 0.0, "mirror": 0.0, "stretch": 0.0
}  # fmt: skip
PAPER: dict[str, Any] = ONE_VIEW | OWN_SUBJECT | {"lr": 1e-3, "layer_decay": 0.45}

PRETRAINED = {
    "mamp-120-epochs": Pretraining(),
    "mamp": Pretraining(changes=SECOND_PART, start="mamp-120-epochs"),
    "small-mamp": Pretraining(changes=SMALLER),
    "small-mamp-without-utd": Pretraining(WITHOUT_UTD, SMALLER),
}
TUNED = {
    "stars": Tuning("mamp"),
    "stars-heads": Tuning("mamp", recipe="small-data-heads"),
    "stars-3stage": Tuning("stars-heads"),
    "stars-of-mamp-120-epochs": Tuning("mamp-120-epochs"),
    "stars-12-epochs": Tuning("mamp-120-epochs", changes={"epochs": 12}),
    "stars-unbalanced": Tuning(
        "mamp-120-epochs", TRAINING, OWN_SUBJECT | {"epochs": 12, "lr": 3e-3, "queue_size": 2048}
    ),
    "small-stars": Tuning("small-mamp", changes=SHORTER),
    "small-stars-seed-1": Tuning("small-mamp", changes=SHORTER | {"seed": 1}),
    "small-stars-seed-2": Tuning("small-mamp", changes=SHORTER | {"seed": 2}),
    "small-stars-own-subject": Tuning("small-mamp", changes=SHORTER | OWN_SUBJECT),
    "small-stars-one-view": Tuning("small-mamp", changes=SHORTER | ONE_VIEW),
    "small-stars-as-in-the-paper": Tuning("small-mamp", changes=SHORTER | PAPER),
    "small-stars-queue-128": Tuning("small-mamp", changes=SHORTER | {"queue_size": 128}),
    "small-stars-temperature-0.03": Tuning("small-mamp", changes=SHORTER | {"temperature": 0.03}),
    "small-stars-temperature-0.2": Tuning("small-mamp", changes=SHORTER | {"temperature": 0.2}),
    "small-stars-batch-32": Tuning("small-mamp", changes=SHORTER | {"batch_size": 32}),
    "small-stars-batch-128": Tuning("small-mamp", changes=SHORTER | {"batch_size": 128}),
    "small-stars-crop-0.3": Tuning("small-mamp", changes=SHORTER | {"crop": (0.3, 1.0)}),
    "small-stars-layer-decay-0.45": Tuning("small-mamp", changes=SHORTER | {"layer_decay": 0.45}),
    "small-stars-all-blocks": Tuning("small-mamp", changes=SHORTER | {"trainable_blocks": 4}),
    "small-stars-top-block": Tuning("small-mamp", changes=SHORTER | {"trainable_blocks": 1}),
    "small-stars-24-epochs": Tuning("small-mamp", changes={"epochs": 24}),
    "small-stars-without-utd": Tuning("small-mamp-without-utd", (PART, "irds_sample"), SHORTER),
}


def run_folder(work: Path, name: str) -> Path:
    """Where a run lies."""
    return work / "runs" / name


def train_encoder(work: Path, name: str, *, seed: int = 0) -> Path:
    """Train an encoder, and those before it, or go on with it.

    Returns:
        The model folder.
    """
    run = PRETRAINED[name] if name in PRETRAINED else TUNED[name]
    settings: dict[str, Any] = {
        "data": tuple(str(work / store) for store in run.data),
        "output": str(run_folder(work, name)),
        "seed": seed,
        **_monitor(work),
        **COMMON,
        **run.changes,
    }
    if run.start:
        settings["model"] = str(train_encoder(work, run.start, seed=seed))
    if isinstance(run, Pretraining):
        return pretrain(pretrain_recipe("small-data", **settings)).last
    return tune(tune_recipe(run.recipe, **settings)).last


def untrained(work: Path, *, seed: int = 0) -> Path:
    """An encoder of random weights, of the size of the others."""
    folder = run_folder(work, "untrained")
    torch.manual_seed(seed)
    return STARSEncoder(pretrain_recipe("small-data").encoder).save_pretrained(folder)


def _monitor(work: Path) -> dict[str, Any]:
    """Watch k-NN on one training subject, for the log alone: no epoch is chosen by it."""
    return {"monitor_data": (str(work / "utd_odd"),), "monitor_subjects": ("7",), "monitor_every": 5}
