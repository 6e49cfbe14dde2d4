"""What features are good for: the papers' protocols, and files of features and results."""

from stars_hub.evaluation.features import write_features
from stars_hub.evaluation.knn import knn_classify
from stars_hub.evaluation.linear import fit_linear
from stars_hub.evaluation.probe import linear_probe
from stars_hub.evaluation.results import Evaluation

__all__ = ["Evaluation", "fit_linear", "knn_classify", "linear_probe", "write_features"]
