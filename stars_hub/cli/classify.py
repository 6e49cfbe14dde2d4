"""What a classifier says: predict."""

from pathlib import Path
from typing import Any

import click

from stars_hub.cli.encoding import encoding_options
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
@encoding_options
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
