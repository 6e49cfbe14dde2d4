"""Conversion of the authors' checkpoints and publication to the Hub."""

from stars_hub.hub.conversion import convert_checkpoint

__all__ = ["convert_checkpoint"]
