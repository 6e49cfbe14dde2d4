"""k-NN while training: the vote, whom it asks about, and that test subjects stay out of it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from stars_hub.errors import ConfigError, LayoutError, StoreError
from stars_hub.neighbours import knn_predict
from stars_hub.skeletons.splits import SplitRule
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.training.data import open_data, open_labelled_data
from stars_hub.training.monitor import KNNMonitor
from tests.motions import drifting
from tests.training.conftest import ENCODER, finetune_config, pretrain_config, tune_config
from tests.training.helpers import run


def test_vote_equals_the_golden_one(golden_dir: Path) -> None:
    with safe_open(golden_dir / "knn.safetensors", "pt") as file:
        bank, labels = file.get_tensor("train_features"), file.get_tensor("train_labels")
        queries, truth = file.get_tensor("test_features"), file.get_tensor("test_labels")
        meta = json.loads(file.metadata()["meta"])
    for name, temperature in (
        ("weighted_vote_accuracy_T0_1", 0.1),
        ("uniform_vote_cosine_accuracy", None),
    ):
        expected = {int(k): accuracy for k, accuracy in meta[name].items()}
        found = knn_predict(queries, bank, labels, ks=expected, temperature=temperature)
        got = {k: (predicted == truth).double().mean().item() for k, predicted in found.items()}
        assert got == pytest.approx(expected)


def test_votes_by_hand() -> None:
    bank = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 3.0]])
    labels = torch.tensor([2, 0, 0])
    query = torch.tensor([[5.0, 1.0]])  # cosines 0.98, 0.20, 0.20
    assert knn_predict(query, bank, labels, ks=[1, 3])[1].item() == 2
    assert knn_predict(query, bank, labels, ks=[3])[3].item() == 0  # two votes to one
    # exp(9.8) = 18400 to 2 · exp(2.0) = 14
    assert knn_predict(query, bank, labels, ks=[3], temperature=0.1)[3].item() == 2
    tie = knn_predict(query, bank, torch.tensor([2, 1, 0]), ks=[3])[3]
    assert tie.item() == 0


def test_more_neighbours_than_there_are() -> None:
    with pytest.raises(ConfigError, match=r"\[1, 3\]"):
        knn_predict(torch.ones(1, 2), torch.ones(3, 2), torch.zeros(3, dtype=torch.int64), ks=[4])


@pytest.fixture
def split_store(tmp_path: Path) -> SkeletonStore:
    subjects = [n % 8 for n in range(48)]
    return SkeletonStore.create(
        tmp_path / "store",
        [drifting(12, 1, n) for n in range(48)],
        layout="ntu25",
        labels=[-1 if n < 2 else n % 3 for n in range(48)],
        subjects=subjects,
        splits={"xsub": SplitRule("subject", train=(1, 2, 3, 5, 7))},
    )


def test_monitor_never_looks_at_test_subjects(split_store: SkeletonStore, tmp_path: Path) -> None:
    data = open_data(pretrain_config(tmp_path, split="xsub", monitor_fraction=0.4))
    assert data.bank is not None
    assert data.queries is not None
    bank, queries = set(data.bank.subjects.tolist()), set(data.queries.subjects.tolist())
    assert len(queries) == 2
    assert not bank & queries
    assert bank | queries == {1, 2, 3, 5, 7}
    assert set(data.train.subjects.tolist()) == {1, 2, 3, 5, 7}
    assert (data.bank.labels >= 0).all()


def test_monitored_subjects_can_be_named_and_held_out(split_store: SkeletonStore, tmp_path: Path) -> None:
    data = open_data(pretrain_config(tmp_path, split="xsub", monitor_subjects=(3,), monitor_held_out=True))
    assert data.queries is not None
    assert set(data.queries.subjects.tolist()) == {3}
    assert set(data.train.subjects.tolist()) == {1, 2, 5, 7}
    assert len(data.train) == 24


def test_training_can_be_restricted_to_subjects(split_store: SkeletonStore, tmp_path: Path) -> None:
    data = open_data(pretrain_config(tmp_path, subjects=(4, 6)))
    assert set(data.train.subjects.tolist()) == {4, 6}


def test_a_store_without_the_recipes_split_is_told_what_to_do(
    split_store: SkeletonStore, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match=r"no split 'xview' .* small-data asks for none"):
        open_data(pretrain_config(tmp_path, split="xview"))


def test_other_data_can_be_monitored(split_store: SkeletonStore, prepared: Path, tmp_path: Path) -> None:
    config = pretrain_config(prepared, monitor_data=(str(tmp_path / "store"),), monitor_held_out=True)
    data = open_data(config)
    assert data.queries is not None
    assert len(data.train) == 22
    assert len(data.queries) + len(data.bank or ()) == 46


def test_nothing_to_monitor(tmp_path: Path) -> None:
    SkeletonStore.create(tmp_path / "store", [drifting(12, 1, n) for n in range(4)], layout="ntu25")
    config = pretrain_config(tmp_path, epochs=1, batch_size=4)
    result = run(config)
    assert result.best is None
    assert [record["epoch"] for record in result.history] == [1]
    with pytest.raises(ConfigError, match=r"monitor_subjects names 1; .* of nobody who is known"):
        open_data(pretrain_config(tmp_path, monitor_subjects=("1",)))
    with pytest.raises(ConfigError, match="labelled recordings of at least two"):
        open_data(pretrain_config(tmp_path, patience=1))


def test_subjects_whom_nobody_knows_are_named(split_store: SkeletonStore, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"subjects names 8, x; .* are of 0, 1, 2, 3, 4, 5, 6, 7$"):
        open_data(pretrain_config(tmp_path, subjects=("x", 3, 8)))
    with pytest.raises(ConfigError, match=r"monitor_subjects names 4; .* are of 1, 2, 3, 5, 7$"):
        open_data(pretrain_config(tmp_path, split="xsub", monitor_subjects=(3, 4)))


def test_other_data_must_have_the_layout(split_store: SkeletonStore, prepared: Path, tmp_path: Path) -> None:
    split_store.copy(tmp_path / "other", layout="kinect20")
    config = pretrain_config(prepared, monitor_data=str(tmp_path / "other"))
    with pytest.raises(LayoutError, match=r"'ntu25' with 25 joints; .*other has 'kinect20' with 20"):
        open_data(config)
    with pytest.raises(LayoutError, match=r"'ntu25' with 25 joints; .*other has 'kinect20' with 20"):
        open_labelled_data(finetune_config(prepared, monitor_data=str(tmp_path / "other")))


def test_monitor_finds_what_its_features_say(split_store: SkeletonStore, tmp_path: Path) -> None:
    data = open_data(pretrain_config(tmp_path))
    monitor = KNNMonitor(data, ENCODER, batch_size=7)
    assert data.bank is not None
    assert data.queries is not None
    answers = iter(
        torch.from_numpy(store.labels[first : first + 7])
        for store in (data.bank, data.queries)
        for first in range(0, len(store), 7)
    )

    def describe(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.one_hot(next(answers), 16).float()

    device = torch.device("cpu")
    assert monitor(describe, device=device, dtype=torch.float32) == {"knn_10": 100.0, "knn_20": 100.0}


def test_best_is_that_of_the_best_epoch(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stars_hub.training.session import Session
    from tests.training.helpers import assert_same, tensors_of

    looks = iter([99.0, 50.0, 70.0, 60.0])
    monkeypatch.setattr(Session, "evaluate", lambda self: {"knn_10": next(looks)})
    result = run(tune_config(prepared, output=str(tmp_path / "run"), epochs=3))
    monkeypatch.undo()
    two = run(tune_config(prepared, output=str(tmp_path / "two"), epochs=2))
    best = {n: t for n, t in tensors_of(result).items() if n.startswith("best/")}
    last = {n.replace("last/", "best/"): t for n, t in tensors_of(two).items() if n.startswith("last/")}
    assert_same(best, last)
    assert np.isclose(result.history[-1]["knn_10"], 60.0)
