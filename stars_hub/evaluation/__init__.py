"""What features are good for: kept in files here; protocols build on them."""

from stars_hub.evaluation.features import write_features

__all__ = ["write_features"]
