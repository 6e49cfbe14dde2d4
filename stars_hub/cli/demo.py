"""The command that shows, without recordings and without the network, that everything works: demo."""

from pathlib import Path
from typing import Any

import click

from stars_hub.cli.group import main


@main.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("stars-demo"),
    show_default=True,
    help="Folder for report and features.",
)
@click.option(
    "--model", default="stars-mini", show_default=True, help="A bundled name, a folder or a Hub id."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the motions.")
def demo(output: Path, **options: Any) -> None:
    """Encode made-up motions, find similar ones, classify new ones from a few examples, write a report."""
    from stars_hub.demo import run_demo

    run_demo(output, tell=click.echo, **options)
