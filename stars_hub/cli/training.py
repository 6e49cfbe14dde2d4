"""Training: pretrain and tune an encoder, finetune a classifier."""

from functools import partial
from typing import Any

import click

from stars_hub.cli.group import main

_FROM_RECIPE = "What is not given is as in the recipe: --dry-run shows all of it, without training."


def _train(stage: str, recipe: str, dry_run: bool, options: dict[str, Any]) -> None:
    """Run a stage, or say what it would do."""
    from stars_hub import recipes, training
    from stars_hub.training.options import config_from_options
    from stars_hub.training.plan import plan
    from stars_hub.training.processes import is_first

    make = partial(getattr(recipes, f"{stage}_recipe"), recipe)
    config: Any = config_from_options(_kind(stage), make, options)
    if dry_run:
        lines = [plan(config)]
    else:
        result = getattr(training, stage)(config)
        lines = [f"{result.last}: the model"]
        if result.best is not None:
            lines.append(f"{result.best}: that of the epoch with the highest accuracy")
    if is_first():
        click.echo("\n".join(lines))


def _kind(stage: str) -> Any:
    """The configuration's class."""
    from stars_hub import training

    return getattr(training, f"{stage.capitalize()}Config")


class _TrainingCommand(click.Command):
    """A command whose options are made from a configuration's fields when they are first asked for.

    Making them imports torch, for which `stars-hub --help` and the other commands should not wait.
    """

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        if not getattr(self, "complete", False):
            from stars_hub.training.options import config_options

            self.params += click.command()(config_options(_kind(self.name or ""))(lambda: None)).params
            self.complete = True
        return super().get_params(ctx)


_RECIPE = click.option(
    "--recipe",
    required=True,
    help="ntu60, ntu120, pku or small-data; for tune also -heads.",
)
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and how long it takes.")


@main.command(cls=_TrainingCommand, epilog=_FROM_RECIPE)
@_RECIPE
@_DRY_RUN
def pretrain(recipe: str, dry_run: bool, **options: Any) -> None:
    """Pretrain an encoder on skeleton stores by masked motion prediction; resumes what was interrupted."""
    _train("pretrain", recipe, dry_run, options)


@main.command(cls=_TrainingCommand, epilog=_FROM_RECIPE)
@_RECIPE
@_DRY_RUN
def tune(recipe: str, dry_run: bool, **options: Any) -> None:
    """Tune a pretrained model by nearest-neighbour contrast; resumes what was interrupted."""
    _train("tune", recipe, dry_run, options)


@main.command(cls=_TrainingCommand, epilog=_FROM_RECIPE)
@click.option(
    "--recipe",
    default="small-data",
    show_default=True,
    help="ntu60, ntu120, pku or small-data; with -scratch for a new encoder instead of a model.",
)
@_DRY_RUN
def finetune(recipe: str, dry_run: bool, **options: Any) -> None:
    """Train a classifier with labels, from a model or from scratch; resumes what was interrupted."""
    _train("finetune", recipe, dry_run, options)
