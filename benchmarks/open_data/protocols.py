"""Every protocol on people never seen: UTD-MHAD's odd subjects to learn from, its even ones to ask about.

    python -m benchmarks.open_data.protocols --work FOLDER

Takes the stores and runs of the study, which must be there, and the bundled `stars-mini`. Writes
benchmarks/results/open_data_protocols.json, and a report of the linear protocol to FOLDER; goes on where it
was interrupted.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import RESULTS, environment
from benchmarks.open_data.cards import NAMES
from benchmarks.open_data.encoders import run_folder
from benchmarks.open_data.finetuning import finetune_fields
from benchmarks.open_data.stores import TEST
from stars_hub import SkeletonStore
from stars_hub.evaluation import evaluate
from stars_hub.evaluation.report import write_report
from stars_hub.files import whole_file

RESULT = RESULTS / "open_data_protocols.json"


def main() -> None:
    """Run what has not been run yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    work, stars = options.work, NAMES["stars"]
    known, asked = SkeletonStore.open(work / "utd_odd"), SkeletonStore.open(work / TEST)
    found: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for name, (protocol, model, settings) in protocols(work, stars).items():
        if name in found:
            continue
        result = evaluate(protocol, model, known, test=asked, progress=False, **settings)
        print(f"{name}\n{result.table()}\n", flush=True)
        found[name] = {"metrics": result.metrics, "settings": result.settings, "environment": environment()}
        with whole_file(RESULT) as temporary:
            temporary.write_text(json.dumps(found, indent=1, default=str) + "\n")
        if name == "linear":
            write_report(work / "report.html", result, recordings=asked)


def protocols(work: Path, stars: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """By title: the protocol, the model, and its settings."""
    once: dict[str, Any] = {"augment": False}
    other = str(run_folder(work, "small-stars-without-utd") / "last")
    runs: dict[str, Any] = {"runs_folder": work / "protocols"}
    return {
        "knn": ("knn", stars, {}),
        "knn, whitened": ("knn", stars, {"features": "whitened"}),
        "few_shot": ("few_shot", stars, {}),
        "clustering": ("clustering", stars, {}),
        "linear": ("linear", stars, {"batch_size": 64}),
        "linear, features kept": ("linear", stars, {"batch_size": 64} | once),
        "ensemble of joint, bone, motion": ("ensemble", stars, {"batch_size": 64} | once),
        "semi, 10 %": ("semi", stars, {"fraction": 0.1, "runs": 3} | runs | finetune_fields(stars)),
        "transfer from UI-PRMD and IRDS": ("transfer", other, runs | finetune_fields(other)),
        "knn, raw joints": ("knn", "raw", {}),
    }


if __name__ == "__main__":
    main()
