"""The encoders of the study: what each is trained on, and with which settings.

Every encoder is a run folder that goes on from where it was interrupted. Settings were chosen by
leave-one-subject-out k-NN over the odd subjects of UTD-MHAD, which all training may see without labels; the
even ones were looked at once, at the end.
"""

from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.open_data.stores import TRAINING
from stars_hub.model import STARSEncoder
from stars_hub.recipes import pretrain_recipe, tune_recipe
from stars_hub.training import pretrain, tune

WITHOUT_UTD = tuple(name for name in TRAINING if name != "utd_odd")
# Faster than float32 on processors with bfloat16 instructions; weights and losses are float32 all the same.
COMMON: dict[str, Any] = {"precision": "bfloat16", "progress": False}


class Tuning(NamedTuple):
    """One run of the second stage.

    Attributes:
        start: the run whose `last` it starts from.
        data: the stores that it is tuned on.
        changes: to the recipe.
    """

    start: str
    data: tuple[str, ...] = TRAINING
    changes: dict[str, Any] = {}  # noqa: RUF012


PRETRAINED = {"mamp": TRAINING, "mamp-without-utd": WITHOUT_UTD}
TUNED = {
    "stars": Tuning("mamp"),
    "stars-without-utd": Tuning("mamp-without-utd", WITHOUT_UTD),
    "stars-heads": Tuning("mamp", changes={"freeze_encoder": True}),
    "stars-3stage": Tuning("stars-heads"),
}


def run_folder(work: Path, name: str) -> Path:
    """Where a run lies."""
    return work / "runs" / name


def train_encoder(work: Path, name: str, *, seed: int = 0) -> Path:
    """Train an encoder, and those before it, or go on with it.

    Returns:
        The model folder.
    """
    output = str(run_folder(work, name))
    if name in PRETRAINED:
        data = tuple(str(work / store) for store in PRETRAINED[name])
        config = pretrain_recipe(
            "small-data", data=data, output=output, seed=seed, **_monitor(work), **COMMON
        )
        return pretrain(config).last
    tuning = TUNED[name]
    start = train_encoder(work, tuning.start, seed=seed)
    data = tuple(str(work / store) for store in tuning.data)
    settings = {"data": data, "output": output, "model": str(start), "seed": seed, **_monitor(work), **COMMON}
    return tune(tune_recipe("small-data", **settings, **tuning.changes)).last


def untrained(work: Path, *, seed: int = 0) -> Path:
    """An encoder of random weights, of the size of the others."""
    import torch

    folder = run_folder(work, "untrained")
    torch.manual_seed(seed)
    return STARSEncoder(pretrain_recipe("small-data").encoder).save_pretrained(folder)


def _monitor(work: Path) -> dict[str, Any]:
    """Watch k-NN on one training subject, for the log alone: no epoch is chosen by it."""
    return {"monitor_data": (str(work / "utd_odd"),), "monitor_subjects": ("7",), "monitor_every": 5}
