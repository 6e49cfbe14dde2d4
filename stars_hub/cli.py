"""The command line: parse, call, print; nothing else."""

import sys
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click

from stars_hub._version import __version__

_DTYPES = ["float32", "bfloat16", "float16"]


class _OneLineErrors(click.Group):
    """A group whose errors are one line on stderr and exit code 2, with a traceback only for --debug."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> NoReturn:
        """Run the command and exit; see `click.Command.main`."""
        given = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(given, *rest, **(options | {"standalone_mode": False}))
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo("stars-hub: aborted", err=True)
            sys.exit(1)
        except Exception as error:
            if "--debug" in given:
                raise
            click.echo(f"stars-hub: error: {_one_line(error)}", err=True)
            sys.exit(2)
        sys.exit(code if isinstance(code, int) else 0)


def _one_line(error: Exception) -> str:
    if isinstance(error, click.ClickException):
        text = error.format_message()
    else:
        kind = "" if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: "
        text = f"{kind}{error}"
    return " ".join(text.split())


@click.group(cls=_OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stars-hub")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Pretrained encoders for 3D skeleton recordings."""
    warnings.showwarning = lambda message, *_, **__: click.echo(f"stars-hub: warning: {message}", err=True)


@main.command()
@click.argument("source", metavar="INPUT")
@click.option(
    "--model", required=True, help="A folder, a Hub id (owner/name, owner/name@revision) or a bundled name."
)
@click.option("--output", required=True, type=click.Path(path_type=Path), help=".npz, .csv or .safetensors")
@click.option("--layout", help="Joint layout of the recordings; the model's own if not given.")
@click.option("--units", type=click.Choice(["m", "cm", "mm", "pixels"]), default="m", show_default=True)
@click.option("--up-axis", help="Axis that points up (x, y, z, -x, -y, -z); that of the layout if not given.")
@click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--device", help="Such as cuda or cuda:1; the CPU if not given.")
@click.option(
    "--dtype", type=click.Choice(_DTYPES), default="float32", show_default=True, help="Of the computation."
)
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
@click.argument("kind", type=click.Choice(["ntu60", "ntu120", "pku1", "pku2", "npz", "folder"]))
@click.argument("raw", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--ignore", type=click.Path(path_type=Path), help="A list of samples to leave out, a name a line."
)
@click.option(
    "--layout", help="Joint layout of an npz or a folder; found by the number of joints if not given."
)
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


def _train(stage: str, recipe: str, dry_run: bool, options: dict[str, Any]) -> None:
    """Run a stage, or say what it would do."""
    from stars_hub import recipes, training
    from stars_hub.training.options import config_from_options
    from stars_hub.training.plan import plan

    make = partial(recipes.pretrain_recipe if stage == "pretrain" else recipes.tune_recipe, recipe)
    config: Any = config_from_options(make, options)
    click.echo(plan(config) if dry_run else f"{getattr(training, stage)(config).last}: the model")


class _TrainingCommand(click.Command):
    """A command whose options are made from a configuration's fields when they are first asked for.

    Making them imports torch, for which `stars-hub --help` and the other commands should not wait.
    """

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        if not getattr(self, "complete", False):
            from stars_hub import training
            from stars_hub.training.options import config_options

            kind = training.PretrainConfig if self.name == "pretrain" else training.TuneConfig
            self.params += click.command()(config_options(kind)(lambda: None)).params
            self.complete = True
        return super().get_params(ctx)


_RECIPE = click.option(
    "--recipe",
    required=True,
    help="ntu60, ntu120, pku or small-data; for tune also -heads.",
)
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and how long it takes.")


@main.command(cls=_TrainingCommand)
@_RECIPE
@_DRY_RUN
def pretrain(recipe: str, dry_run: bool, **options: Any) -> None:
    """Pretrain an encoder on skeleton stores by masked motion prediction; resumes what was interrupted."""
    _train("pretrain", recipe, dry_run, options)


@main.command(cls=_TrainingCommand)
@_RECIPE
@_DRY_RUN
def tune(recipe: str, dry_run: bool, **options: Any) -> None:
    """Tune a pretrained model by nearest-neighbour contrast; resumes what was interrupted."""
    _train("tune", recipe, dry_run, options)


@main.command()
def models() -> None:
    """List the models that come with the package."""
    from stars_hub.checkpoints import list_models

    click.echo("\n".join(list_models()) or "no model is bundled with this version")


if __name__ == "__main__":
    main()
