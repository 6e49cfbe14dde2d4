"""What a classifier learns, says and keeps."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stars_hub import checkpoints
from stars_hub.classifiers import STARSClassifier
from stars_hub.errors import CheckpointError, ConfigError, LayoutError, SequenceError
from stars_hub.model.encoder import STARSEncoder
from stars_hub.objectives import MAMP
from stars_hub.skeletons.store import SkeletonStore
from tests.classifiers.conftest import ACTIONS, clip, clips


def test_linear_learns_and_leaves_the_encoder_alone(encoder: STARSEncoder) -> None:
    before = copy.deepcopy(encoder.state_dict())
    classifier = STARSClassifier(encoder).fit(clips(8), mode="linear", progress=False)
    others = clips(4, seed=1)
    assert classifier.predict(others) == [other.label for other in others]
    assert classifier.report is not None
    assert (classifier.report.mode, classifier.report.num_train) == ("linear", 24)
    assert (len(classifier.report.validation_subjects), classifier.report.num_validation) == (1, 6)
    assert classifier.report.accuracy == 100
    for name, value in encoder.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


@pytest.mark.parametrize("mode", ["partial", "full"])
def test_blocks_are_trained_in_a_copy(encoder: STARSEncoder, tmp_path: Path, mode: Any, capsys: Any) -> None:
    before = copy.deepcopy(encoder.state_dict())
    classifier = STARSClassifier(encoder).fit(
        clips(2), mode=mode, epochs=2, validation=0, progress=False, output=tmp_path / "run"
    )
    assert capsys.readouterr().out == ""
    after = classifier.encoder.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert ("pos_embed" in changed, "blocks.0.mlp.fc1.weight" in changed) == (mode == "full",) * 2
    assert {"blocks.1.mlp.fc1.weight", "norm.weight"} <= changed
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    last = STARSClassifier.from_pretrained(tmp_path / "run" / "last")
    np.testing.assert_array_equal(last.predict_proba(clips(1)), classifier.predict_proba(clips(1)))


def test_the_best_epoch_is_kept(encoder: STARSEncoder, tmp_path: Path) -> None:
    how: dict[str, Any] = {"mode": "partial", "epochs": 2, "validation": ["1", "3"], "progress": False}
    classifier = STARSClassifier(encoder).fit(clips(4), output=tmp_path / "run", **how)
    report = classifier.report
    assert report is not None
    assert (report.num_train, report.num_validation, report.validation_subjects) == (6, 6, ["1", "3"])
    asked = [example for example in clips(4) if example.subject in (1, 3)]
    right = [name == example.label for name, example in zip(classifier.predict(asked), asked, strict=True)]
    looks = [record["validation"] for record in report.history if record["epoch"]]
    assert report.accuracy == pytest.approx(100 * np.mean(right)) == max(looks)
    assert f"6 others of 2 other subjects: {max(looks):.1f} %, at the epoch that was best on them." in str(
        report
    )
    best = STARSClassifier.from_pretrained(tmp_path / "run" / "best")
    np.testing.assert_array_equal(best.predict_proba(asked), classifier.predict_proba(asked))


@pytest.mark.parametrize("mode", ["linear", "partial"])
def test_an_output_folder_is_used_once(encoder: STARSEncoder, tmp_path: Path, mode: Any) -> None:
    how: dict[str, Any] = {"mode": mode, "epochs": 1, "output": tmp_path / "run", "progress": False}
    (tmp_path / "run").mkdir()
    classifier = STARSClassifier(encoder).fit(clips(2), **how)
    with pytest.raises(ConfigError, match="run is not empty: every fit begins anew"):
        classifier.fit(clips(2), **how)


@pytest.mark.parametrize("mode", ["linear", "partial"])
def test_a_classifier_stays_in_its_encoders_precision(encoder: STARSEncoder, mode: Any) -> None:
    classifier = STARSClassifier(encoder.double()).fit(clips(2), mode=mode, epochs=1, progress=False)
    assert classifier.objective is not None
    floats = [value for value in classifier.objective.state_dict().values() if value.is_floating_point()]
    assert {value.dtype for value in floats} == {torch.float64}


def test_the_linear_fit_tells_its_last_epoch(encoder: STARSEncoder) -> None:
    report = STARSClassifier(encoder).fit(clips(8), mode="linear", epochs=3).report
    assert report is not None
    assert [record["epoch"] for record in report.history] == [1, 2, 3]
    assert all(record.keys() == {"epoch", "loss", "validation"} for record in report.history)
    assert report.accuracy == report.history[-1]["validation"]
    assert str(report).endswith(f"6 of 1 other subject, when they were left out: {report.accuracy:.1f} %.")
    unseen = STARSClassifier(encoder).fit(clips(2), mode="linear", epochs=1, validation=0).report
    assert unseen is not None
    assert unseen.history[0].keys() == {"epoch", "loss"}


def test_the_linear_fit_ends_with_all_recordings(encoder: STARSEncoder) -> None:
    """What was kept out to tell the accuracy is trained on in the end, as if nothing had been kept out."""
    measured = STARSClassifier(encoder).fit(clips(8), mode="linear", epochs=3)
    plain = STARSClassifier(encoder).fit(clips(8), mode="linear", epochs=3, validation=0)
    assert measured.report is not None
    assert measured.report.num_validation == 6
    asked = clips(2, seed=5)
    np.testing.assert_array_equal(measured.predict_proba(asked), plain.predict_proba(asked))


@pytest.mark.parametrize(("weights", "share"), [("none", 0.75), ("balanced", 0.5)])
def test_classes_count_by_their_recordings_or_the_same(
    encoder: STARSEncoder, weights: str, share: float
) -> None:
    """Recordings that are all alike can only be told how likely each class is: three of four, or half."""
    same = [clip("kick")] * 8
    how: dict[str, Any] = {"mode": "linear", "validation": 0, "class_weights": weights}
    classifier = STARSClassifier(encoder).fit(same, ["often"] * 6 + ["rarely"] * 2, **how)
    np.testing.assert_allclose(classifier.predict_proba(same[:1]), [[share, 1 - share]], atol=0.02)


def test_blocks_are_not_trained_under_torchrun(
    encoder: STARSEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="one process"):
        STARSClassifier(encoder).fit(clips(2), mode="partial")
    STARSClassifier(encoder).fit(clips(2), mode="linear", epochs=1)


def test_predictions_agree_with_each_other(fitted: STARSClassifier) -> None:
    others = clips(2, seed=1)
    probabilities = fitted.predict_proba(others, batch_size=4)
    assert probabilities.shape == (6, 3)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    top = fitted.predict_topk(others, k=9)
    for row, guesses, label in zip(probabilities, top, fitted.predict(others), strict=True):
        assert [guess.probability for guess in guesses] == sorted(row.tolist(), reverse=True)
        assert guesses[0].label == label == fitted.label_names[row.argmax()]
        assert len(guesses) == 3
    assert [len(guesses) for guesses in fitted.predict_topk(others, k=2)] == [2] * 6


def test_every_form_of_sequences(fitted: STARSClassifier, tmp_path: Path) -> None:
    others = clips(1, seed=1)
    expected = fitted.predict_proba([other.joints for other in others])
    store = SkeletonStore.create(tmp_path / "store", others, layout="ntu25")
    folder = tmp_path / "files"
    folder.mkdir()
    for other in others:
        np.save(folder / f"{other.name}.npy", other.joints)
    for form in (others, store, tmp_path / "store", folder, sorted(folder.iterdir()), iter(others)):
        np.testing.assert_array_equal(fitted.predict_proba(form), expected)
    assert fitted.predict_proba([]).shape == (0, 3)
    assert fitted.predict_proba(others[0].joints).shape == (1, 3)


def test_units_axes_and_dtype(fitted: STARSClassifier) -> None:
    others = [other.joints for other in clips(2, seed=1)]
    expected = fitted.predict_proba(others)
    z_up = [1000 * np.stack([joints[..., 0], -joints[..., 2], joints[..., 1]], axis=-1) for joints in others]
    np.testing.assert_allclose(fitted.predict_proba(z_up, units="mm", up_axis="z"), expected, atol=1e-3)
    coarse = fitted.predict_proba(others, dtype=torch.bfloat16)
    assert not np.array_equal(coarse, expected)
    np.testing.assert_array_equal(coarse.argmax(axis=1), expected.argmax(axis=1))
    assert fitted.encoder.pos_embed.dtype == torch.float32


def test_fit_prepares_as_predict_does(encoder: STARSEncoder) -> None:
    examples = clips(4)
    plain = STARSClassifier(encoder).fit(examples, mode="linear", validation=0)
    shifted = [1000 * (example.joints + 1.0) for example in examples]  # centred, so that where is no matter
    labels = [example.label for example in examples]
    other = STARSClassifier(encoder).fit(shifted, labels, mode="linear", validation=0, units="mm")
    np.testing.assert_allclose(other.predict_proba(examples), plain.predict_proba(examples), atol=1e-3)


def test_saved_and_loaded(fitted: STARSClassifier, tmp_path: Path) -> None:
    folder = fitted.save_pretrained(tmp_path / "model")
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "config.json", "model.safetensors", "objective.safetensors",
    ]  # fmt: skip
    loaded = STARSClassifier.from_pretrained(folder)
    assert not loaded.encoder.training
    assert loaded.label_names == list(ACTIONS)
    np.testing.assert_array_equal(loaded.predict_proba(clips(1)), fitted.predict_proba(clips(1)))
    half = STARSClassifier.from_pretrained(folder, dtype=torch.bfloat16, num_frames=16)
    assert half.encoder.config.num_frames == 16
    assert half.predict(clips(1)) == fitted.predict(clips(1))


def test_encoders_hold_no_classes(encoder: STARSEncoder, tmp_path: Path) -> None:
    plain = encoder.save_pretrained(tmp_path / "plain")
    pretrained = MAMP(encoder, decoder_depth=1).save_pretrained(tmp_path / "mamp")
    for folder in (plain, pretrained):
        with pytest.raises(CheckpointError, match=r"fit\(sequences, labels\)"):
            STARSClassifier.from_pretrained(folder)
        with pytest.raises(ConfigError, match="no classes yet"):
            STARSClassifier(folder).predict([clip("kick")])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": ["a"] * 6}, ConfigError, "two classes"),
        ({"labels": ["a", "b"] * 2}, ConfigError, "each of 6 recordings, got 4"),
        ({"labels": ["a", "b"] * 2, "stream": True}, ConfigError, "got 4 for more"),
        ({"labels": ["a", "b"] * 4, "stream": True}, ConfigError, "8 labels, got 6"),
        ({"labels": [0, 1, -1, 0, 1, 0]}, ConfigError, "recording 2 has no label"),
        ({"labels": [0.5] * 6}, ConfigError, "name or a whole number"),
        ({"labels": ["a", "b", ""] * 2}, ConfigError, "recording 2"),
        ({"labels": None}, ConfigError, "no labels along"),
        ({"subjects": [1, 2]}, ConfigError, "subject for each of 6"),
        ({"validation": ["9"]}, ConfigError, "9"),
        ({"mode": "deep"}, ConfigError, "deep"),
        ({"class_weights": "equal"}, ConfigError, "equal"),
        ({"epochs": 0}, ConfigError, "epochs"),
        ({"layout": "kinect20"}, LayoutError, "25"),
        ({"spoil": np.nan}, SequenceError, "sequence 4: nobody"),
        ({"spoil": np.inf}, SequenceError, "sequence 4"),
    ],
)
def test_a_failed_fit_loses_nothing(
    fitted: STARSClassifier, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    before = fitted.predict_proba(clips(1)), fitted.report, fitted.label_names
    joints: Any = [clip(ACTIONS[n % 2], n) for n in range(6)]
    arguments: dict[str, Any] = {"labels": ["a", "b"] * 3} | change
    if spoil := arguments.pop("spoil", None):
        joints[4][...] = spoil
    with pytest.raises(error, match=message):
        fitted.fit(iter(joints) if arguments.pop("stream", False) else joints, **arguments)
    np.testing.assert_array_equal(fitted.predict_proba(clips(1)), before[0])
    assert (fitted.report, fitted.label_names) == before[1:]


def test_some_unknown_joints_are_no_matter(encoder: STARSEncoder) -> None:
    examples = clips(4)
    for example in examples:
        example.joints[3:6, 0, 7] = np.nan
    assert STARSClassifier(encoder).fit(examples, mode="linear").predict(clips(1)) == list(ACTIONS)


@pytest.mark.parametrize(("count", "mode"), [(4, "linear"), (8, "partial"), (12, "full")])
def test_auto_goes_by_the_number_of_recordings(
    encoder: STARSEncoder, monkeypatch: pytest.MonkeyPatch, count: int, mode: str
) -> None:
    monkeypatch.setattr("stars_hub.classifiers.fitting.PARTIAL_FROM", 20)
    monkeypatch.setattr("stars_hub.classifiers.fitting.FULL_FROM", 30)
    classifier = STARSClassifier(encoder).fit(clips(count), epochs=1, validation=0, progress=False)
    assert classifier.report is not None
    assert classifier.report.mode == mode


def test_pushed_with_its_head(fitted: STARSClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed: dict[str, Any] = {}

    def push_folder(folder: Path, repo_id: str, **how: Any) -> str:
        pushed.update(how, repo_id=repo_id, labels=STARSClassifier.from_pretrained(folder).label_names)
        assert 'STARSClassifier.from_pretrained("owner/actions")' in (folder / "README.md").read_text()
        return "address"

    monkeypatch.setattr(checkpoints, "push_folder", push_folder)
    assert fitted.push_to_hub("owner/actions", private=True) == "address"
    assert pushed == {"objective": True, "private": True, "repo_id": "owner/actions", "labels": list(ACTIONS)}


def test_the_card_bears_the_name_of_the_folder(
    fitted: STARSClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gestures").mkdir()
    monkeypatch.chdir(tmp_path / "gestures")
    fitted.save_pretrained(".")
    card = Path("README.md").read_text()
    assert "\n# gestures\n" in card
    assert 'STARSClassifier.from_pretrained("gestures")' in card
