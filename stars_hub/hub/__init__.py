"""Conversion of the authors' checkpoints, and models described in words."""

from stars_hub.hub.conversion import convert_checkpoint
from stars_hub.hub.description import describe_model

__all__ = ["convert_checkpoint", "describe_model"]
