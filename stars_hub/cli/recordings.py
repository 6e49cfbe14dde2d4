"""Commands about recordings: prepare, and info, which shows models too."""

from pathlib import Path
from typing import Any

import click

from stars_hub.cli.group import main


@main.command()
@click.argument("kind", type=click.Choice(["ntu60", "ntu120", "pku1", "pku2", "npz", "folder"]))
@click.argument("raw", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--ignore", type=click.Path(path_type=Path), help="A list of samples to leave out, a name a line."
)
@click.option(
    "--layout", help="Joint layout of an npz or a folder; found by the number of joints if not given."
)
@click.option(
    "--units",
    type=click.Choice(["m", "cm", "mm", "pixels"]),
    default="m",
    show_default=True,
    help="Of an npz or a folder; the store holds metres.",
)
@click.option("--up-axis", help="Axis of an npz or a folder that points up, such as z.")
@click.option("--dtype", type=click.Choice(["float32", "float16"]), default="float32", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), help="Reading processes; one a core if not given.")
def prepare(kind: str, raw: Path, out: Path, **options: Any) -> None:
    """Read a dataset as downloaded (RAW) into a store (OUT); run it again to resume an interrupted one."""
    from stars_hub.skeletons.prepare import prepare

    click.echo(prepare(kind, raw, out, **options).render())


@main.command()
@click.argument("name", metavar="MODEL_OR_STORE")
@click.option("--revision", help="Branch, tag or commit on the Hub.")
@click.option("--local-files-only", is_flag=True, help="Do not ask the Hub.")
@click.option("--verify", is_flag=True, help="Compare every byte of a store with its checksums.")
def info(name: str, verify: bool, **where: Any) -> None:
    """Show a model (configuration, parameters, tensors, card) or a store (what is in it)."""
    from stars_hub.hub import describe_model
    from stars_hub.skeletons.store import SkeletonStore, is_store

    if not is_store(name):
        if verify:
            raise click.UsageError(f"--verify is for stores, and {name} is none")
        click.echo(describe_model(name, **where))
        return
    store = SkeletonStore.open(name)
    click.echo(store.describe())
    if verify:
        store.verify(progress=True)
        click.echo("verified: every byte is as it was written")
