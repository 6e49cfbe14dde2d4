"""Which recordings a run trains on, and which of them it asks about to watch k-NN accuracy."""

from typing import NamedTuple

import numpy as np

from stars_hub.errors import ConfigError, LayoutError
from stars_hub.model.config import EncoderConfig
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.training.config import TrainConfig
from stars_hub.transforms.keyed import keyed_order


class TrainData(NamedTuple):
    """The recordings of a run.

    Attributes:
        train: what is trained on; a sample's id is its index here.
        bank: recordings of known class, or None if nothing is monitored.
        queries: recordings, of other subjects, whose class is asked for.
    """

    train: SkeletonStore
    bank: SkeletonStore | None = None
    queries: SkeletonStore | None = None

    @property
    def fingerprint(self) -> str:
        """Says whether two runs train on the same data."""
        return self.train.fingerprint


def open_data(config: TrainConfig) -> TrainData:
    """Open a run's stores, choose its training recordings, and set the monitored subjects apart.

    No recording outside the training split or `config.subjects` is looked at.

    Raises:
        ConfigError: no data was named, or what is to be monitored has no labels or subjects.
        StoreError: a store cannot be opened or does not know the split.
    """
    if not config.data:
        raise ConfigError("data must name at least one skeleton store")
    train = _chosen(_open(config.data), config)
    asked = bool(config.monitor_data or config.monitor_subjects)
    if not config.monitor_every:
        return TrainData(train)
    source = _open(config.monitor_data) if config.monitor_data else train
    bank, queries = _divide(source.select(source.labels >= 0), config)
    if bank is None or queries is None:
        if asked:
            raise ConfigError("monitoring needs labelled recordings of at least two subjects")
        return TrainData(train)
    if config.monitor_held_out:
        train = train.select(~np.isin(_keys(train), _keys(queries)))
    return TrainData(train, bank, queries)


def check_layout(layout: SkeletonLayout, encoder: EncoderConfig) -> None:
    """Refuse to train an encoder on another layout than its own.

    Raises:
        LayoutError: names both.
    """
    if (layout.name, layout.num_joints) != (encoder.layout, encoder.num_joints):
        raise LayoutError(
            f"the encoder takes layout {encoder.layout!r} with {encoder.num_joints} joints, the store has "
            f"{layout.name!r} with {layout.num_joints}: convert the store once, "
            f"store.copy(folder, layout={encoder.layout!r}), or set the encoder's layout and num_joints"
        )


def _open(folders: tuple[str, ...]) -> SkeletonStore:
    stores = [SkeletonStore.open(folder) for folder in folders]
    return stores[0] if len(stores) == 1 else SkeletonStore.concatenate(stores)


def _chosen(store: SkeletonStore, config: TrainConfig) -> SkeletonStore:
    if config.split is not None:
        store = store.split(config.split)[0]
    if config.subjects:
        store = store.select(np.isin(store.subjects.astype(str), config.subjects))
    if not len(store):
        raise ConfigError("there is no recording to train on: split or subjects choose none")
    return store


def _divide(store: SkeletonStore, config: TrainConfig) -> tuple[SkeletonStore | None, SkeletonStore | None]:
    """Bank and queries, by subject; None where there are too few subjects for that."""
    subjects = store.subjects.astype(str)
    known = sorted(set(subjects.tolist()) - {"-1", ""})
    if config.monitor_subjects:
        chosen = [subject for subject in known if subject in config.monitor_subjects]
    else:
        count = max(1, round(config.monitor_fraction * len(known)))
        chosen = [known[place] for place in keyed_order(config.seed, 0, len(known), purpose=3)[:count]]
    if not chosen or len(chosen) == len(known):
        return None, None
    asked = np.isin(subjects, chosen)
    return store.select(np.isin(subjects, known) & ~asked), store.select(asked)


def _keys(store: SkeletonStore) -> np.ndarray:
    return np.char.add(np.char.add(store.subjects.astype(str), "/"), store.names)
