"""Every protocol from end to end on made-up motions, as a caller and as the command line reach it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.neighbors import KNeighborsClassifier

from stars_hub.cli import main
from stars_hub.errors import ConfigError, StoreError
from stars_hub.evaluation import PROTOCOLS, Evaluation, evaluate, report_results
from stars_hub.evaluation.description import describe
from stars_hub.evaluation.inputs import open_split
from stars_hub.skeletons import SkeletonStore
from tests.evaluation.conftest import ACTIONS
from tests.motions import drifting

TINY: dict[str, Any] = {
    "epochs": 2, "warmup_epochs": 0, "hidden_dim": 8, "batch_size": 6, "head_drop_rate": 0.0,
}  # fmt: skip


def test_knn_is_scikit_learns_on_the_same_features(actions: SkeletonStore, stars_model: Path) -> None:
    result = evaluate("knn", stars_model, actions, split="cross", ks=[1, 3], progress=False)
    train, test = actions.split("cross")
    for k in (1, 3):
        model = KNeighborsClassifier(k, metric="cosine").fit(describe(stars_model, train), train.labels)
        right = model.predict(describe(stars_model, test)) == test.labels
        assert result.metrics[f"k={k}"] == pytest.approx(100 * right.mean())
    assert result.label_names == ACTIONS
    assert result.settings == {"ks": [1, 3], "features": "pooled", "stream": "joint", "split": "cross"}
    assert result.provenance["model"] == str(stars_model)
    train, test = actions.split("cross")
    assert result.provenance["data"] == {"train": train.fingerprint, "test": test.fingerprint}
    assert result.provenance["device"] == "cpu"


@pytest.mark.parametrize(
    ("protocol", "settings", "metrics"),
    [
        ("knn", {"features": "z", "ks": [1]}, ["k=1"]),
        (
            "few_shot",
            {"ks": [2], "ways": 3, "shots": [1, 2], "episodes": 5},
            ["k=2", "3-way 1-shot", "3-way 1-shot ±", "3-way 2-shot", "3-way 2-shot ±"],
        ),
        (
            "clustering",
            {"epochs": 2},
            ["silhouette", "k-means NMI", "linear separability", "within/between"],
        ),
        ("linear", {"epochs": 2, "augment": False}, ["accuracy"]),
        (
            "ensemble",
            {"streams": ["joint", "motion"], "epochs": 2, "augment": False},
            ["accuracy", "joint accuracy", "motion accuracy"],
        ),
        ("finetune", TINY, ["accuracy"]),
        ("transfer", TINY, ["accuracy"]),
        (
            "semi",
            {**TINY, "fraction": 0.5, "runs": 2},
            ["accuracy", "accuracy std", "run 1", "run 2"],
        ),
    ],
)
def test_protocols(
    protocol: str,
    settings: dict[str, Any],
    metrics: list[str],
    actions: SkeletonStore,
    stars_model: Path,
    tmp_path: Path,
) -> None:
    result = evaluate(protocol, str(stars_model), actions, subjects=[3], progress=False, **settings)
    assert result.protocol == protocol
    assert list(result.metrics) == metrics
    assert result.settings["held_out_subjects"] == [3]
    again = Evaluation.from_json(result.to_json(tmp_path / "result.json"))
    assert again.table() == result.table()
    assert again.settings == result.settings
    if protocol in ("finetune", "semi", "linear"):
        assert again.scores is not None
        found = 100 * (again.scores.argmax(1) == again.truth).mean()
        assert found == pytest.approx(result.metrics["run 1" if protocol == "semi" else "accuracy"])
        assert len(result.curves["loss"]) == 2


def test_few_recordings_have_few_neighbours(actions: SkeletonStore, stars_model: Path) -> None:
    few = actions.select([0, 4, 8, 12, 16, 20, 3, 11])
    train, test = few.split("cross")
    assert (len(train), len(test)) == (6, 2)
    result = evaluate("knn", stars_model, few, split="cross", progress=False)
    assert list(result.metrics) == ["k=1", "k=2", "k=5"]
    assert result.settings["ks"] == [1, 2, 5]
    nearest = KNeighborsClassifier(1, metric="cosine").fit(describe(stars_model, train), train.labels)
    assert result.predictions is not None
    assert result.predictions.tolist() == nearest.predict(describe(stars_model, test)).tolist()
    shown = evaluate(
        "few_shot", stars_model, few, split="cross", ways=2, queries=1, episodes=2, shots=[1], progress=False
    )
    assert shown.settings["ks"] == [1, 2, 5]
    with pytest.raises(ConfigError, match=r"k must lie in \[1, 6\]"):
        evaluate("knn", stars_model, few, split="cross", ks=[10], progress=False)


def test_a_class_is_named_before_it_is_numbered(tmp_path: Path) -> None:
    def chosen(classes: list[Any], names: list[str] | None) -> list[int]:
        folder = tmp_path / "-".join(names or ["plain"])
        sequences = [drifting(8, 1, n) for n in range(6)]
        made = {"labels": [0, 1, 2] * 2, "subjects": [0] * 3 + [1] * 3, "label_names": names}
        if not folder.exists():
            SkeletonStore.create(folder, sequences, layout="ntu25", **made)
        return open_split(folder, subjects=[1], classes=classes).test.labels.tolist()

    exercises = ["1", "2", "3"]
    assert chosen(["1"], exercises) == [0]
    assert chosen(["3", 1], exercises) == [1, 2]
    assert chosen(["0"], exercises) == [0]  # no name, so a number
    assert chosen(["1"], ["sit", "rise", "walk"]) == chosen(["1"], None) == [1]
    with pytest.raises(StoreError, match="no label 'run'"):
        chosen(["run"], exercises)


def test_semi_supervised_runs_are_those_of_finetuning_on_their_part(
    actions: SkeletonStore, stars_model: Path, tmp_path: Path
) -> None:
    common: dict[str, Any] = {**TINY, "subjects": [3], "progress": False, "runs_folder": tmp_path}
    result = evaluate("semi", str(stars_model), actions, fraction=0.5, runs=2, seed=7, **common)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["semi_7", "semi_8"]
    found = [result.metrics["run 1"], result.metrics["run 2"]]
    assert result.metrics["accuracy"] == pytest.approx(np.mean(found))
    assert result.metrics["accuracy std"] == pytest.approx(np.std(found, ddof=1))
    assert result.settings["fraction"] == 0.5
    assert result.settings["seed"] == 7


def test_a_run_of_other_people_is_never_taken_for_this_one(
    actions: SkeletonStore, stars_model: Path, tmp_path: Path
) -> None:
    """Leave-one-subject-out over one folder of runs would test people who were trained on."""
    common: dict[str, Any] = {**TINY, "progress": False, "runs_folder": tmp_path}
    evaluate("finetune", str(stars_model), actions, subjects=[3], **common)
    with pytest.raises(ConfigError, match="data_fingerprint"):
        evaluate("finetune", str(stars_model), actions, subjects=[2], **common)


def test_a_trained_classifier_beats_a_guess(actions: SkeletonStore, stars_model: Path) -> None:
    settings = {**TINY, "epochs": 25, "hidden_dim": 32, "lr": 3e-3}
    result = evaluate("finetune", str(stars_model), actions, split="cross", progress=False, **settings)
    assert result.metrics["accuracy"] > 60
    assert result.curves["loss"][-1] < result.curves["loss"][0]


def test_what_cannot_be_is_refused(actions: SkeletonStore, stars_model: Path) -> None:
    for protocol, settings, message in (
        ("guess", {}, "protocol must be one of knn, few_shot"),
        ("knn", {"lr": 0.1}, "knn has no setting lr; it has batch_size, features, ks"),
        ("finetune", {"fraction": 0.1}, "finetune has no setting fraction"),
        ("finetune", {"monitor_every": 1}, "finetune has no setting monitor_every"),
        ("ensemble", {"ks": [1]}, "ensemble has no setting ks"),
        ("semi", {"fraction": 1.0}, "a fraction in"),
    ):
        with pytest.raises(ConfigError, match=message):
            evaluate(protocol, stars_model, actions, split="cross", progress=False, **settings)
    for protocol in ("linear", "finetune"):
        with pytest.raises(ConfigError, match="raw"):
            evaluate(protocol, "raw", actions, split="cross", progress=False)


def test_command_line(actions: SkeletonStore, stars_model: Path, tmp_path: Path) -> None:
    def run(*arguments: Any) -> Any:
        return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])

    common = ["--model", stars_model, "--data", actions.folder, "--device", "cpu", "--split", "cross"]
    output = tmp_path / "result.json"
    result = run("knn", *common, "--k", 1, "--k", 3, "--output", output, "--set", "batch_size=7")
    assert result.exit_code == 0, result.stderr
    saved = Evaluation.from_json(output)
    assert saved.settings["ks"] == [1, 3]
    assert saved.table() in result.output
    assert str(output) in result.output
    raw = run("knn", "--model", "raw", "--data", actions.folder, "--subject", 3, "--subject", 2)
    assert raw.exit_code == 0, raw.stderr
    assert "12 training recordings, 12 test recordings, 3 classes" in raw.output
    for wrong, message in (
        (["knn", *common, "--set", "colour"], "expected NAME=VALUE"),
        (["knn", *common, "--set", "colour=red"], "knn has no setting colour"),
        (["knn", *common, "--epochs", "2"], "knn has no setting epochs"),
        (["knn", *common, "--output", tmp_path / "nowhere" / "r.json"], "there is no folder"),
        (["knn", *common, "--k", 1, "--set", "ks=[2]"], "ks: given by --set and otherwise"),
        (["knn", *common, "--set", "batch-size=2", "--set", "batch_size=3"], "batch_size is given twice"),
        (["knn", *common, "--set", "model=x"], "model: given by --set and otherwise"),
        (["sing", *common], "'sing' is not one of 'knn'"),
    ):
        failed = run(*wrong)
        assert failed.exit_code == 2
        assert message in failed.stderr


def test_the_command_line_knows_every_protocol() -> None:
    (argument, *_) = main.commands["evaluate"].params
    assert set(argument.type.choices) == set(PROTOCOLS)
    told = CliRunner().invoke(main, ["evaluate", "--help"]).output.split("PROTOCOL is one of")[1].splitlines()
    assert [line.split()[0] for line in told[1 : len(PROTOCOLS) + 1]] == list(argument.type.choices)


def test_command_line_writes_a_report(actions: SkeletonStore, stars_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    arguments = ["evaluate", "knn", "--model", stars_model, "--data", actions.folder, "--split", "cross"]
    result = CliRunner().invoke(main, [*map(str, arguments), "--report", str(path)])
    assert result.exit_code == 0, result.stderr
    assert f"{path}: the report" in result.output
    text = path.read_text(encoding="utf-8")
    assert all(action in text for action in ACTIONS)
    assert actions.split("cross")[1].names[0] in text


def report(protocol: str, path: Path, *arguments: Any) -> str:
    given = ["evaluate", protocol, *arguments, "--device", "cpu", "--report", path]
    result = CliRunner().invoke(main, list(map(str, given)))
    assert result.exit_code == 0, result.stderr
    return path.read_text(encoding="utf-8")


def test_a_report_maps_the_features_that_were_evaluated(
    actions: SkeletonStore, stars_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ["--model", stars_model, "--data", actions.folder, "--set", "split=cross"]
    shown: list[np.ndarray] = []
    feature_map = report_results.feature_map
    monkeypatch.setattr(
        report_results, "feature_map", lambda *given: (shown.append(given[0]), feature_map(*given))[1]
    )
    train, test = actions.split("cross")
    motion = describe(stars_model, test, stream="motion", device="cpu", progress=False)
    train_motion = describe(stars_model, train, stream="motion", device="cpu", progress=False)
    for protocol in ("knn", "clustering"):
        report(protocol, tmp_path / "r.html", *common, "--stream", "motion", "--features", "standardised")
        expected = (motion - train_motion.mean(axis=0)) / train_motion.std(axis=0)
        np.testing.assert_allclose(shown.pop(), expected, atol=1e-4)
    tiny = [part for name, value in TINY.items() for part in ("--set", f"{name}={value}")]
    assert "Map of the features" not in report("finetune", tmp_path / "r.html", *common, *tiny)
    assert not shown


def test_of_several_processes_one_tells(
    actions: SkeletonStore, stars_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["evaluate", "knn", "--model", stars_model, "--data", actions.folder, "--split", "cross"]
    output = tmp_path / "result.json"
    for rank, told in (("1", False), ("0", True)):
        monkeypatch.setenv("RANK", rank)
        result = CliRunner().invoke(main, [*map(str, arguments), "--output", str(output)])
        assert result.exit_code == 0, result.stderr
        assert (bool(result.output), output.exists()) == (told, told)
