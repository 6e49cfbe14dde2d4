"""Which recordings are kept out of training, to see how good a classifier is and when to stop."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

from stars_hub.classifiers.labels import as_list
from stars_hub.errors import ConfigError
from stars_hub.training.held_out import draw_subjects, lost_classes
from stars_hub.transforms.keyed import keyed_order

Validation: TypeAlias = float | Iterable[Any] | None
"""A part in [0, 1), or the subjects themselves, of whom there may be none; None: a fifth."""

_FRACTION = 0.2
_FEWEST_SUBJECTS = 3
_PURPOSE = 11  # of the random order; other purposes draw others


def validation_mask(
    label_ids: np.ndarray, subjects: list[str] | None, validation: Validation, *, seed: int
) -> np.ndarray:
    """Choose recordings for validation.

    Where at least three subjects are known, whole subjects are chosen: accuracy on people who were trained on
    says little about others. Else a part of every class is chosen at random, rounded down: of four recordings
    no fifth. Every class stays in training.

    Args:
        label_ids: (N,), the classes.
        subjects: (N,), who is recorded; None: not known.
        validation: how many, or who.
        seed: of the choice.

    Returns:
        bool (N,), True where a recording is kept out of training.

    Raises:
        ConfigError: a part outside [0, 1), subjects whom nobody knows, or a class that only they show.
    """
    if validation is not None and not isinstance(validation, int | float | np.number):
        return _these_subjects(label_ids, subjects, {str(who) for who in as_list(validation, "validation")})
    fraction = _FRACTION if validation is None else float(validation)
    if not 0 <= fraction < 1:
        raise ConfigError(f"validation must be a part in [0, 1) or subjects, got {validation}")
    if not fraction:
        return np.zeros(len(label_ids), dtype=bool)
    if subjects is not None and len(set(subjects)) >= _FEWEST_SUBJECTS:
        known, who = sorted(set(subjects)), np.array(subjects)
        chosen = draw_subjects(label_ids, who, known, fraction, seed=seed, purpose=_PURPOSE)
        if chosen.any():
            return chosen
    return _part_of_each_class(label_ids, fraction, seed)


def _these_subjects(label_ids: np.ndarray, subjects: list[str] | None, chosen: set[str]) -> np.ndarray:
    if unknown := chosen - set(subjects or ()):
        raise ConfigError(f"validation names subjects of whom there is no recording: {sorted(unknown)}")
    mask = np.isin(np.array(subjects or [""] * len(label_ids)), sorted(chosen))
    if lost_classes(label_ids, label_ids[~mask]):
        raise ConfigError(
            "validation names all subjects that show some class: none of it is left to train on"
        )
    return mask


def _part_of_each_class(label_ids: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    mask = np.zeros(len(label_ids), dtype=bool)
    order = np.asarray(keyed_order(seed, 0, len(label_ids), purpose=_PURPOSE))
    for label in np.unique(label_ids):
        members = order[label_ids[order] == label]
        mask[members[: int(fraction * len(members))]] = True
    return mask
