"""The examples run as they stand, on made-up motions."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("name", ["pretrain", "tune"])
def test_training_example(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = EXAMPLES / f"{name}.py"
    assert len(path.read_text().splitlines()) < 100
    monkeypatch.setattr(sys, "argv", [str(path)])
    runpy.run_path(str(path), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["last (128, 64)", "run-loop (128, 64)"]
    losses = [float(line.split("loss ")[1].split()[0]) for line in lines if "loss" in line]
    assert len(losses) == 8
    assert losses[3] < 0.8 * losses[0]
    assert losses[7] < 0.8 * losses[4]


def test_finetuning_example(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    path = EXAMPLES / "finetune.py"
    assert len(path.read_text().splitlines()) < 100
    monkeypatch.setattr(sys, "argv", [str(path)])
    runpy.run_path(str(path), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    losses = [float(line.split("loss ")[1].split()[0]) for line in lines if "loss" in line]
    assert len(losses) == 16
    assert losses[7] < 0.8 * losses[0]
    assert losses[15] < 0.8 * losses[8]
    found = {line.split()[0]: float(line.split()[1]) for line in lines[-2:]}
    assert list(found) == ["best", "run-loop"]
    assert min(found.values()) > 50  # of sixteen actions, by a person who was not trained on
