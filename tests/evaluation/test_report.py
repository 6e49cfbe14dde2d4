"""Reports: what they say, that nothing can break out of them, that they need nothing from outside."""

import base64
import dataclasses
import html.parser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stars_hub.errors import ConfigError
from stars_hub.evaluation import Evaluation, find_neighbours, report_motions, write_report
from stars_hub.evaluation import report as report_module
from stars_hub.skeletons import SkeletonStore
from stars_hub.skeletons.synthetic import synthetic_dataset

ACTIONS = ["walking", "shaking_hands", "waving"]
HOSTILE = "</script><script>alert(1)</script>"


class Page(html.parser.HTMLParser):
    """What a page holds: tags with their attributes, text, and the islands of data."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.islands: dict[str, dict] = {}
        self.scripts: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self._within: dict = {}
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "input"):
            self.open.append(tag)
        self._within = dict(attrs) if tag == "script" else {}

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            if "id" in self._within:
                self.islands[self._within["id"]] = json.loads(data)
            else:
                self.scripts.append(data)
        else:
            self.text += data

    def count(self, tag: str, **wanted: str) -> int:
        attributes = {name.rstrip("_"): value for name, value in wanted.items()}
        return sum(name == tag and attributes.items() <= attrs.items() for name, attrs in self.tags)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SkeletonStore:
    sequences = synthetic_dataset(4, actions=ACTIONS, num_subjects=2, num_frames=(20, 40))
    folder = tmp_path_factory.mktemp("report") / "store"
    return SkeletonStore.create(folder, sequences, layout="ntu25", label_names=["walk", HOSTILE, "wave & go"])


@pytest.fixture(scope="module")
def evaluation(store: SkeletonStore) -> Evaluation:
    predictions = store.labels.copy()
    predictions[:2] = 1  # two of the four that walk are taken for the hostile class
    return Evaluation(
        protocol="knn",
        metrics={"k=1": 100 * 10 / 12, "k=5": 70.0},
        settings={"ks": [1, 5]},
        provenance={"model": HOSTILE, "counts": {"test recordings": 12}},
        label_names=store.label_names or [],
        truth=store.labels,
        predictions=predictions,
        names=store.names.tolist(),
        curves={"loss": [1.0, 0.5], "accuracy": [50.0]},
    )


def features(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def written(store: SkeletonStore, evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    bank, queries = store.select(range(8)), store.select(range(8, 12))
    found = find_neighbours(queries, features(4), bank, features(8), count=2, k=3)
    return write_report(
        tmp_path_factory.mktemp("written") / "report.html",
        evaluation,
        summary="What <b>we</b> found.",
        features=features(12),
        recordings=store,
        neighbours=found,
        num_recordings=5,
    )


def test_a_report_tells_the_results(written: Path) -> None:
    page = Page(written)
    assert not page.open
    for expected in ("83.3", "70.0", "50.0 %", "2 of 4", "What <b>we</b> found.", "12 test recordings"):
        assert expected in page.text
    wrong = page.text.count("wrong: taken for") + page.text.count("other class, cosine")
    right = page.text.count("recognised") - page.text.count("were recognised") + page.text.count("same class")
    assert (wrong, right) == (
        page.count("figure", class_="motion wrong"),
        page.count("figure", class_="motion right"),
    )
    assert wrong + right == 5 + 2 * 3
    assert page.text.count("cosine") == 2 * 3


def test_every_canvas_finds_its_recording(written: Path, store: SkeletonStore) -> None:
    page = Page(written)
    content = page.islands["motions"]
    assert len(content["motions"]) == 5 + 2 * (1 + 3) == page.count("canvas")
    shown = [int(attrs["data-motion"]) for tag, attrs in page.tags if tag == "canvas"]
    assert shown == list(range(len(content["motions"])))
    for motion in content["motions"]:
        frames, persons, joints = motion["shape"]
        assert len(base64.b64decode(motion["data"])) == 2 * 3 * frames * persons * joints
        assert content["layouts"][motion["layout"]]["bones"] == [list(bone) for bone in store.layout.bones]
    for tag, attrs in page.tags:
        if tag in ("canvas", "svg"):
            assert attrs["role"] == "img"
            assert attrs["aria-label"]


def test_nothing_comes_from_outside(written: Path) -> None:
    page = Page(written)
    assert written.stat().st_size < report_module.MAX_BYTES
    assert not re.search(
        r"https?:|//[a-z]|url\(|@import|\bsrc=|\bhref=", re.sub(r'// .*|"data":"[^"]*"', "", page.source)
    )
    policy = next(attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'")


def test_nothing_breaks_out(written: Path) -> None:
    page = Page(written)
    assert "<script>alert" not in page.source
    assert HOSTILE in page.text  # it is shown as what it is
    assert len(page.scripts) == 1
    assert "alert" not in page.scripts[0]
    assert page.count("b") == 0
    assert "wave & go" in page.text


def test_without_the_extra_the_report_says_so(
    evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = Page(write_report(tmp_path / "r.html", evaluation, features=features(12)))
    assert "pip install 'stars-hub[plots]'" in page.text
    assert "principal components" in page.text
    assert page.count("svg") == 4  # map, confusion matrix, two curves


def test_a_report_without_recordings_runs_no_script(evaluation: Evaluation, tmp_path: Path) -> None:
    page = Page(write_report(tmp_path / "r.html", [evaluation, evaluation]))
    assert not page.scripts
    assert page.count("canvas") == 0
    assert page.text.count("Confusion matrix") == 2


def test_an_evaluation_of_numbers_only(tmp_path: Path) -> None:
    bare = Evaluation(protocol="semi", metrics={"1 %": 40.0}, settings={}, provenance={}, label_names=[])
    page = Page(write_report(tmp_path / "r.html", bare))
    assert "Semi-supervised" in page.text
    assert "40.0" in page.text
    assert "Confusion" not in page.text


def test_a_name_of_several_recordings_gets_no_others_verdict(
    store: SkeletonStore, evaluation: Evaluation
) -> None:
    names = ["twin", "twin", *store.names.tolist()[2:]]
    twins = dataclasses.replace(evaluation, names=names, predictions=[1, 0, *store.labels[2:]])
    assert twins.truth is not None
    assert [report_motions.answers(twins, names)[place][1] for place in range(3)] == [False, True, True]
    assert sorted(report_motions.answers(twins, names[1:])) == list(range(1, 11))
    assert sorted(report_motions.answers(evaluation, names)) == list(range(2, 12))


def test_percent_is_said_of_accuracies_alone(tmp_path: Path) -> None:
    parts = {"settings": {}, "provenance": {}, "label_names": []}
    metrics = {"silhouette": 0.2, "linear separability": 90.0}
    page = Page(
        write_report(tmp_path / "r.html", Evaluation(protocol="clustering", metrics=metrics, **parts))
    )
    assert "In percent, but for silhouette." in page.text
    assert "Accuracies in percent" not in page.text


def test_semi_supervised_details_are_said_to_be_of_one_run(evaluation: Evaluation, tmp_path: Path) -> None:
    told = "All of this is the first run's."
    for protocol in ("semi", "finetune"):
        page = Page(write_report(tmp_path / "r.html", dataclasses.replace(evaluation, protocol=protocol)))
        assert (told in page.text) == (protocol == "semi")


def test_120_classes_fit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth, predictions = rng.integers(0, 120, (2, 60_000))  # chance: every cell of the matrix is filled
    names = [f"a class whose name is rather long, {index}" for index in range(120)]
    parts = {
        "settings": {},
        "provenance": {},
        "label_names": names,
        "truth": truth,
        "predictions": predictions,
    }
    path = write_report(tmp_path / "r.html", Evaluation(protocol="linear", metrics={"top-1": 0.8}, **parts))
    assert path.stat().st_size < 600_000


def test_impossible_arguments(
    evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="at least one evaluation"):
        write_report(tmp_path / "r.html", [])
    with pytest.raises(ConfigError, match="a label for each of 3 features, got 12"):
        write_report(tmp_path / "r.html", evaluation, features=features(3))
    with pytest.raises(ConfigError, match="cannot be written"):
        write_report(tmp_path / "nowhere" / "r.html", evaluation)
    monkeypatch.setattr(report_module, "MAX_BYTES", 1000)
    with pytest.raises(ConfigError, match=r"more than 1,000: report on fewer"):
        write_report(tmp_path / "r.html", evaluation)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_skeletons_move_in_a_browser(written: Path, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium here")
    pictures = []
    for milliseconds in (1000, 1700):
        picture = tmp_path / f"{milliseconds}.png"
        command = [
            chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0",
            f"--virtual-time-budget={milliseconds}", "--window-size=1000,2000", f"--screenshot={picture}",
            f"file://{written}",
        ]  # fmt: skip
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240).stderr
        assert "CONSOLE" not in said
        pictures.append(picture.read_bytes())
    assert pictures[0] != pictures[1]
