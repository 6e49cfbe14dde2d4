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
from pathlib import Path
from typing import Any

from tqdm import tqdm

from stars_hub.errors import ConfigError, MissingExtraError
from stars_hub.files import whole_file
from stars_hub.training.config import TrainConfig, differing_fields


class RunFolder:
    """A run's folder, new or found; on all but the main process nothing is written.

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
        self._board: Any = None
        self._check(config, data)
        if writes:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / "config.json").exists():
                stage = {"stage": type(config).__name__, "data_fingerprint": data}
                content = json.dumps({**stage, **config.to_dict()}, indent=2, ensure_ascii=False) + "\n"
                with whole_file(self.folder / "config.json") as temporary:
                    temporary.write_text(content, encoding="utf-8")
            if config.tensorboard:
                self._board = _tensorboard(self.folder / "tensorboard")

    def _check(self, config: TrainConfig, data: str) -> None:
        path = self.folder / "config.json"
        if not path.exists():
            if self.folder.is_dir() and any(
                not entry.name.startswith(".") for entry in self.folder.iterdir()
            ):
                raise ConfigError(f"{self.folder} is not empty and holds no run: give another folder")
            return
        try:
            saved = json.loads(path.read_bytes())
        except ValueError as error:
            raise ConfigError(f"{path} is not JSON: {error}") from error
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
        """Drop what metrics.jsonl says of epochs after `epoch` (None: of all), and a last line cut short."""
        if not self.writes or not self.metrics.exists():
            return
        kept = [record for record in self.history() if epoch is not None and record["epoch"] <= epoch]
        text = "".join(json.dumps(record) + "\n" for record in kept)
        if text.encode() != self.metrics.read_bytes():
            with whole_file(self.metrics) as temporary:
                temporary.write_text(text, encoding="utf-8")

    def history(self) -> list[dict[str, Any]]:
        """The records of all epochs so far."""
        lines = self.metrics.read_bytes().split(b"\n")[:-1] if self.metrics.exists() else []
        records = []
        for line in lines:
            try:
                records.append(json.loads(line))
            except ValueError:  # a line that a crash of the machine left
                break
        return records

    def record(self, metrics: dict[str, Any]) -> None:
        """Append an epoch's record, and say it."""
        if not self.writes:
            return
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")
            file.flush()
            os.fsync(file.fileno())
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


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("tensorboard", "tensorboard") from error
    return SummaryWriter(str(folder))  # type: ignore[no-untyped-call]


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
