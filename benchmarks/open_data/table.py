"""The study's rows as tables that a README can hold."""

from collections.abc import Mapping
from typing import Any

TITLES = {
    "utd_mhad": "UTD-MHAD, odd subjects -> even",
    "uiprmd_10": "UI-PRMD, odd subjects -> even, 10 movements",
    "uiprmd_20": "UI-PRMD, odd subjects -> even, 20 classes",
}
COLUMNS = (
    *("1-NN", "5-NN", "10-NN", "1-NN z", "1-NN standardised", "1-NN whitened"),
    *("linear", "fine-tune", "1-shot", "5-shot", "silhouette", "NMI"),
)


def render(rows: Mapping[str, Any]) -> str:
    """One table a test set, in Markdown; accuracies in percent."""
    parts = []
    for data, title in TITLES.items():
        lines = [f"**{title}**", "", f"| features | {' | '.join(COLUMNS)} |"]
        lines.append("|---" * (len(COLUMNS) + 1) + "|")
        lines += [_line(name, row[data]) for name, row in rows.items() if data in row]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _line(name: str, row: Mapping[str, Any]) -> str:
    knn = row["knn"]
    others = [
        f"{knn[space]['k=1']:.1f}" if space in knn else "" for space in ("z", "standardised", "whitened")
    ]
    shots = [f"{row[shot][0]:.1f} ± {row[shot][1]:.1f}" for shot in ("1-shot", "5-shot")]
    cells = [*(f"{value:.1f}" for value in knn["pooled"].values()), *others, f"{row['linear']:.1f}"]
    cells += [f"{row['fine-tune']:.1f}" if "fine-tune" in row else "", *shots]
    cells += [f"{row['silhouette']:.2f}", f"{row['k-means NMI']:.2f}"]
    return f"| {name} | {' | '.join(cells)} |"
