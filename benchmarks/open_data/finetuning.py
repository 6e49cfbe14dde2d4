"""Fine-tuning on UTD-MHAD's odd subjects, tested on the even ones: of an encoder, or from scratch."""

from pathlib import Path

from benchmarks.open_data.encoders import train_encoder
from benchmarks.open_data.stores import TEST
from stars_hub.evaluation import evaluate
from stars_hub.evaluation.supervised import finetune_settings
from stars_hub.recipes import finetune_recipe, pretrain_recipe

SCRATCH = "untrained"
FINETUNED = (SCRATCH, "mamp", "stars")
EPOCHS = 20


def finetuned(work: Path, name: str) -> float:
    """Train by the recipe for small data and test the last epoch's model; goes on where it was interrupted.

    Returns:
        Accuracy in percent.
    """
    model = "" if name == SCRATCH else str(train_encoder(work, name))
    recipe = (
        finetune_recipe("small-data-scratch", encoder=pretrain_recipe("small-data").encoder)
        if name == SCRATCH
        else finetune_recipe("small-data", model=model)
    )
    settings = {field: getattr(recipe, field) for field in finetune_settings()}
    settings |= {"epochs": EPOCHS, "precision": "bfloat16"}
    found = evaluate(
        "finetune",
        model,
        work / "utd_odd",
        test=work / TEST,
        runs_folder=work / "finetuned" / name,
        progress=False,
        **settings,
    )
    return round(found.metrics["accuracy"], 2)
