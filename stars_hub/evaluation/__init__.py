"""What features are good for: the papers' protocols, and files of features and results."""

from stars_hub.evaluation.features import write_features
from stars_hub.evaluation.knn import knn_classify
from stars_hub.evaluation.linear import fit_linear
from stars_hub.evaluation.probe import linear_probe
from stars_hub.evaluation.report import write_report
from stars_hub.evaluation.results import Evaluation
from stars_hub.evaluation.retrieval import Neighbours, find_neighbours

__all__ = [
    "Evaluation",
    "Neighbours",
    "find_neighbours",
    "fit_linear",
    "knn_classify",
    "linear_probe",
    "write_features",
    "write_report",
]
