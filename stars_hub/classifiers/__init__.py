"""A classifier of one's own: from a handful of examples, from a few hundred clips, from thousands."""

from stars_hub.classifiers.base import Guess, SequenceClassifier
from stars_hub.classifiers.classifier import STARSClassifier
from stars_hub.classifiers.fitting import FitReport
from stars_hub.classifiers.loading import load_classifier
from stars_hub.classifiers.prototypes import PrototypeClassifier

__all__ = [
    "FitReport",
    "Guess",
    "PrototypeClassifier",
    "STARSClassifier",
    "SequenceClassifier",
    "load_classifier",
]
