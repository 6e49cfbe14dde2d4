"""Which recordings a run trains on, and which of them it asks about to watch the accuracy."""

from typing import NamedTuple

import numpy as np

from stars_hub.errors import ConfigError, LayoutError
from stars_hub.model.config import EncoderConfig
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.training.config import FinetuneConfig, TrainConfig
from stars_hub.training.subset import stratified_subset
from stars_hub.transforms.keyed import keyed_order


class TrainData(NamedTuple):
    """The recordings of a run.

    Attributes:
        train: what is trained on; a sample's id is its index here.
        bank: recordings of known class for k-NN, or None.
        queries: recordings whose class is asked for, of other subjects than the bank's, or None if
            nothing is monitored.
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


def open_labelled_data(config: FinetuneConfig) -> TrainData:
    """Open a run's stores for classification: what is trained on, and the recordings for validation.

    Recordings without a label are left out. Validation is on subjects set apart; where fewer than two are
    known, on a random part of each class. Of `config.fraction`, the part is drawn after that.

    Raises:
        ConfigError: no data was named, no recording has a label, or there is nothing to validate on where
            that was asked for.
        StoreError: a store cannot be opened or does not know the split.
    """
    if not config.data:
        raise ConfigError("data must name at least one skeleton store")
    train = _labelled(_chosen(_open(config.data), config), config.data)
    validation = None
    if config.monitor_every:
        train, validation = _set_apart(train, config)
    if validation is None and (config.patience or config.monitor_data or config.monitor_subjects):
        raise ConfigError("validation needs labelled recordings of two subjects, or two of a class")
    if config.fraction < 1:
        train = train.select(stratified_subset(train.labels, config.fraction, seed=config.subset_seed))
    return TrainData(train, queries=validation)


def class_names(store: SkeletonStore, *others: SkeletonStore | None) -> list[str]:
    """The name of each class; numbers as text, over all stores, where the first names none."""
    if store.label_names is not None:
        return list(store.label_names)
    largest = max(int(other.labels.max(initial=-1)) for other in (store, *others) if other is not None)
    return [str(number) for number in range(largest + 1)]


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
    known = store.known_subjects
    if config.monitor_subjects:
        chosen = [subject for subject in known if subject in config.monitor_subjects]
    else:
        count = max(1, round(config.monitor_fraction * len(known)))
        chosen = [known[place] for place in keyed_order(config.seed, 0, len(known), purpose=3)[:count]]
    if not chosen or len(chosen) == len(known):
        return None, None
    asked = np.isin(subjects, chosen)
    return store.select(np.isin(subjects, known) & ~asked), store.select(asked)


def _labelled(store: SkeletonStore, folders: tuple[str, ...]) -> SkeletonStore:
    labelled = store.select(store.labels >= 0)
    if not len(labelled):
        raise ConfigError(f"none of {len(store)} recordings of {', '.join(folders)} has a label")
    return labelled


def _set_apart(store: SkeletonStore, config: FinetuneConfig) -> tuple[SkeletonStore, SkeletonStore | None]:
    """What is trained on, and what is not because it validates."""
    if config.monitor_data:
        validation = _other_store(store, config)
    else:
        validation = _divide(store, config)[1]
        if validation is None and not config.monitor_subjects:
            return _set_part_apart(store, config)
    if validation is None:
        return store, None
    return store.select(~np.isin(_keys(store), _keys(validation))), validation


def _set_part_apart(
    store: SkeletonStore, config: FinetuneConfig
) -> tuple[SkeletonStore, SkeletonStore | None]:
    """A random part of each class validates, but never all of a class."""
    firsts = np.unique(store.labels, return_index=True)[1]
    others = np.setdiff1d(np.arange(len(store)), firsts)
    if not len(others):
        return store, None
    drawn = others[stratified_subset(store.labels[others], config.monitor_fraction, seed=config.seed)]
    validates = np.isin(np.arange(len(store)), drawn)
    return store.select(~validates), store.select(validates)


def _other_store(store: SkeletonStore, config: FinetuneConfig) -> SkeletonStore | None:
    """The recordings of another store, or those of some of its subjects."""
    other = _labelled(_open(config.monitor_data), config.monitor_data)
    if config.monitor_subjects:
        other = other.select(np.isin(other.subjects.astype(str), config.monitor_subjects))
    ours, theirs = class_names(store), class_names(other)
    if ours[: len(theirs)] != theirs:
        raise ConfigError(
            f"monitor_data must have the classes of data, {', '.join(ours)}; it has {', '.join(theirs)}"
        )
    return other if len(other) else None


def _keys(store: SkeletonStore) -> np.ndarray:
    return np.char.add(np.char.add(store.subjects.astype(str), "/"), store.names)
