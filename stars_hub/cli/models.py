"""Commands about models: encode, convert, models."""

from pathlib import Path
from typing import Any

import click

from stars_hub.cli.encoding import encoding_options
from stars_hub.cli.group import main


@main.command()
@click.argument("source", metavar="INPUT")
@click.option(
    "--model", required=True, help="A folder, a Hub id (owner/name, owner/name@revision) or a bundled name."
)
@click.option("--output", required=True, type=click.Path(path_type=Path), help=".npz, .csv or .safetensors")
@encoding_options
@click.option("--normalize", is_flag=True, help="Scale each feature to length 1.")
@click.option("--num-frames", type=int, help="Frames that the model is to see, if not as trained.")
def encode(source: str, model: str, output: Path, dtype: str, num_frames: int | None, **options: Any) -> None:
    """Encode recordings (a file, a folder or a store) into one feature each, written beside their names."""
    import torch

    from stars_hub.evaluation.features import check_target, write_features
    from stars_hub.model import STARSEncoder
    from stars_hub.model.sources import NamedSequences

    check_target(output)
    encoder = STARSEncoder.from_pretrained(model, num_frames=num_frames)
    sequences = NamedSequences(source)
    features = encoder.encode(sequences, dtype=getattr(torch, dtype), **options)
    write_features(output, sequences.names, features)
    click.echo(f"{output}: {features.shape[0]} features of width {features.shape[1]}")


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--num-heads", type=int, help="Attention heads; 8 is taken at width 256, else it must be given."
)
def convert(path: Path, folder: Path, num_heads: int | None) -> None:
    """Convert the authors' checkpoint PATH (MAMP .pth, STARS .pt) into a model FOLDER."""
    from stars_hub.hub import convert_checkpoint

    click.echo(f"{convert_checkpoint(path, folder, num_heads=num_heads)}: converted from {path}")


@main.command()
def models() -> None:
    """List the models that come with the package."""
    from stars_hub.checkpoints import list_models

    click.echo("\n".join(list_models()) or "no model is bundled with this version")
