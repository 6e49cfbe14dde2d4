"""What features are good for: the papers' protocols, and files of features, results and reports."""

from stars_hub.evaluation.clustering import cluster_metrics
from stars_hub.evaluation.description import describe
from stars_hub.evaluation.episodes import FewShot, few_shot
from stars_hub.evaluation.features import write_features
from stars_hub.evaluation.knn import knn_classify
from stars_hub.evaluation.linear import fit_linear
from stars_hub.evaluation.probe import linear_probe
from stars_hub.evaluation.protocols import PROTOCOLS, evaluate
from stars_hub.evaluation.report import write_report
from stars_hub.evaluation.results import Evaluation
from stars_hub.evaluation.retrieval import Neighbours, find_neighbours
from stars_hub.evaluation.streams import ensemble

__all__ = [
    "PROTOCOLS",
    "Evaluation",
    "FewShot",
    "Neighbours",
    "cluster_metrics",
    "describe",
    "ensemble",
    "evaluate",
    "few_shot",
    "find_neighbours",
    "fit_linear",
    "knn_classify",
    "linear_probe",
    "write_features",
    "write_report",
]
