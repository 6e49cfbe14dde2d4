"""Which recordings a run trains on, and which of them it asks about to watch the accuracy."""

from typing import NamedTuple

import numpy as np

from stars_hub.errors import ConfigError, LayoutError, StoreError
from stars_hub.model.config import EncoderConfig
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.training.config import FinetuneConfig, TrainConfig
from stars_hub.training.held_out import draw_subjects, lost_classes
from stars_hub.training.subset import stratified_subset
from stars_hub.transforms.keyed import keyed_order

_PURPOSE = 3  # of the random order of subjects; other purposes draw others


class TrainData(NamedTuple):
    """The recordings of a run.

    Attributes:
        train: what is trained on; a sample's id is its index here.
        bank: recordings of known class for k-NN, or None.
        queries: recordings whose class is asked for, of other subjects than the bank's, or None if
            nothing is monitored.
        num_kept_out: how many recordings are not trained on because they are asked about.
    """

    train: SkeletonStore
    bank: SkeletonStore | None = None
    queries: SkeletonStore | None = None
    num_kept_out: int = 0

    @property
    def fingerprint(self) -> str:
        """Says whether two runs train on the same data."""
        return self.train.fingerprint

    @property
    def summary(self) -> str:
        """How many recordings are trained on, and how many are kept out."""
        kept_out = f", {self.num_kept_out} kept out because they are asked about" if self.num_kept_out else ""
        return f"{len(self.train)} recordings to train on{kept_out}"


def open_data(config: TrainConfig) -> TrainData:
    """Open a run's stores, choose its training recordings, and set the monitored subjects apart.

    No recording outside the training split or `config.subjects` is looked at.

    Raises:
        ConfigError: no data was named, nobody is known of the subjects that were, or what is to be monitored
            has no labels or subjects.
        LayoutError: the monitored stores are of another layout.
        StoreError: a store cannot be opened or does not know the split.
    """
    if not config.data:
        raise ConfigError("data must name at least one skeleton store")
    train = _chosen(_open(config.data), config)
    asked = bool(config.monitor_data or config.monitor_subjects or config.patience)
    if not config.monitor_every:
        return TrainData(train)
    source = _open_monitored(train, config) if config.monitor_data else train
    bank, queries = _divide(source.select(source.labels >= 0), config)
    if bank is None or queries is None:
        if asked:
            raise ConfigError("monitoring needs labelled recordings of at least two subjects")
        return TrainData(train)
    kept = _without(train, queries, config) if config.monitor_held_out else train
    return TrainData(kept, bank, queries, len(train) - len(kept))


def open_labelled_data(config: FinetuneConfig) -> TrainData:
    """Open a run's stores for classification: what is trained on, and the recordings for validation.

    Recordings without a label are left out. Validation is on subjects set apart, never on one who alone shows
    a class; where fewer than two are known, or each shows a class alone, on a random part of each class. Of
    `config.fraction`, the part is drawn after that.

    Raises:
        ConfigError: no data was named, nobody is known of the subjects that were, no recording has a label,
            there is nothing to validate on where that was asked for, or what was named to validate on leaves
            nothing of a class to train on.
        LayoutError: the validation stores are of another layout.
        StoreError: a store cannot be opened or does not know the split.
    """
    if not config.data:
        raise ConfigError("data must name at least one skeleton store")
    labelled = train = _labelled(_chosen(_open(config.data), config), config.data)
    validation = None
    if config.monitor_every:
        train, validation = _set_apart(labelled, config)
    num_kept_out = len(labelled) - len(train)
    if validation is None and (config.patience or config.monitor_data or config.monitor_subjects):
        raise ConfigError("validation needs labelled recordings of two subjects, or two of a class")
    if config.fraction < 1:
        train = train.select(stratified_subset(train.labels, config.fraction, seed=config.subset_seed))
    return TrainData(train, queries=validation, num_kept_out=num_kept_out)


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
        try:
            store = store.split(config.split)[0]
        except StoreError as error:
            raise StoreError(
                f"{error}. Recipes named after a dataset ask for a split of it; small-data asks for none"
            ) from error
    if config.subjects:
        store = store.select(_are_of(store, config.subjects, "subjects"))
    if not len(store):
        raise ConfigError("there is no recording to train on: split or subjects choose none")
    return store


def _open_monitored(train: SkeletonStore, config: TrainConfig) -> SkeletonStore:
    store = _open(config.monitor_data)
    theirs, ours = [(each.layout.name, each.layout.num_joints) for each in (store, train)]
    if theirs != ours:
        raise LayoutError(
            f"monitor_data must have the layout of data, {ours[0]!r} with {ours[1]} joints; "
            f"{', '.join(config.monitor_data)} has {theirs[0]!r} with {theirs[1]}: convert it once, "
            f"store.copy(folder, layout={ours[0]!r})"
        )
    return store


def _are_of(store: SkeletonStore, subjects: tuple[str, ...], field: str) -> np.ndarray:
    """(N,) bool, which recordings are of these subjects; `field` is where they were named."""
    chosen, unknown = store.are_of(subjects)
    if unknown:
        there = ", ".join(store.known_subjects) or "nobody who is known"
        raise ConfigError(
            f"{field} names {', '.join(sorted(unknown))}; the recordings to choose from are of {there}"
        )
    return chosen


def _divide(store: SkeletonStore, config: TrainConfig) -> tuple[SkeletonStore | None, SkeletonStore | None]:
    """Bank and queries, by subject; None where there are too few subjects for that.

    Whoever alone shows a class may be among the queries: nothing that is trained without labels goes wrong by
    it, k-NN cannot find that class.
    """
    subjects = store.subjects.astype(str)
    known = store.known_subjects
    if config.monitor_subjects:
        asked = _are_of(store, config.monitor_subjects, "monitor_subjects")
    else:
        count = max(1, round(config.monitor_fraction * len(known)))
        chosen = [known[place] for place in keyed_order(config.seed, 0, len(known), purpose=_PURPOSE)[:count]]
        asked = np.isin(subjects, chosen)
    others = np.isin(subjects, known) & ~asked
    return (store.select(others), store.select(asked)) if others.any() else (None, None)


def _labelled(store: SkeletonStore, folders: tuple[str, ...]) -> SkeletonStore:
    labelled = store.select(store.labels >= 0)
    if not len(labelled):
        raise ConfigError(f"none of {len(store)} recordings of {', '.join(folders)} has a label")
    return labelled


def _set_apart(store: SkeletonStore, config: FinetuneConfig) -> tuple[SkeletonStore, SkeletonStore | None]:
    """What is trained on, and what is not because it validates."""
    if not (config.monitor_data or config.monitor_subjects):
        return _draw_apart(store, config)
    validation = _other_store(store, config) if config.monitor_data else _divide(store, config)[1]
    if validation is None:
        return store, None
    train = _without(store, validation, config)
    if lost := lost_classes(store.labels, train.labels):
        names = class_names(store)
        shown = ", ".join(names[label] for label in lost)
        field = "monitor_subjects names" if config.monitor_subjects else "monitor_data holds"
        raise ConfigError(f"{field} all that shows {shown}: none of it is left to train on")
    return train, validation


def _draw_apart(store: SkeletonStore, config: FinetuneConfig) -> tuple[SkeletonStore, SkeletonStore | None]:
    """Subjects drawn by the seed validate, or else a random part of each class, but never all of a class."""
    known, subjects = store.known_subjects, store.subjects.astype(str)
    if len(known) > 1:
        drawn = draw_subjects(
            store.labels, subjects, known, config.monitor_fraction, seed=config.seed, purpose=_PURPOSE
        )
        if drawn.any():
            return store.select(~drawn), store.select(drawn)
    firsts = np.unique(store.labels, return_index=True)[1]
    others = np.setdiff1d(np.arange(len(store)), firsts)
    if not len(others):
        return store, None
    part = others[stratified_subset(store.labels[others], config.monitor_fraction, seed=config.seed)]
    validates = np.isin(np.arange(len(store)), part)
    return store.select(~validates), store.select(validates)


def _other_store(store: SkeletonStore, config: FinetuneConfig) -> SkeletonStore:
    """The recordings of another store, or those of some of its subjects."""
    other = _labelled(_open_monitored(store, config), config.monitor_data)
    if config.monitor_subjects:
        other = other.select(_are_of(other, config.monitor_subjects, "monitor_subjects"))
    ours, theirs = class_names(store), class_names(other)
    if ours[: len(theirs)] != theirs:
        raise ConfigError(
            f"monitor_data must have the classes of data, {', '.join(ours)}; it has {', '.join(theirs)}"
        )
    return other


def _without(train: SkeletonStore, asked: SkeletonStore, config: TrainConfig) -> SkeletonStore:
    """What is trained on, without the recordings that are asked about.

    These are the ones at the same place of the same store, and those of the same name by the same subject,
    such as a copy in another store; names say nothing where the subject is not known.
    """
    taken = set(_places(asked, config.monitor_data or config.data))
    same = np.array([place in taken for place in _places(train, config.data)], dtype=bool)
    same |= np.isin(train.subjects.astype(str), train.known_subjects) & np.isin(_keys(train), _keys(asked))
    if same.all():
        raise ConfigError("all recordings of data are asked about: there is none left to train on")
    return train.select(~same)


def _places(store: SkeletonStore, folders: tuple[str, ...]) -> list[tuple[str, int]]:
    """Where each recording lies: fingerprint and row of the one of these stores that it is from."""
    opened = [SkeletonStore.open(folder) for folder in folders]
    places = [(each.fingerprint, row) for each in opened for row in range(len(each))]
    return [places[row] for row in store.source_ids]


def _keys(store: SkeletonStore) -> np.ndarray:
    return np.char.add(np.char.add(store.subjects.astype(str), "/"), store.names)
