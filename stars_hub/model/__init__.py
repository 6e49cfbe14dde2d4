"""The encoder: configuration, attention blocks, network, and what users call.

Dimension letters, here and in every other room:

    n  samples            t  frames             u  frames in a patch     l  tokens of a row
    m  persons            v  joints             p  joints in a patch     d  width of a token
    r  rows (n · m)       c  coordinates        h  attention heads       k  rows of the queue
"""

from stars_hub.model.config import EncoderConfig
from stars_hub.model.encoder import STARSEncoder
from stars_hub.model.network import SkeletonTransformer

__all__ = ["EncoderConfig", "STARSEncoder", "SkeletonTransformer"]
