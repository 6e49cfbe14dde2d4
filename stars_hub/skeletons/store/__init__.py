"""Recordings on disk: a folder of memory-mapped arrays that many processes open at once."""

from stars_hub.skeletons.store.builder import StoreBuilder
from stars_hub.skeletons.store.format import is_store
from stars_hub.skeletons.store.store import SkeletonStore

__all__ = ["SkeletonStore", "StoreBuilder", "is_store"]
