"""Which subjects are kept out of training: never all who show a class, which then could not be learned."""

import numpy as np
import numpy.typing as npt

from stars_hub.transforms.keyed import keyed_order


def draw_subjects(
    labels: npt.NDArray[np.int64],
    subjects: npt.NDArray[np.str_],
    known: list[str],
    fraction: float,
    *,
    seed: int,
    purpose: int,
) -> npt.NDArray[np.bool_]:
    """Draw whole subjects in a random order, passing over whoever alone still shows some class.

    Args:
        labels: (N,), the classes.
        subjects: (N,), who is recorded.
        known: the subjects that may be drawn, each once.
        fraction: the part of them that is drawn, one at least; fewer if classes ask for it, perhaps none.
        seed: of the order.
        purpose: what the order is for, see `keyed_order`.

    Returns:
        (N,), True where a recording is of a drawn subject.
    """
    left, mask = max(1, round(fraction * len(known))), np.zeros(len(labels), dtype=bool)
    for place in keyed_order(seed, 0, len(known), purpose=purpose):
        with_this = mask | (subjects == known[place])
        if left and not lost_classes(labels, labels[~with_this]):
            mask, left = with_this, left - 1
    return mask


def lost_classes(labels: npt.NDArray[np.int64], left: npt.NDArray[np.int64]) -> list[int]:
    """The classes, ascending, of which none is left to train on.

    Args:
        labels: (N,), the classes of all recordings.
        left: (L,), those of the recordings that are trained on.
    """
    lost: list[int] = np.setdiff1d(labels, left).tolist()
    return lost
