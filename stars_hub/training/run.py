"""A run's folder: what it was asked for, what came of it epoch by epoch, and its models.

config.json        the configuration, resolved, and the data's fingerprint
metrics.jsonl      a line an epoch
last/ best/        ordinary model folders
resume.safetensors everything needed to go on (`training.state`)
tensorboard/       where asked for
"""

import dataclasses
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from stars_hub.errors import CheckpointError, ConfigError, MissingExtraError
from stars_hub.files import is_temporary, whole_file
from stars_hub.training.config import TrainConfig, differing_fields


class RunFolder:
    """A run's folder, new or found, to be entered; on all but the main process nothing is written.

    Args:
        config: what is asked for; `config.output` is the folder.
        data: fingerprint of what is trained on.
        writes: whether this process is the one that writes.

    Raises:
        ConfigError: the folder holds a run with another configuration or other data, or something else.
    """

    def __init__(self, config: TrainConfig, *, data: str, writes: bool = True) -> None:
        if not config.output:
            raise ConfigError("output must name the run's folder")
        self.folder = Path(config.output).expanduser()
        self.last, self.best = self.folder / "last", self.folder / "best"
        self.state = self.folder / "resume.safetensors"
        self.metrics = self.folder / "metrics.jsonl"
        self.writes = writes
        self._config, self._data = config, data
        self._board: Any = None
        self._lock: int | None = None

    def name_of(self, model: Path) -> str:
        """What a card calls one of the run's models: "mine/best" loads it beside the run's folder."""
        return f"{self.folder.resolve().name}/{model.name}"

    def __enter__(self) -> "RunFolder":
        self._check(self._config, self._data)
        if self.writes:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._lock = _locked(self.folder / ".lock")
                self._sweep()
                self._write_config()
            except OSError as error:
                raise ConfigError(
                    f"output {self.folder} cannot be written: {error.strerror or error}"
                ) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._board is not None:
            self._board.close()
        if self._lock is not None:
            os.close(self._lock)

    def _write_config(self) -> None:
        if self.state.exists():
            return
        header = {"stage": type(self._config).__name__, "data_fingerprint": self._data}
        content = json.dumps({**header, **self._config.to_dict()}, indent=2, ensure_ascii=False) + "\n"
        with whole_file(self.folder / "config.json") as temporary:
            temporary.write_text(content, encoding="utf-8")

    def _sweep(self) -> None:
        """Remove what a killed run was about to write."""
        for folder in (self.folder, self.last, self.best):
            for left in folder.glob(".*.tmp"):
                if is_temporary(left):
                    shutil.rmtree(left) if left.is_dir() else left.unlink()

    def _check(self, config: TrainConfig, data: str) -> None:
        if file := next((path for path in (self.folder, *self.folder.parents) if path.is_file()), None):
            raise ConfigError(f"output {self.folder} cannot be a run's folder: {file} is a file")
        path = self.folder / "config.json"
        # One look: between two, the process that writes may put the file there.
        names = {entry.name for entry in self.folder.iterdir()} if self.folder.is_dir() else set()
        if path.name not in names:
            if any(not name.startswith(".") for name in names):
                raise ConfigError(f"{self.folder} is not empty and holds no run: give another folder")
            return
        try:
            saved = json.loads(path.read_bytes())
        except ValueError as error:
            raise ConfigError(f"{path} is not JSON: {error}") from error
        if not isinstance(saved, dict) or not saved.keys() >= {"stage", "data_fingerprint"}:
            raise ConfigError(f"{path} is not that of a run: give another folder")
        if not self.state.exists():  # it never came to its first checkpoint
            return
        differing = differing_fields(config, saved)
        for key, value in (("stage", type(config).__name__), ("data_fingerprint", data)):
            if saved.get(key) != value:
                differing.insert(0, f"{key} (there {saved.get(key)!r}, here {value!r})")
        if differing:
            raise ConfigError(
                f"{self.folder} holds a run with another configuration: {'; '.join(differing)}. Give another "
                "folder, or the same configuration to resume it"
            )

    def rewind(self, epoch: int | None) -> None:
        """Drop what was recorded of epochs after `epoch` (None: of all), and a last line cut short."""
        if not self.writes:
            return
        if self._config.tensorboard:
            first = 0 if epoch is None else epoch + 1
            self._board = _summary_writer()(str(self.folder / "tensorboard"), purge_step=first)
        if not self.metrics.exists():
            return
        kept = [record for record in self.history() if epoch is not None and record["epoch"] <= epoch]
        text = "".join(json.dumps(record) + "\n" for record in kept)
        if text.encode() != self.metrics.read_bytes():
            with whole_file(self.metrics) as temporary:
                temporary.write_text(text, encoding="utf-8")

    def history(self) -> list[dict[str, Any]]:
        """The records of all epochs so far."""
        lines = self.metrics.read_bytes().split(b"\n") if self.metrics.exists() else []
        return [
            json.loads(line) for line in lines[:-1]
        ]  # after the last newline: nothing, or a line cut short

    def record(self, metrics: dict[str, Any]) -> None:
        """Append an epoch's record, and say it."""
        if not self.writes:
            return
        try:
            with self.metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(metrics) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise CheckpointError(f"cannot write {self.metrics}: {error.strerror or error}") from error
        if self._board is not None:
            for name, value in metrics.items():
                self._board.add_scalar(name, value, metrics["epoch"])
            self._board.flush()
        self.say("  ".join(f"{name} {_short(value)}" for name, value in metrics.items()))

    def say(self, text: str) -> None:
        """Print a line, above the progress bar."""
        if self.writes:
            tqdm.write(text)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _locked(path: Path) -> int:
    """Take the folder for this process; the system frees it when the process ends, however it does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise ConfigError(f"another process is running in {path.parent}") from error
    return descriptor


def _summary_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("tensorboard", "tensorboard") from error
    return SummaryWriter


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """What a finished run left.

    Attributes:
        folder: the run's.
        last: model folder of the last weights.
        best: model folder of the weights with the best monitored accuracy, or None if none was monitored.
        history: the records of metrics.jsonl.
    """

    folder: Path
    last: Path
    best: Path | None
    history: list[dict[str, Any]]
