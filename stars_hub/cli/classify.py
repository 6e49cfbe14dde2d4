"""What a classifier says: predict."""

from pathlib import Path
from typing import Any

import click

from stars_hub.cli.group import main


@main.command()
@click.argument("source", metavar="INPUT")
@click.option(
    "--model",
    required=True,
    help="A classifier: a folder, such as best of a finetune run, a Hub id or a bundled name.",
)
@click.option("--output", type=click.Path(path_type=Path), help=".csv or .json; on the screen if not given.")
@click.option("--topk", type=click.IntRange(min=1), default=3, show_default=True, help="Guesses a recording.")
@click.option("--layout", help="Joint layout of the recordings; the model's own if not given.")
@click.option("--units", type=click.Choice(["m", "cm", "mm", "pixels"]), default="m", show_default=True)
@click.option("--up-axis", help="Axis that points up (x, y, z, -x, -y, -z); that of the layout if not given.")
@click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--device", help="Such as cuda or cuda:1; the CPU if not given.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    default="float32",
    show_default=True,
    help="Of the computation.",
)
def predict(source: str, model: str, output: Path | None, topk: int, dtype: str, **options: Any) -> None:
    """Name what is done in recordings (a file, a folder or a store), with a classifier of the classes."""
    import torch

    from stars_hub.classifiers import load_classifier
    from stars_hub.classifiers.predictions import check_target, render_predictions, write_predictions
    from stars_hub.model.sources import NamedSequences

    if output is not None:
        check_target(output)
    classifier = load_classifier(model)
    sequences = NamedSequences(source)
    guesses = classifier.predict_topk(sequences, k=topk, dtype=getattr(torch, dtype), **options)
    if output is None:
        click.echo(render_predictions(sequences.names, guesses))
        return
    write_predictions(output, sequences.names, guesses)
    click.echo(f"{output}: predictions for {len(guesses)} recordings")
