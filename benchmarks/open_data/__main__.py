"""Do the claims of STARS hold on open recordings?

One command, which goes on where it was interrupted:

    python -m benchmarks.open_data --data RECORDINGS --work FOLDER

RECORDINGS holds UI-PRMD, UTD-MHAD and a sample of IntelliRehabDS as NAME.npz and NAME.json (see README.md in
this folder). FOLDER gets stores and runs. Writes benchmarks/results/open_data.json and prints its table; the
rows that are already there stay, unless --again is given.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import environment
from benchmarks.open_data.encoders import PRETRAINED, TUNED, train_encoder, untrained
from benchmarks.open_data.finetuning import FINETUNED, finetuned
from benchmarks.open_data.stores import make_stores
from benchmarks.open_data.study import assess, test_sets
from benchmarks.open_data.table import RESULT, render
from stars_hub.files import whole_file

BASELINES = ("raw joints", "untrained")


def main() -> None:
    """Make what is missing: stores, encoders, rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*BASELINES, *PRETRAINED, *TUNED]
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="ROW")
    parser.add_argument("--finetune", nargs="*", choices=FINETUNED, default=FINETUNED, metavar="ROW")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="measure rows anew")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    make_stores(options.data, options.work)
    found: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {"rows": {}}
    for name in options.only:
        if name not in found["rows"] or options.again:
            model = model_of(options.work, name)
            found["rows"][name] = {data: assess(model, sets) for data, sets in test_sets(options.work)}
            _write(found)
    for name in (name for name in options.finetune if name in found["rows"]):
        row = found["rows"][name]["utd_mhad"]
        if "fine-tune" not in row or options.again:
            row["fine-tune"] = finetuned(options.work, name)
            _write(found)
    print(render(found["rows"]))


def _write(found: dict[str, Any]) -> None:
    found["environment"] = environment()
    with whole_file(RESULT) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")


def model_of(work: Path, name: str) -> Path | str:
    """The model of a row, trained if it is not there yet."""
    if name == "raw joints":
        return "raw"
    return untrained(work) if name == "untrained" else train_encoder(work, name)


if __name__ == "__main__":
    main()
