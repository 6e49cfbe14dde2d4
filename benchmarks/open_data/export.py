"""From runs to what the package ships: encoders in half precision with their cards, and the runs' logs.

    python -m benchmarks.open_data.export --work FOLDER

Takes the runs `mamp` and `stars` of the study and its results, refuses weights whose features change in half
precision, and writes stars_hub/checkpoints/bundled/ and benchmarks/results/open_data/.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

import stars_hub
from benchmarks.open_data.cards import NAMES, write_card
from benchmarks.open_data.encoders import run_folder
from benchmarks.open_data.table import RESULT
from stars_hub import SkeletonStore, STARSEncoder

BUNDLED = Path(stars_hub.__file__).parent / "checkpoints" / "bundled"
LOGS = ("mamp-120-epochs", "mamp", "stars")  # the runs that made them, in order
LARGEST_CHANGE = 1e-2  # of any feature, against float32

DATASETS = {
    "ui-prmd": "2,000 recordings of 10 people",
    "utd-mhad": "431 recordings of the 4 people with odd numbers",
    "irds": "188 recordings of 3 people",
}
TUNED_ON = {"ui-prmd": f"{DATASETS['ui-prmd']}, of which tuning saw 200"}
COMMANDS = (
    "# in the source archive; benchmarks/open_data/README.md says what RECORDINGS holds",
    "pip install '.[test]'",
    "python -m benchmarks.open_data --data RECORDINGS --work FOLDER --only mamp stars --finetune",
)
PROTOCOLS = {
    "utd_mhad": ("UTD-MHAD", "cross-subject: bank odd subjects (431), queries even subjects (430)"),
    "uiprmd_10": (
        "UI-PRMD",
        "10 movements, bank odd subjects, queries even ones (all seen unlabelled in pretraining)",
    ),
}


def main() -> None:
    """Export both stages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    results = json.loads(RESULT.read_text())
    for name in LOGS:
        keep_log(run_folder(options.work, name), RESULT.parent / "open_data")
    stages: tuple[Literal["mamp", "stars"], ...] = ("mamp", "stars")
    for stage in stages:
        last = run_folder(options.work, stage) / "last"
        model = export(stage, last, results, SkeletonStore.open(options.work / "utd_odd"))
        size = sum(file.stat().st_size for file in model.iterdir())
        print(f"{model}: {size / 2**20:.2f} MiB")


def export(
    stage: Literal["mamp", "stars"], model: Path, results: Mapping[str, Any], store: SkeletonStore
) -> Path:
    """Write one encoder in half precision, with its card.

    Args:
        stage: what the weights went through.
        model: the folder of the run's model.
        results: of the study, with a row of the stage's name.
        store: whose features are compared.

    Raises:
        ValueError: half precision changes a feature too much.
    """
    encoder = STARSEncoder.from_pretrained(model)
    environment = {**results["environment"], "stars_hub": stars_hub.__version__}
    provenance = {
        "config": encoder.config.to_dict(),
        "datasets": DATASETS | (TUNED_ON if stage == "stars" else {}),
        "commands": COMMANDS,
        "environment": environment,
    }
    card = write_card(stage, metrics(results["rows"][stage], results["rows"]["raw joints"]), provenance)
    with tempfile.TemporaryDirectory() as scratch:
        half = STARSEncoder.from_pretrained(encoder.save_pretrained(scratch, dtype=torch.float16))
        change = float(
            np.abs(encoder.encode(store, progress=False) - half.encode(store, progress=False)).max()
        )
    print(f"{NAMES[stage]}: float16 changes features by at most {change:.1e}")
    if not change <= LARGEST_CHANGE:
        raise ValueError(f"half precision changes a feature by {change}, more than {LARGEST_CHANGE}")
    return encoder.save_pretrained(BUNDLED / NAMES[stage], dtype=torch.float16, card=card)


def metrics(row: Mapping[str, Any], joints: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The figures of a card: k-NN, few-shot and the linear layer on both datasets.

    Args:
        row: of the study, for the encoder.
        joints: of the study, for the joints themselves.
    """
    found = []
    for key, (dataset, protocol) in PROTOCOLS.items():
        columns, without = row[key], joints[key]
        figures = _figures(columns) | {
            f"{name}, no encoder, centred joints": value for name, value in _figures(without).items()
        }
        found += [
            {"dataset": dataset, "value": value, "protocol": f"{name}, {protocol}"}
            for name, value in figures.items()
        ]
    return found


def _figures(columns: Mapping[str, Any]) -> dict[str, float]:
    knn = columns["knn"]
    found = {f"{k.removeprefix('k=')}-NN": value for k, value in knn["pooled"].items()}
    if "whitened" in knn:
        found["1-NN, whitened features"] = knn["whitened"]["k=1"]
    shots = {f"5-way {shots}": columns[shots][0] for shots in ("1-shot", "5-shot")}
    return found | shots | {"linear": columns["linear"]}


def keep_log(run: Path, folder: Path) -> None:
    """Keep a run's settings, its stores and models by name alone, and its numbers of every epoch."""
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads((run / "config.json").read_text())
    for field in ("data", "monitor_data"):
        config[field] = [Path(store).name for store in config[field]]
    config["output"] = Path(config["output"]).name
    if config["model"]:
        config["model"] = "/".join(Path(config["model"]).parts[-2:])
    (folder / f"{run.name}-config.json").write_text(json.dumps(config, indent=1) + "\n")
    shutil.copyfile(run / "metrics.jsonl", folder / f"{run.name}-metrics.jsonl")


if __name__ == "__main__":
    main()
