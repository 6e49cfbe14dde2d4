"""Predictions as text and as files: .csv or .json."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from stars_hub.classifiers.base import Guess
from stars_hub.files import check_target as check_output
from stars_hub.files import output_file


def render_predictions(names: Sequence[str], guesses: Sequence[Sequence[Guess]]) -> str:
    """A line a recording, its name and its guesses with percentages, in columns.

    >>> print(render_predictions(["a", "clip"], [[Guess("kick", 0.9)], [Guess("up", 0.25)]]))
    a     kick  90.0 %
    clip  up    25.0 %
    """
    width = max(map(len, names), default=0)
    labels = max((len(guess.label) for row in guesses for guess in row), default=0)
    lines = [
        f"{name:{width}}" + "".join(f"  {label:{labels}} {100 * share:5.1f} %" for label, share in row)
        for name, row in zip(names, guesses, strict=True)
    ]
    return "\n".join(lines)


def write_predictions(path: str | Path, names: Sequence[str], guesses: Sequence[Sequence[Guess]]) -> Path:
    """Write predictions; the suffix says in which format.

    - `.csv`: a header `name,label,probability,label2,probability2,…`, then a row a recording;
    - `.json`: a list of {"name": …, "guesses": [{"label": …, "probability": …}, …]}.

    Args:
        path: the file; appears whole or not at all.
        names: N names.
        guesses: for each recording as many, the likeliest first.

    Raises:
        ConfigError: an unknown suffix, or a folder that cannot be written to.
    """
    path = check_target(path)
    with output_file(path) as temporary:
        (_write_csv if path.suffix.lower() == ".csv" else _write_json)(temporary, names, guesses)
    return path


def check_target(path: str | Path) -> Path:
    """Say at once, before anything is computed, that predictions cannot be written to such a file.

    Raises:
        ConfigError: an unknown suffix, or a folder that is not there or not to be written to.
    """
    return check_output(path, (".csv", ".json"), "predictions are written as .csv or .json")


def _write_csv(path: Path, names: Sequence[str], guesses: Sequence[Sequence[Guess]]) -> None:
    count = len(guesses[0]) if guesses else 1
    header = ["name"]
    for place in range(1, count + 1):
        header += [f"label{place if place > 1 else ''}", f"probability{place if place > 1 else ''}"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for name, row in zip(names, guesses, strict=True):
            writer.writerow([name, *(value for guess in row for value in guess)])


def _write_json(path: Path, names: Sequence[str], guesses: Sequence[Sequence[Guess]]) -> None:
    content = [
        {"name": name, "guesses": [guess._asdict() for guess in row]}
        for name, row in zip(names, guesses, strict=True)
    ]
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
