"""Fine-tuning on UTD-MHAD's odd subjects, tested on the even ones: of an encoder, or from scratch."""

from pathlib import Path
from typing import Any

from benchmarks.open_data.encoders import train_encoder
from benchmarks.open_data.stores import TEST
from stars_hub.evaluation import evaluate
from stars_hub.evaluation.supervised import finetune_settings
from stars_hub.recipes import finetune_recipe, pretrain_recipe

SCRATCH = "untrained"
FINETUNED = (SCRATCH, "mamp", "stars", "stars-3stage")
EPOCHS = 20


def finetuned(work: Path, name: str) -> float:
    """Train and test the last epoch's model; goes on where it was interrupted.

    Returns:
        Accuracy in percent.
    """
    model = "" if name == SCRATCH else str(train_encoder(work, name))
    found = evaluate(
        "finetune",
        model,
        work / "utd_odd",
        test=work / TEST,
        runs_folder=work / "finetuned" / name,
        progress=False,
        **finetune_fields(model),
    )
    return round(found.metrics["accuracy"], 2)


def finetune_fields(model: str) -> dict[str, Any]:
    """A fine-tuning protocol's settings: the recipe for small data, but for the number of epochs.

    Args:
        model: what is fine-tuned; "": a new encoder, of the size of the others.
    """
    recipe = (
        finetune_recipe("small-data", model=model)
        if model
        else finetune_recipe("small-data-scratch", encoder=pretrain_recipe("small-data").encoder)
    )
    settings = {name: getattr(recipe, name) for name in finetune_settings()}
    return settings | {"epochs": EPOCHS, "precision": "bfloat16"}
