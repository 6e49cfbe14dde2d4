from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stars_hub.errors import ConfigError
from stars_hub.objectives import NNCLR
from stars_hub.skeletons import SkeletonStore
from stars_hub.training.data import TrainData, open_data
from stars_hub.training.tuning import TuneStage, subject_numbers
from tests.training.conftest import tune_config
from tests.training.helpers import run


def store_with(folder: Path, subjects: Any) -> SkeletonStore:
    clips = np.random.default_rng(0).normal(size=(len(subjects), 4, 25, 3)).astype("float32")
    return SkeletonStore.create(folder / "few", list(clips), layout="ntu25", subjects=subjects)


def test_subjects_are_numbered_and_unknown_ones_stand_alone(tmp_path: Path) -> None:
    assert subject_numbers(store_with(tmp_path, ["b", "", "a", "b", ""])).tolist() == [1, 3, 0, 1, 6]


def test_two_subjects_must_be_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="of two at least"):
        subject_numbers(store_with(tmp_path, [4, 4, -1]))


def test_the_queue_knows_subjects_in_place_of_recordings(prepared: Path, tmp_path: Path) -> None:
    config = tune_config(prepared, output=str(tmp_path / "run"), other_subjects=True)
    store = SkeletonStore.open(config.data[0])
    objective = NNCLR.from_pretrained(run(config).last)
    groups = subject_numbers(TrainData(store).train)
    assert set(objective.queue.ids.tolist()) <= set(groups.tolist()) | {-1}
    assert len(objective.queue.ids.unique()) <= len(groups.unique()) + 1
    assert TuneStage(config, TrainData(store)).groups is not None
    assert torch.equal(TuneStage(config, TrainData(store)).groups, groups)


def test_last_batch_of_one_is_refused(prepared: Path) -> None:
    config = tune_config(prepared, batch_size=7, drop_last=False)  # of 22
    with pytest.raises(ConfigError, match="last batch would be one recording"):
        TuneStage(config, open_data(config))
    with pytest.raises(ConfigError, match="batch_size must be at least 2"):
        tune_config(prepared, batch_size=1)
    for changes in ({"batch_size": 7}, {"batch_size": 5, "drop_last": False}):
        config = tune_config(prepared, **changes)
        assert TuneStage(config, open_data(config)).objective.topk == 0
