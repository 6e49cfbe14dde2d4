"""The study's rows as tables in Markdown: all of them, or the few that the README shows.

python -m benchmarks.open_data.table [--readme]
"""

import argparse
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from benchmarks.common import RESULTS

RESULT = RESULTS / "open_data.json"
TITLES = {
    "utd_mhad": "UTD-MHAD, odd subjects -> even",
    "uiprmd_10": "UI-PRMD, odd subjects -> even, 10 movements",
    "uiprmd_20": "UI-PRMD, odd subjects -> even, 20 classes",
}
README_ROWS = ("raw joints", "untrained", "mamp", "stars", "stars-3stage")
README_COLUMNS = (
    "1-NN", "10-NN", "1-NN whitened", "linear", "fine-tune", "1-shot", "5-shot", "silhouette", "NMI"
)  # fmt: skip


def _nearest(space: str, k: int) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: f"{row['knn'][space][f'k={k}']:.1f}" if space in row["knn"] else ""


def _number(name: str, digits: int) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: f"{row[name]:.{digits}f}" if name in row else ""


def _shots(name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: f"{row[name][0]:.1f} ± {row[name][1]:.1f}"


COLUMNS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "1-NN": _nearest("pooled", 1),
    "5-NN": _nearest("pooled", 5),
    "10-NN": _nearest("pooled", 10),
    "1-NN z": _nearest("z", 1),
    "1-NN standardised": _nearest("standardised", 1),
    "1-NN whitened": _nearest("whitened", 1),
    "linear": _number("linear", 1),
    "fine-tune": _number("fine-tune", 1),
    "1-shot": _shots("1-shot"),
    "5-shot": _shots("5-shot"),
    "silhouette": _number("silhouette", 2),
    "NMI": _number("k-means NMI", 2),
}


def render(
    rows: Mapping[str, Any],
    *,
    names: Iterable[str] | None = None,
    columns: Iterable[str] = tuple(COLUMNS),
    sets: Iterable[str] = tuple(TITLES),
) -> str:
    """Show one table for each test set; accuracies in percent, few-shot with 95 % confidence intervals.

    Args:
        rows: of the study, by name.
        names: the rows to show; None: all.
        columns: what to show of each.
        sets: the test sets.
    """
    shown = [name for name in (rows if names is None else names) if name in rows]
    columns = list(columns)
    parts = []
    for data in sets:
        head = [f"**{TITLES[data]}**", "", f"| features | {' | '.join(columns)} |"]
        lines = [
            f"| {name} | {' | '.join(COLUMNS[column](rows[name][data]) for column in columns)} |"
            for name in shown
            if data in rows[name]
        ]
        parts.append("\n".join([*head, "|---" * (len(columns) + 1) + "|", *lines]))
    return "\n\n".join(parts)


def main() -> None:
    """Print the tables of what was measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readme", action="store_true", help="the few rows and columns of the README")
    rows = json.loads(RESULT.read_text())["rows"]
    if parser.parse_args().readme:
        sets = ("utd_mhad", "uiprmd_10")
        print(render(rows, names=README_ROWS, columns=README_COLUMNS, sets=sets))
    else:
        print(render(rows))


if __name__ == "__main__":
    main()
