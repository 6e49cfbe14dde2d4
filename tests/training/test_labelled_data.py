"""Labelled recordings: which are trained on, which validate, and which part is drawn of few labels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stars_hub.errors import ConfigError
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.training.data import class_names, open_labelled_data
from stars_hub.training.finetuning import balanced_weights
from stars_hub.training.subset import stratified_subset
from tests.training.conftest import finetune_config
from tests.training.helpers import finetune_stage, labelled_store


def test_recordings_of_the_validated_subjects_and_those_without_label_are_left_out(tmp_path: Path) -> None:
    store = labelled_store(tmp_path / "store", [0, 1, 0, 1, -1, -1, 0, 0, 1, 0, 1, 1])
    data = open_labelled_data(finetune_config(tmp_path, data=str(store), monitor_subjects=("2",)))
    assert data.queries is not None
    assert data.queries.names.tolist() == ["2", "8", "11"]
    assert data.train.names.tolist() == ["0", "1", "3", "6", "7", "9", "10"]
    everything = open_labelled_data(finetune_config(tmp_path, data=str(store), monitor_every=0))
    assert everything.queries is None
    assert len(everything.train) == 10


def test_validation_on_a_store_of_its_own_takes_all_of_it(prepared: Path, tmp_path: Path) -> None:
    other = labelled_store(tmp_path / "other", [0, 1, -1, 1], names=["a", "b", "c", "d"])
    data = open_labelled_data(finetune_config(prepared, monitor_data=str(other)))
    assert data.queries is not None
    assert (len(data.train), len(data.queries)) == (22, 3)
    named = labelled_store(tmp_path / "named", [0, 1], label_names=["wave", "sit"])
    with pytest.raises(ConfigError, match=r"classes of data, 0, 1; it has wave, sit"):
        open_labelled_data(finetune_config(prepared, monitor_data=str(named)))


def test_only_the_recordings_that_validate_are_kept_out_of_training(tmp_path: Path) -> None:
    def kept_out(data: Path, validation: Path, **changes: Any) -> int:
        config = finetune_config(tmp_path, data=str(data), monitor_data=str(validation), **changes)
        opened = open_labelled_data(config)
        assert len(opened.train) + opened.num_kept_out == len(SkeletonStore.open(data))
        return opened.num_kept_out

    unknown: dict[str, Any] = {"subjects": None, "names": None}
    store = labelled_store(tmp_path / "store", [0, 1, 0, 1, 0, 1], **unknown)
    assert kept_out(store, labelled_store(tmp_path / "other", [1, 0, 1, 0, 1], **unknown)) == 0
    text = labelled_store(tmp_path / "text", [0, 1, 0], subjects=["", "a", "b"])
    assert kept_out(labelled_store(tmp_path / "texts", [1, 0, 0], subjects=["", "a", "c"]), text) == 1

    known = labelled_store(tmp_path / "known", [0, 1, 0, 1, 0, 1])
    SkeletonStore.open(known).select(subject=1).copy(tmp_path / "part", dtype="float16")
    assert kept_out(known, tmp_path / "part") == 2  # copies, by name
    both = (str(store), str(known))
    joined = open_labelled_data(finetune_config(tmp_path, data=both, monitor_data=str(store)))
    assert (len(joined.train), joined.num_kept_out) == (6, 6)  # the same store, by place
    with pytest.raises(ConfigError, match="none left to train on"):
        kept_out(store, store)


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    unlabelled = labelled_store(tmp_path / "unlabelled", [-1] * 6)
    with pytest.raises(ConfigError, match=r"none of 6 recordings of .*unlabelled has a label"):
        open_labelled_data(finetune_config(tmp_path, data=str(unlabelled)))
    single = labelled_store(tmp_path / "single", [1] * 6)
    with pytest.raises(ConfigError, match="two classes, there are 6 of one"):
        finetune_stage(finetune_config(tmp_path, data=str(single), monitor_every=0))
    with pytest.raises(ConfigError, match="data must name"):
        open_labelled_data(finetune_config(tmp_path, data=()))


def test_where_subjects_are_unknown_a_part_of_each_class_validates(tmp_path: Path) -> None:
    labels = [0, 1] * 11 + [2]
    store = labelled_store(tmp_path / "store", labels, subjects=None)
    data = open_labelled_data(finetune_config(tmp_path, data=str(store), monitor_fraction=0.3))
    assert data.queries is not None
    assert np.bincount(data.queries.labels, minlength=3).tolist() == [3, 3, 0]  # a third class of one stays
    names = np.concatenate([data.train.names, data.queries.names]).tolist()
    assert sorted(names, key=int) == [str(number) for number in range(len(labels))]
    with pytest.raises(ConfigError, match=r"monitor_subjects names 7; .* of nobody who is known"):
        open_labelled_data(finetune_config(tmp_path, data=str(store), monitor_subjects=("7",)))

    single = labelled_store(tmp_path / "single", [0, 1], subjects=None)
    assert open_labelled_data(finetune_config(tmp_path, data=str(single))).queries is None
    with pytest.raises(ConfigError, match="validation needs"):
        open_labelled_data(finetune_config(tmp_path, data=str(single), patience=1))


def test_whoever_alone_shows_a_class_is_not_drawn_to_validate(tmp_path: Path) -> None:
    # Subject 0 alone shows class 2; each of the others shows 0 and 1.
    labels, subjects = [2, 0, 1, 0, 1, 0, 1, 2], [0, 1, 1, 2, 2, 3, 3, 0]
    store = labelled_store(tmp_path / "store", labels, subjects=subjects, label_names=["sit", "walk", "wave"])
    drawn = set()
    for seed in range(12):
        data = open_labelled_data(finetune_config(tmp_path, data=str(store), seed=seed))
        assert data.queries is not None
        assert set(data.train.labels) == {0, 1, 2}
        assert not set(data.train.subjects) & set(data.queries.subjects)
        drawn |= set(data.queries.subjects)
    assert drawn == {1, 2, 3}
    for changes in ({}, {"monitor_data": str(store)}):
        config = finetune_config(tmp_path, data=str(store), monitor_subjects=(0, 1), **changes)
        with pytest.raises(
            ConfigError, match="monitor_subjects names all that shows wave: none of it is left"
        ):
            open_labelled_data(config)
    SkeletonStore.open(store).select(label="sit").copy(tmp_path / "sitting")
    with pytest.raises(ConfigError, match="monitor_data holds all that shows sit"):
        open_labelled_data(finetune_config(tmp_path, data=str(store), monitor_data=str(tmp_path / "sitting")))


def test_where_each_subject_shows_a_class_alone_a_part_of_each_class_validates(tmp_path: Path) -> None:
    store = labelled_store(tmp_path / "store", [0, 1] * 6, subjects=[0, 1] * 6)
    data = open_labelled_data(finetune_config(tmp_path, data=str(store), monitor_fraction=0.4))
    assert data.queries is not None
    assert np.bincount(data.train.labels).tolist() == [4, 4]
    assert np.bincount(data.queries.labels).tolist() == [2, 2]


def test_classes_are_those_of_the_store_or_numbers(tmp_path: Path) -> None:
    plain = SkeletonStore.open(labelled_store(tmp_path / "plain", [0, 2, 0, 1]))
    assert class_names(plain) == class_names(plain.select([0]), plain, None) == ["0", "1", "2"]
    named = labelled_store(tmp_path / "named", [0, 1], label_names=["wave", "sit", "run"])
    assert class_names(SkeletonStore.open(named)) == ["wave", "sit", "run"]


def test_part_by_hand() -> None:
    labels = np.array([0] * 90 + [1] * 10 + [2])
    for seed in range(5):
        counts = np.bincount(labels[stratified_subset(labels, 0.1, seed=seed)])
        assert counts.tolist() == [8, 1, 1]  # 10 of 101 recordings, of which the single one is one
        assert np.bincount(labels[stratified_subset(labels, 0.01, seed=seed)]).tolist() == [1, 1, 1]
    assert np.bincount(labels[:100][stratified_subset(labels[:100], 0.5, seed=0)]).tolist() == [45, 5]


@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=60),
    fraction=st.floats(0.01, 1.0),
    seed=st.integers(0, 3),
)
def test_part_holds_every_class_and_as_many_as_asked_for(
    labels: list[int], fraction: float, seed: int
) -> None:
    classes = np.array(labels)
    chosen = stratified_subset(classes, fraction, seed=seed)
    assert (np.diff(chosen) > 0).all()
    assert set(classes[chosen]) == set(labels)
    assert len(chosen) == max(len(set(labels)), round(fraction * len(labels)))
    assert np.array_equal(chosen, stratified_subset(classes, fraction, seed=seed))


def test_part_is_drawn_by_its_seed_from_what_is_not_validated(prepared: Path) -> None:
    parts = {
        seed: open_labelled_data(finetune_config(prepared, fraction=0.5, subset_seed=seed)) for seed in (0, 1)
    }
    for data in parts.values():
        assert data.queries is not None
        assert len(data.train) == 8  # of 16
        assert not set(data.train.subjects) & set(data.queries.subjects)
    assert set(parts[0].train.names) != set(parts[1].train.names)
    with pytest.raises(ConfigError, match="fraction"):
        stratified_subset(np.zeros(3, dtype=np.int64), 1.5, seed=0)


def test_balanced_weights_are_scikit_learns() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.array([0, 0, 0, 2, 2, 3])
    weights = balanced_weights(labels, 5)
    expected = compute_class_weight("balanced", classes=np.array([0, 2, 3]), y=labels)
    assert weights[[0, 2, 3]].tolist() == pytest.approx(expected.tolist())
    assert weights[[1, 4]].tolist() == [0, 0]
