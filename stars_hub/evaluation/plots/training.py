"""Training runs: curves, ablation sweeps, accuracy against training time."""

from collections.abc import Sequence as SequenceOf
from pathlib import Path
from typing import Any

from stars_hub.errors import ConfigError
from stars_hub.evaluation.palette import style_of
from stars_hub.evaluation.plots.figure import Figure, new_figure, tidy
from stars_hub.evaluation.runs import RunRecord, common_metric, read_run

_LINES = ("-", "--", ":", "-.")


def plot_curves(runs: SequenceOf[str | Path]) -> Figure:
    """Loss and monitored accuracies by epoch, of one or several run folders.

    Args:
        runs: folders that `pretrain`, `tune` or `finetune` wrote; a run that is still going will do.

    Raises:
        ConfigError: no folder, or one that holds no run.
        MissingExtraError: matplotlib is not installed.
    """
    records = [read_run(run) for run in runs]
    if not records:
        raise ConfigError("at least one run is needed")
    names = list(dict.fromkeys(name for record in records for name in record.accuracies))
    figure = new_figure(8.6 if names else 4.6, 3.4)
    panels = figure.subplots(1, 2 if names else 1, squeeze=False)[0]
    for index, record in enumerate(records):
        _line(panels[0], *record.curve("loss"), index=index, label=record.name)
        for style, name in zip(_LINES, (name for name in names if record.curve(name)[0]), strict=False):
            label = f"{record.name}: {name}" if len(records) > 1 else name
            _line(panels[1], *record.curve(name), index=index, label=label, line=style)
    for axes, what in zip(panels, ("loss", "accuracy (%)"), strict=False):
        _named(axes, "epoch", what, legend=len(records) > 1 or what != "loss")
    return figure


def plot_sweep(field: str, runs: SequenceOf[str | Path], *, metric: str | None = None) -> Figure:
    """The last accuracy of runs that differ in one field of their configuration.

    Args:
        field: of config.json, such as "layer_decay"; "encoder.depth" reaches into a nested one.
        runs: their folders.
        metric: such as "knn_20"; None: the first that all runs monitored.

    Raises:
        ConfigError: no run, a run without the field, or no metric that all of them have.
        MissingExtraError: matplotlib is not installed.

    Reference: STARS (arXiv 2407.10935), figure 4.
    """
    records = [read_run(run) for run in runs]
    metric = common_metric(records, metric)
    points = [(_field(record, field), record.last(metric)) for record in records]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value, _ in points)
    points = sorted(points) if numeric else points
    values, accuracies = zip(*points, strict=True)
    shown = values if numeric else tuple(map(str, values))
    figure = new_figure(4.6, 3.4)
    axes = figure.add_subplot()
    color, _ = style_of(0)
    axes.plot(shown, accuracies, color=color, marker="o", markersize=5, linestyle="-" if numeric else "none")
    for value, accuracy in zip(shown, accuracies, strict=True):
        place = {"textcoords": "offset points", "xytext": (0, 7), "ha": "center", "fontsize": 8}
        axes.annotate(f"{accuracy:.1f}", (value, accuracy), **place)
    axes.margins(0.1, 0.18)
    _named(axes, field, f"{metric} (%)", legend=False)
    if numeric and len(set(values)) <= 10:
        axes.set_xticks(sorted(set(values)))
    return figure


def plot_time(runs: SequenceOf[str | Path], *, metric: str | None = None) -> Figure:
    """A monitored accuracy against the minutes trained so far.

    Args:
        runs: folders; what they spent on looking at the accuracy itself is not counted.
        metric: such as "knn_20"; None: the first that all runs monitored.

    Raises:
        ConfigError: no run, or no metric that all of them have.
        MissingExtraError: matplotlib is not installed.

    Reference: STARS (arXiv 2407.10935), figure 1.
    """
    records = [read_run(run) for run in runs]
    metric = common_metric(records, metric)
    figure = new_figure(4.6, 3.4)
    axes = figure.add_subplot()
    for index, record in enumerate(records):
        _line(axes, *record.minutes(metric), index=index, label=record.name)
    _named(axes, "training time (minutes)", f"{metric} (%)", legend=True)
    return figure


def _line(axes: Any, xs: list[float], ys: list[float], *, index: int, label: str, line: str = "-") -> None:
    color, marker = style_of(index)
    every = max(1, len(xs) // 12)
    style = {"color": color, "marker": marker, "markersize": 4, "linewidth": 1.4, "linestyle": line}
    axes.plot(xs, ys, label=label, markevery=every, **style)


def _named(axes: Any, x: str, y: str, *, legend: bool) -> None:
    tidy(axes)
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    if legend:
        axes.legend(fontsize=7.5, frameon=False)


def _field(record: RunRecord, field: str) -> Any:
    value: Any = record.config
    for part in field.split("."):
        if not isinstance(value, dict) or part not in value:
            raise ConfigError(f"the configuration of run {record.name} has no field {field!r}")
        value = value[part]
    return value
