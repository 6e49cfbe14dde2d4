"""What training runs left in their folders, read back to be drawn."""

import json
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from stars_hub.errors import ConfigError

_NOT_ACCURACIES = {"epoch", "lr", "loss", "seconds"}


@dataclass(frozen=True)
class RunRecord:
    """A run's folder as it was read.

    Args:
        name: of the folder.
        config: config.json.
        history: the records of metrics.jsonl, one an epoch.
    """

    name: str
    config: dict[str, Any]
    history: list[dict[str, Any]]

    def curve(self, metric: str) -> tuple[list[float], list[float]]:
        """Epochs and values, of those epochs that have the metric."""
        pairs = [(record["epoch"], record[metric]) for record in self.history if metric in record]
        return [epoch for epoch, _ in pairs], [value for _, value in pairs]

    def minutes(self, metric: str) -> tuple[list[float], list[float]]:
        """Minutes of training up to each value of the metric, and the values."""
        spent = accumulate(record.get("seconds", 0.0) for record in self.history)
        pairs = [
            (at / 60, record[metric])
            for at, record in zip(spent, self.history, strict=True)
            if metric in record
        ]
        return [at for at, _ in pairs], [value for _, value in pairs]

    @property
    def accuracies(self) -> list[str]:
        """The names of the accuracies that were monitored, such as "knn_20"."""
        names = dict.fromkeys(name for record in self.history for name in record)
        return [name for name in names if name not in _NOT_ACCURACIES]

    def last(self, metric: str) -> float:
        """The metric's last value.

        Raises:
            ConfigError: no epoch has it.
        """
        _, values = self.curve(metric)
        if not values:
            raise ConfigError(f"run {self.name} recorded no {metric!r}; it has {self.accuracies}")
        return values[-1]


def read_run(folder: str | Path) -> RunRecord:
    """Read config.json and metrics.jsonl of a run, one that is still going too.

    Raises:
        ConfigError: the folder holds no run, or its files are damaged.
    """
    folder = Path(folder).expanduser()
    try:
        config = json.loads((folder / "config.json").read_bytes())
        lines = (folder / "metrics.jsonl").read_bytes().split(b"\n")
        # After the last newline comes nothing, or a line that is being written.
        history = [json.loads(line) for line in lines[:-1]]
    except OSError as error:
        raise ConfigError(f"{folder} holds no run: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{folder}: config.json or metrics.jsonl is damaged: {error}") from error
    return RunRecord(folder.resolve().name, config, history)


def common_metric(runs: list[RunRecord], metric: str | None) -> str:
    """The accuracy to compare runs by: as asked for, else the first that all of them monitored.

    Raises:
        ConfigError: there is none.
    """
    if not runs:
        raise ConfigError("at least one run is needed")
    shared = [name for name in runs[0].accuracies if all(name in run.accuracies for run in runs)]
    if metric is None and shared:
        return shared[0]
    if metric is None or any(metric not in record for run in runs for record in [run.accuracies]):
        told = ", ".join(f"{run.name}: {run.accuracies}" for run in runs)
        raise ConfigError(f"no accuracy {metric or ''} that all runs monitored ({told})")
    return metric
