"""The command evaluate: the protocols of the papers."""

import json
from pathlib import Path
from typing import Any

import click

from stars_hub.cli.group import main

_PROTOCOLS = ["knn", "linear", "finetune", "semi", "transfer", "few_shot", "clustering", "ensemble"]
_EPILOG = """
\b
PROTOCOL is one of
  knn         the class of the nearest training recordings
  linear      a linear layer on the features
  finetune    the whole encoder, trained with labels
  semi        finetune with a part of the labels, several times
  transfer    finetune, an encoder of other recordings being meant
  few_shot    k-NN and episodes of few examples, of classes given by --class or --split
  clustering  silhouette, NMI and linear separability of the test recordings
  ensemble    linear on joints, bones and motion, scores added up

Which recordings are the test, one of --test, --split and --subject says. A protocol refuses options that are
not its own and lists those that are; --set gives any of them, such as --set shrinkage=0.1.
"""
_STREAMS = ["joint", "bone", "motion", "bone_motion"]
_SPACES = ["pooled", "z", "standardised", "whitened"]


def _settings(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """NAME=VALUE, values as JSON, or as text where they are none."""
    found: dict[str, Any] = {}
    for item in given:
        name, sign, value = item.partition("=")
        name = name.replace("-", "_")
        if not sign:
            raise click.BadParameter(f"expected NAME=VALUE, got {item!r}")
        if name in found:
            raise click.BadParameter(f"{name} is given twice")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


@main.command(epilog=_EPILOG)
@click.argument("protocol", type=click.Choice(_PROTOCOLS))
@click.option(
    "--model", required=True, help="A folder, a Hub id, a bundled name; raw: the joints themselves."
)
@click.option("--data", required=True, help="Store of all recordings, or of the training ones with --test.")
@click.option("--test", help="Store of the test recordings.")
@click.option("--split", help="A split that the store declares, such as xsub.")
@click.option("--subject", "subjects", multiple=True, help="A subject whose recordings are the test; repeat.")
@click.option("--class", "classes", multiple=True, help="Only this label (number or name); repeat.")
@click.option("--output", type=click.Path(path_type=Path), help="Write everything to this .json file.")
@click.option("--report", type=click.Path(path_type=Path), help="Write a report to this .html file.")
@click.option("--device", help="Such as cuda or cpu; a GPU if there is one, if not given.")
@click.option(
    "--k", "ks", type=int, multiple=True, help="Neighbours (knn, few_shot); repeat. Else 1, 2, 5, 10."
)
@click.option("--features", type=click.Choice(_SPACES), help="Space of knn, few_shot and clustering.")
@click.option("--stream", type=click.Choice(_STREAMS), help="What the encoder sees.")
@click.option("--augment/--no-augment", default=None, help="Of linear: encode anew in every epoch, or once.")
@click.option("--epochs", type=int, help="Of whatever is trained.")
@click.option("--batch-size", type=int, help="Of whatever is trained, else of encoding.")
@click.option("--lr", type=float, help="Of whatever is trained.")
@click.option("--fraction", type=float, help="Part of the labels (semi).")
@click.option("--runs", type=int, help="How many are averaged (semi).")
@click.option("--ways", type=int, help="Classes of an episode (few_shot).")
@click.option("--shots", type=int, multiple=True, help="Examples of each class (few_shot); repeat.")
@click.option("--seed", type=int, help="Of everything random.")
@click.option("--set", "further", multiple=True, callback=_settings, help="Any other setting, NAME=VALUE.")
def evaluate(
    protocol: str,
    model: str,
    data: str,
    output: Path | None,
    report: Path | None,
    further: dict[str, Any],
    **options: Any,
) -> None:
    """Evaluate a model on labelled recordings by a PROTOCOL of the papers, and print the table."""
    from stars_hub.evaluation.protocols import evaluate
    from stars_hub.training.processes import is_first

    for path in (output, report):
        if path is not None and not path.parent.is_dir():
            raise click.UsageError(f"{path}: there is no folder {path.parent}")
    given = {name: value for name, value in options.items() if value is not None and value != ()}
    if twice := (given.keys() | {"protocol", "model", "data"}) & further.keys():
        raise click.UsageError(f"{', '.join(sorted(twice))}: given by --set and otherwise")
    settings = given | further
    result = evaluate(protocol, model, data, **settings)
    if not is_first():
        return  # of several processes that torchrun started, the first tells and writes
    click.echo(result.table())
    if output is not None:
        click.echo(f"{result.to_json(output)}: the result")
    if report is not None:
        click.echo(f"{_write_report(report, result, data, settings)}: the report")


def _write_report(path: Path, result: Any, data: str, given: dict[str, Any]) -> Path:
    """With moving skeletons of the test recordings."""
    from stars_hub.evaluation.inputs import open_split
    from stars_hub.evaluation.report import write_report

    which = {name: given[name] for name in ("test", "split", "subjects", "classes") if name in given}
    return write_report(path, result, recordings=open_split(data, **which).test)
