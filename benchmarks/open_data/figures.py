"""The pictures of the README: features of unseen people before and after tuning, and a recording.

    python -m benchmarks.open_data.figures --work FOLDER

Takes the bundled weights and the stores of the study; writes docs/features.png and docs/skeleton.gif.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.open_data.cards import NAMES
from benchmarks.open_data.stores import LAYOUT, TEST
from stars_hub import SkeletonStore, STARSEncoder
from stars_hub.evaluation.plots import plot_tsne, write_animation
from stars_hub.evaluation.plots.figure import save_figure

DOCS = Path(__file__).parents[2] / "docs"
NUM_CLASSES = 15  # as in the paper's figure 3


def main() -> None:
    """Draw both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    store = SkeletonStore.open(parser.parse_args().work / TEST)
    features = {name: STARSEncoder.from_pretrained(name).encode(store) for name in NAMES.values()}
    names = store.label_names or []
    chosen = list(range(0, len(names), 2))[:NUM_CLASSES]
    DOCS.mkdir(exist_ok=True)
    figure = plot_tsne(features, np.asarray(store.labels), names, classes=chosen)
    save_figure(figure, DOCS / "features.png")
    first = int(np.flatnonzero(np.asarray(store.labels) == names.index("tennis swing"))[0])
    write_animation(DOCS / "skeleton.gif", store[first].joints, LAYOUT, title="tennis swing (UTD-MHAD)")


if __name__ == "__main__":
    main()
