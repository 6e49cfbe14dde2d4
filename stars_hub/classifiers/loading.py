"""A classifier of whichever kind, by the name of its model."""

from pathlib import Path
from typing import Any

from stars_hub.classifiers.base import SequenceClassifier, saved_kind
from stars_hub.classifiers.classifier import STARSClassifier
from stars_hub.classifiers.prototypes import PrototypeClassifier


def load_classifier(name: str | Path, **how: Any) -> SequenceClassifier:
    """Load what was saved: a `STARSClassifier` or a `PrototypeClassifier`.

    Args:
        name: as for `STARSEncoder.from_pretrained`.
        how: as for `SequenceClassifier.from_pretrained`.

    Raises:
        CheckpointError: the model cannot be found or read, or is an encoder without classes.
    """
    where = {key: value for key, value in how.items() if key not in ("device", "dtype", "num_frames")}
    kind = PrototypeClassifier if saved_kind(name, **where) == PrototypeClassifier.kind else STARSClassifier
    return kind.from_pretrained(name, **how)
