"""Run folders: what is in them, that they resume, and whom they refuse."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from stars_hub import STARSEncoder
from stars_hub.errors import ConfigError, MissingExtraError
from stars_hub.objectives import MAMP, NNCLR, Classification
from stars_hub.training.run import RunFolder
from tests.training.helpers import assert_same, run, tensors_of

Make = Callable[..., Any]
OBJECTIVES = {"PretrainConfig": MAMP, "TuneConfig": NNCLR, "FinetuneConfig": Classification}
LOOK = {"PretrainConfig": "knn_10", "TuneConfig": "knn_10", "FinetuneConfig": "validation"}


def test_folder_holds_config_metrics_and_models(config: Make) -> None:
    result = run(config())
    saved = json.loads((result.folder / "config.json").read_text())
    assert saved["batch_size"] == 8
    assert [record["epoch"] for record in result.history] == [0, 1, 2]
    assert result.history[1]["loss"] > 0
    assert LOOK[saved["stage"]] in result.history[2]
    for folder in (result.last, result.best):
        assert folder is not None
        x = torch.randn(2, 3, 8, 25, 2)
        objective = OBJECTIVES[saved["stage"]].from_pretrained(folder)
        assert torch.equal(STARSEncoder.from_pretrained(folder)(x), objective.eval().encoder(x))


def test_training_changes_what_is_trained_and_nothing_else(prepared: Path, config: Make) -> None:
    made = config()
    result = run(made)
    if not hasattr(made, "queue_size"):
        return
    before = STARSEncoder.from_pretrained(prepared / "model").state_dict()
    after = STARSEncoder.from_pretrained(result.last).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.split(".")[0] for name in changed} == {"blocks", "norm"}
    assert {name.split(".")[1] for name in changed if name.startswith("blocks")} == {"1"}


def test_same_seed_same_numbers_and_another_seed_others(config: Make, tmp_path: Path) -> None:
    first = run(config(output=str(tmp_path / "a")))
    second = run(config(output=str(tmp_path / "b")))
    other = run(config(output=str(tmp_path / "c"), seed=1))
    assert_same(tensors_of(first), tensors_of(second))
    assert other.history[1]["loss"] != first.history[1]["loss"]


def test_finished_run_is_left_as_it_is(config: Make) -> None:
    first = run(config())
    before = tensors_of(first)
    second = run(config())
    assert second.history == first.history
    assert_same(before, tensors_of(second))


def test_another_config_is_refused_and_the_fields_are_named(config: Make) -> None:
    run(config(epochs=1))
    with pytest.raises(ConfigError, match=r"lr \(there 0\.\d+, here 0\.0005\).*seed \(there 0, here 3\)"):
        run(config(epochs=1, lr=5e-4, seed=3))


def test_other_data_are_refused(config: Make, tmp_path: Path) -> None:
    from tests.training.conftest import store_of

    run(config(epochs=1))
    store_of(tmp_path / "other", 23)
    with pytest.raises(ConfigError, match="data_fingerprint"):
        run(config(epochs=1, data=str(tmp_path / "other")))


def test_run_from_before_a_field_was_there_goes_on(config: Make) -> None:
    result = run(config(epochs=1))
    path = result.folder / "config.json"
    saved = json.loads(path.read_text())
    del saved["patience"]
    path.write_text(json.dumps(saved))
    run(config(epochs=1))
    with pytest.raises(ConfigError, match=r"patience \(there 0, here 4\)"):
        run(config(epochs=1, patience=4))


def test_free_fields_may_change(config: Make) -> None:
    run(config(epochs=1))
    run(config(epochs=1, checkpoint_minutes=1.0))


def test_folder_of_something_else_is_refused(config: Make, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("")
    with pytest.raises(ConfigError, match="holds no run"):
        run(config())


@pytest.mark.parametrize("text", ["{}", "[]", '{"model_type": "stars"}'])
def test_a_config_of_something_else_stays(config: Make, tmp_path: Path, text: str) -> None:
    """Such as a model's, if output and model are the same folder."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json is not that of a run"):
        run(config())
    assert (tmp_path / "run" / "config.json").read_text() == text


def test_only_own_temporary_files_are_swept(config: Make, tmp_path: Path) -> None:
    kept, left = (tmp_path / "run" / name for name in (".notes.tmp", ".config.json.0123456789ab.tmp"))
    for folder in (kept, left):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    run(config(epochs=1))
    assert (kept / "file").exists()
    assert not left.exists()


def test_a_folder_that_cannot_be_made_is_named(config: Make) -> None:
    with pytest.raises(ConfigError, match="output /proc/none/run cannot be written"):
        run(config(output="/proc/none/run"))


def test_a_reader_looks_while_the_writer_makes_the_run(
    config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer's file comes at the worst moment: when the reader lists the folder."""
    (tmp_path / "run").mkdir()
    listing = Path.iterdir

    def listing_after_the_writer(folder: Path) -> Iterator[Path]:
        (tmp_path / "run" / "config.json").write_text('{"stage": "", "data_fingerprint": ""}')
        return listing(folder)

    monkeypatch.setattr(Path, "iterdir", listing_after_the_writer)
    with RunFolder(config(), data="", writes=False) as found:
        assert not found.state.exists()


def test_file_in_the_folders_place_is_refused(config: Make, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for output in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(ConfigError, match="file is a file"):
            run(config(output=str(output)))


def test_second_process_in_the_folder_is_refused(config: Make) -> None:
    import fcntl
    import os

    result = run(config(epochs=1))
    descriptor = os.open(result.folder / ".lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(ConfigError, match="another process"):
        run(config(epochs=1))
    os.close(descriptor)


def test_tensorboard_is_an_extra(config: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"stars-hub\[tensorboard\]"):
        run(config(epochs=1, tensorboard=True))


def test_tensorboard_gets_every_number(config: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import SimpleNamespace

    scalars: list[tuple[str, float, int]] = []

    class Writer:
        def __init__(self, folder: str, purge_step: int | None = None) -> None:
            assert folder.endswith("tensorboard")

        def add_scalar(self, name: str, value: float, epoch: int) -> None:
            scalars.append((name, value, epoch))

        def flush(self) -> None:
            pass

        close = flush

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    result = run(config(epochs=1, tensorboard=True))
    assert ("loss", result.history[1]["loss"], 1) in scalars
    look = LOOK[type(config()).__name__]
    assert (look, result.history[0][look], 0) in scalars


def test_runs_outside_the_main_thread(config: Make) -> None:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(run(config(epochs=1))))
    thread.start()
    thread.join()
    assert results[0].history[-1]["epoch"] == 1
