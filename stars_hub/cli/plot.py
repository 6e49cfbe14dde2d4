"""Commands that draw: `stars-hub plot KIND …`."""

from pathlib import Path
from typing import Any

import click

from stars_hub.cli.group import main

_OUTPUT = click.option(
    "--output", required=True, type=click.Path(path_type=Path), help=".png, .pdf, .svg, .jpg or .webp"
)
_RUNS = click.argument("runs", metavar="RUN...", nargs=-1, required=True)
_METRIC = click.option("--metric", help="Such as knn_20; the first that all runs monitored if not given.")
_INDEX = click.option("--index", type=int, default=0, show_default=True, help="Which recording, from 0.")


@main.group()
def plot() -> None:
    """Draw figures; needs the extra plots (but not for an .html animation)."""


def _save(figure: Any, output: Path) -> None:
    from stars_hub.evaluation.plots import save_figure

    click.echo(f"{save_figure(figure, output)}: written")


@plot.command()
@_RUNS
@_OUTPUT
def curves(runs: tuple[str, ...], output: Path) -> None:
    """Loss and accuracy by epoch of run folders."""
    from stars_hub.evaluation.plots import plot_curves

    _save(plot_curves(runs), output)


@plot.command()
@click.argument("field")
@_RUNS
@_METRIC
@_OUTPUT
def sweep(field: str, runs: tuple[str, ...], metric: str | None, output: Path) -> None:
    """Last accuracy of runs that differ in FIELD of their configuration, such as layer_decay."""
    from stars_hub.evaluation.plots import plot_sweep

    _save(plot_sweep(field, runs, metric=metric), output)


@plot.command()
@_RUNS
@_METRIC
@_OUTPUT
def time(runs: tuple[str, ...], metric: str | None, output: Path) -> None:
    """Accuracy against minutes of training."""
    from stars_hub.evaluation.plots import plot_time

    _save(plot_time(runs, metric=metric), output)


@plot.command()
@click.argument("store")
@click.option("--model", "models", multiple=True, help="Encode with this; several are shown side by side.")
@click.option("--features", multiple=True, help="Or .npz files of the store, as encode writes them.")
@click.option("--class", "classes", multiple=True, help="Label names to show; up to 15 if not given.")
@click.option("--per-class", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--method", type=click.Choice(["tsne", "pca"]), default="tsne", show_default=True)
@click.option("--split", help="Show the test part of this split of the store, such as xsub.")
@click.option("--device", help="Where --model encodes; a GPU if there is one, if not given.")
@_OUTPUT
def tsne(
    store: str,
    models: tuple[str, ...],
    features: tuple[str, ...],
    classes: tuple[str, ...],
    per_class: int,
    method: Any,
    split: str | None,
    device: str | None,
    output: Path,
) -> None:
    """Features of a labelled STORE in the plane, as in the paper's figure 3."""
    from stars_hub.evaluation.description import open_encoder
    from stars_hub.evaluation.embedding import choose_samples
    from stars_hub.evaluation.features import read_features
    from stars_hub.evaluation.plots import plot_tsne
    from stars_hub.skeletons import SkeletonStore

    if not models and not features:
        raise click.UsageError("give --model or --features")
    recordings = SkeletonStore.open(store)
    if split is not None:
        recordings = recordings.split(split)[1]
    names = recordings.label_names or [str(label) for label in range(int(recordings.labels.max()) + 1)]
    if unknown := [name for name in classes if name not in names]:
        raise click.UsageError(f"no label {unknown[0]!r}; the labels are {', '.join(names)}")
    numbers = [names.index(name) for name in classes] or None
    shown = choose_samples(recordings.labels, classes=numbers, per_class=per_class)
    drawn = recordings.select(shown)
    by_name = {path: read_features(path, recordings.names.tolist())[shown] for path in features}
    by_name |= {model: open_encoder(model, device).encode(drawn) for model in models}
    values = by_name if len(by_name) > 1 else next(iter(by_name.values()))
    figure = plot_tsne(values, drawn.labels, names, classes=numbers, per_class=per_class, method=method)
    _save(figure, output)


@plot.command()
@click.argument("result", metavar="RESULT.json")
@_OUTPUT
def confusion(result: str, output: Path) -> None:
    """The confusion matrix of an evaluation."""
    from stars_hub.evaluation import Evaluation
    from stars_hub.evaluation.plots import plot_confusion

    evaluation = Evaluation.from_json(result)
    _save(plot_confusion(evaluation.confusion(), evaluation.label_names), output)


@plot.command()
@click.argument("source", metavar="FILE_OR_STORE")
@_INDEX
@click.option("--layout", help="Joint layout of a file; ntu25 if not given.")
@click.option("--fps", type=float, help="Frames a second; the store's, or 30, if not given.")
@click.option("--title", default="", help="Above the skeleton.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help=".gif, .mp4 or .html")
def animation(
    source: str, index: int, layout: str | None, fps: float | None, title: str, output: Path
) -> None:
    """A recording as a moving skeleton."""
    from stars_hub.evaluation.plots import write_animation

    joints, own_layout, own_fps = _recording(source, index)
    written = write_animation(output, joints, layout or own_layout, fps=fps or own_fps, title=title)
    click.echo(f"{written}: written")


@plot.command()
@click.argument("model")
@click.argument("source", metavar="FILE_OR_STORE")
@_INDEX
@click.option("--seed", type=int, default=0, show_default=True, help="Of the mask.")
@_OUTPUT
def reconstruction(model: str, source: str, index: int, seed: int, output: Path) -> None:
    """A recording, what a pretraining run's MODEL saw of it when masked, and what it predicted."""
    from stars_hub.evaluation.plots import plot_reconstruction
    from stars_hub.evaluation.reconstruction import load_mamp, reconstruct

    joints, layout, _ = _recording(source, index)
    _save(plot_reconstruction(reconstruct(load_mamp(model), joints, layout=layout, seed=seed)), output)


def _recording(source: str, index: int) -> tuple[Any, Any, float]:
    """Joints, layout and frames a second of one recording of a file or a store."""
    from stars_hub.skeletons import SkeletonStore, read_sequences
    from stars_hub.skeletons.store import is_store

    store = SkeletonStore.open(source) if is_store(source) else None
    recordings = read_sequences(source) if store is None else store
    if not 0 <= index < len(recordings):
        raise click.UsageError(f"--index must lie in [0, {len(recordings)}), got {index}")
    layout, fps = ("ntu25", 30.0) if store is None else (store.layout, store.fps)
    recording = recordings[index]
    return getattr(recording, "joints", recording), layout, fps
