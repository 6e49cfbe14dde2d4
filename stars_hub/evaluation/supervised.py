"""The protocols that train the encoder too: fine-tuning, on all labels or on few, and transfer.

Reference: STARS (arXiv 2407.10935) section 4.3; MAMP (arXiv 2308.07092) section 4.3.
"""

import dataclasses
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stars_hub.distributed import world_size
from stars_hub.errors import ConfigError, LayoutError
from stars_hub.evaluation.description import RAW
from stars_hub.evaluation.inputs import LabelledSplit
from stars_hub.evaluation.results import Evaluation, provenance, score_metrics
from stars_hub.model.config import EncoderConfig
from stars_hub.model.preparation import Preparation, prepared_batches
from stars_hub.objectives import Classification
from stars_hub.recipes import configure
from stars_hub.training.config import FinetuneConfig
from stars_hub.training.data import TrainData, class_names
from stars_hub.training.finetuning import FinetuneStage
from stars_hub.training.loop import train
from stars_hub.training.subset import stratified_subset

# What the protocol decides: the recordings, that no label of the test is looked at, and the parts of `semi`.
_DECIDED = ("data", "output", "model", "split", "subjects", "fraction", "subset_seed", "device", "progress")


def finetune_settings() -> set[str]:
    """The fields of `FinetuneConfig` that a protocol's caller may set."""
    names = {field.name for field in dataclasses.fields(FinetuneConfig)} - set(_DECIDED)
    return {name for name in names if not name.startswith("monitor") and name != "patience"}


def evaluate_finetuning(
    model: str | Path,
    parts: LabelledSplit,
    *,
    runs_folder: str | Path | None = None,
    device: str | torch.device | None = None,
    progress: bool | None = None,
    **settings: Any,
) -> Evaluation:
    """Fine-tune: train encoder and head on all training recordings, and test the last classifier.

    Transfer is the same, with an encoder that was trained on another dataset.

    Args:
        model: name of the encoder; "": from scratch.
        parts: the recordings.
        runs_folder: where the run is kept, and resumed if it was interrupted; None: it is thrown away.
            Under `torchrun` it must be given.
        device: where to compute; None: a GPU if there is one.
        progress: show a bar; None: on a terminal.
        **settings: other fields of `FinetuneConfig`; from scratch, `layer_decay` is 1 unless it is given, and
            `encoder` may be a mapping of
            what is to differ from the default.

    Returns:
        Metrics "accuracy" and, with more than five classes, "top-5"; scores are logits.

    Raises:
        ConfigError: a setting that cannot be, or test recordings of classes that are not learned.
        LayoutError: training and test recordings are of different layouts.
    """
    with _folder(runs_folder) as folder:
        run = _Run(model, parts, folder / "finetune", device, progress, settings)
    return run.evaluation("finetune", score_metrics(run.scores, parts.test_labels))


def evaluate_semi(
    model: str | Path,
    parts: LabelledSplit,
    *,
    fraction: float = 0.1,
    runs: int = 5,
    runs_folder: str | Path | None = None,
    device: str | torch.device | None = None,
    progress: bool | None = None,
    **settings: Any,
) -> Evaluation:
    """Semi-supervised: fine-tune on few labels, drawn anew for each of several runs.

    Run r draws its part and trains with the seed + r. The part is stratified, the same share of every class
    and at least one recording of each; the paper says no more than that it is random.

    Args:
        model: as for `evaluate_finetuning`.
        parts: the recordings.
        fraction: of the training recordings; 0.01 and 0.1 in the paper.
        runs: how many.
        runs_folder: as for `evaluate_finetuning`.
        device: as for `evaluate_finetuning`.
        progress: as for `evaluate_finetuning`.
        **settings: as for `evaluate_finetuning`.

    Returns:
        Metrics "accuracy", the mean over the runs, "accuracy std" (n - 1), and each run's accuracy;
        predictions, scores and curves are those of the first run.

    Raises:
        ConfigError: a setting that cannot be.
    """
    if runs < 1 or not 0 < fraction < 1:
        raise ConfigError(f"expected runs >= 1 and a fraction in (0, 1), got {runs} and {fraction}")
    first_seed = settings.pop("seed", 0)
    done = []
    with _folder(runs_folder) as folder:
        for seed in range(first_seed, first_seed + runs):
            chosen = stratified_subset(parts.train.labels, fraction, seed=seed)
            part = parts._replace(train=parts.train.select(chosen))
            given = {**settings, "seed": seed, "fraction": fraction, "subset_seed": seed}
            done.append(_Run(model, part, folder / f"semi_{seed}", device, progress, given))
    found = [score_metrics(run.scores, parts.test_labels)["accuracy"] for run in done]
    metrics = {"accuracy": float(np.mean(found))}
    if runs > 1:
        metrics["accuracy std"] = float(np.std(found, ddof=1))
    metrics |= {f"run {number}": value for number, value in enumerate(found, start=1)}
    result = done[0].evaluation("semi", metrics)
    result.settings |= {"runs": runs, "subset": "stratified, at least one of each class"}
    return result


class _Run:
    """A fine-tuned classifier's scores (Q, K) of the test recordings, and how it was trained."""

    def __init__(
        self,
        model: str | Path,
        parts: LabelledSplit,
        folder: Path,
        device: str | torch.device | None,
        progress: bool | None,
        settings: dict[str, Any],
    ) -> None:
        if not isinstance(model, str | Path) or str(model) == RAW:
            raise ConfigError(f"fine-tuning starts from a model's name, or from '', got {model!r}")
        _check_parts(parts)
        defaults: dict[str, Any] = {"batch_size": min(FinetuneConfig.batch_size, len(parts.train))}
        if not str(model):
            defaults["layer_decay"] = 1.0  # nothing is pretrained that lower layers should keep
        if isinstance(encoder := settings.get("encoder"), Mapping):
            settings = {**settings, "encoder": _new_encoder(encoder)}
        chosen = dict(
            model=str(model),
            data=(str(parts.train.folder),),
            output=str(folder),
            device=None if device is None else str(device),
            progress=progress,
            monitor_every=0,
            **settings,
        )
        config = configure(FinetuneConfig, chosen, **defaults)
        self.parts = parts
        data = TrainData(parts.train)
        stage = FinetuneStage(config, data)
        self.config = stage.config  # with the size of the encoder
        result = train(stage, data)
        self.losses = [record["loss"] for record in result.history if "loss" in record]
        self.scores = self._test(Classification.from_pretrained(result.last))

    def _test(self, classifier: Classification) -> np.ndarray:
        kind = self.config.device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.device = torch.device(kind)
        config = classifier.eval().to(self.device).encoder.config
        test = self.parts.test
        preparation = Preparation(config, test.layout)
        batches = prepared_batches(test, preparation, batch_size=self.config.batch_size, progress=False)
        with torch.inference_mode():
            logits = torch.cat([classifier(x.to(self.device)).float().cpu() for x in batches])
        return logits.numpy()[:, self.parts.classes]

    def evaluation(self, protocol: str, metrics: dict[str, float]) -> Evaluation:
        """What the run found, with all of its settings."""
        parts = self.parts
        decided = {name for name in _DECIDED if name not in ("fraction", "subset_seed")}
        settings = {name: value for name, value in self.config.to_dict().items() if name not in decided}
        return Evaluation(
            protocol=protocol,
            metrics=metrics,
            settings=settings,
            provenance=provenance(
                self.config.model or "from scratch", parts.fingerprints, parts.counts, device=self.device
            ),
            label_names=parts.label_names,
            truth=parts.test_labels,
            predictions=self.scores.argmax(axis=1),
            scores=self.scores,
            names=parts.test.names.tolist(),
            curves={"loss": self.losses},
        )


def _new_encoder(changes: Mapping[str, Any]) -> EncoderConfig:
    """The size of a new encoder, of what is to differ from the default."""
    default = EncoderConfig().to_dict()
    if unknown := sorted(changes.keys() - default.keys()):
        raise ConfigError(f"encoder has no setting {', '.join(unknown)}; it has {', '.join(default)}")
    return EncoderConfig.from_dict({**default, **changes})


def _check_parts(parts: LabelledSplit) -> None:
    """Say before hours of training that the test cannot be asked about."""
    if parts.classes[-1] >= len(class_names(parts.train)):
        raise ConfigError("the test recordings have classes that the training recordings have not")
    known, asked = parts.train.layout, parts.test.layout
    if (known.name, known.num_joints) != (asked.name, asked.num_joints):
        raise LayoutError(
            f"the training recordings have layout {known.name!r} with {known.num_joints} joints, the test "
            f"recordings {asked.name!r} with {asked.num_joints}: convert one once, "
            f"store.copy(folder, layout={known.name!r})"
        )


@contextmanager
def _folder(given: str | Path | None) -> Iterator[Path]:
    if given is not None:
        yield Path(given)
        return
    # torchrun's processes join each other only when training starts.
    if max(world_size(), int(os.environ.get("WORLD_SIZE", 1))) > 1:
        raise ConfigError("several processes train in one folder: name it, runs_folder")
    with tempfile.TemporaryDirectory(prefix="stars_hub_") as folder:
        yield Path(folder)
