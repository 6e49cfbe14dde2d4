"""Where a store's arrays come from: one folder, or several joined without copying their frames."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from stars_hub.errors import StoreError
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.store.format import (
    COLUMNS_FOLDER,
    FRAMES_NAME,
    Manifest,
    array_path,
    layout_from_json,
    load_array,
)


class StoreSource:
    """A store's folder, opened: nothing is read before it is needed.

    Args:
        folder: holds ``store.json`` and the arrays that `stars_hub.skeletons.store.format` lists.

    Raises:
        StoreError: no store, or files that are missing or have the wrong size.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser().absolute()
        self.manifest = Manifest.read(self.folder)
        sizes = {array_path(self.folder, name): entry["bytes"] for name, entry in self.manifest.files.items()}
        for path, size in {**sizes, self.folder / FRAMES_NAME: self.manifest.frames_bytes}.items():
            try:
                found = path.stat().st_size
            except OSError as error:
                raise StoreError(f"the store {self.folder} is damaged: {path.name} is missing") from error
            if found != size:
                raise StoreError(
                    f"the store {self.folder} is damaged: {path.name} has {found} bytes, expected {size}"
                )

    def __reduce__(self) -> tuple[Any, ...]:
        return StoreSource, (self.folder,)  # another process maps the files itself

    @property
    def folders(self) -> list[Path]:
        """The folders that the arrays lie in."""
        return [self.folder]

    @property
    def fingerprint(self) -> str:
        """A digest of all contents."""
        return self.manifest.digest

    @property
    def num_samples(self) -> int:
        """S."""
        return self.manifest.num_samples

    @property
    def max_persons(self) -> int:
        """The most persons that a sample has."""
        return self.manifest.max_persons

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self.manifest.fps

    @property
    def label_names(self) -> list[str] | None:
        """The name of each label."""
        return self.manifest.label_names

    @property
    def splits(self) -> Mapping[str, Any]:
        """Split rules by name, as JSON."""
        return self.manifest.splits

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What the store was made of."""
        return self.manifest.provenance

    @property
    def columns(self) -> list[str]:
        """The names of the metadata columns."""
        return self.manifest.columns

    @cached_property
    def layout(self) -> SkeletonLayout:
        """The skeleton layout."""
        return layout_from_json(self.manifest.layout)

    @cached_property
    def frames(self) -> np.memmap:
        """(F, V, 3), person-frames, read-only."""
        frames = load_array(self.folder, FRAMES_NAME.removesuffix(".npy"))
        if frames.shape[:1] != (self.manifest.num_rows,) or str(frames.dtype) != self.manifest.dtype:
            raise StoreError(
                f"the store {self.folder} is damaged: {FRAMES_NAME} holds {frames.shape} {frames.dtype}"
            )
        return frames  # type: ignore[return-value]

    @cached_property
    def lengths(self) -> np.ndarray:
        """(S,) frames of each sample."""
        return np.asarray(load_array(self.folder, "lengths"))

    @cached_property
    def person_offsets(self) -> np.ndarray:
        """(S + 1,) where each sample's persons begin in `person_starts`."""
        return np.asarray(load_array(self.folder, "person_offsets"))

    @cached_property
    def person_starts(self) -> np.ndarray:
        """(P,) first row of each person in `frames`, -1 for an absent one."""
        return np.asarray(load_array(self.folder, "person_starts"))

    @cached_property
    def crcs(self) -> np.ndarray:
        """(S,) CRC-32 of each sample's rows."""
        return np.asarray(load_array(self.folder, "crcs"))

    @cached_property
    def _loaded_columns(self) -> dict[str, np.ndarray]:
        return {}

    def raw_column(self, name: str) -> np.ndarray:
        """(S,) one metadata column as it lies on disk: text is UTF-8 bytes.

        Raises:
            StoreError: no such column.
        """
        if name not in self.columns:
            raise StoreError(f"there is no column {name!r}; this store has {', '.join(self.columns)}")
        if name not in self._loaded_columns:
            self._loaded_columns[name] = np.asarray(load_array(self.folder, f"{COLUMNS_FOLDER}/{name}"))
        return self._loaded_columns[name]
