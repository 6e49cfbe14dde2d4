"""STARS: pretrained encoders for 3D skeleton recordings."""

from stars_hub._version import __version__

__all__ = ["__version__"]
