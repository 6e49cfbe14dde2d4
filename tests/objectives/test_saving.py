import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stars_hub import convert_checkpoint
from stars_hub.checkpoints import OBJECTIVE_NAME, read_config, read_tensors, write_model
from stars_hub.errors import CheckpointError, ConfigError
from stars_hub.model.config import EncoderConfig
from stars_hub.model.encoder import STARSEncoder
from stars_hub.objectives import MAMP, NNCLR, Classification
from stars_hub.objectives.base import Objective
from stars_hub.skeletons import SkeletonLayout
from tests.objectives.conftest import Golden

IDS = torch.arange(6)
Load = Callable[[str], Golden]


@pytest.fixture
def mamp(small_encoder: STARSEncoder) -> MAMP:
    return MAMP(small_encoder, decoder_depth=2, mask_ratio=0.5, target="position", skip_absent_persons=True)


@pytest.fixture
def nnclr(small_encoder: STARSEncoder, persons: Tensor) -> NNCLR:
    objective = NNCLR(small_encoder, predictor_hidden_dim=24, queue_size=10, topk=2)
    objective(persons, IDS)
    return objective


def assert_equal(ours: Objective, theirs: Objective) -> None:
    expected = theirs.state_dict()
    assert ours.state_dict().keys() == expected.keys()
    for name, value in ours.state_dict().items():
        assert torch.equal(value, expected[name]), name
    assert ours.settings == theirs.settings
    assert ours.training


def test_mamp_comes_back_as_it_was(mamp: MAMP, tmp_path: Path) -> None:
    folder = mamp.save_pretrained(tmp_path / "model")
    assert_equal(MAMP.from_pretrained(folder), mamp)
    assert read_config(folder)["objective"] == {"name": "mamp", **mamp.settings}
    assert mamp.settings["motion_aware_tau"] == 0.8
    assert all(name.startswith("decoder.") for name in read_tensors(folder / OBJECTIVE_NAME))


def test_nnclr_comes_back_with_its_queue_and_trains_on_as_if_never_saved(
    nnclr: NNCLR, persons: Tensor, tmp_path: Path
) -> None:
    folder = nnclr.save_pretrained(tmp_path / "model")
    loaded = NNCLR.from_pretrained(folder)
    assert_equal(loaded, nnclr)
    assert loaded.queue.pointer == 6
    generators = [torch.Generator().manual_seed(0) for _ in range(2)]
    assert loaded(persons, IDS, generator=generators[0]) == nnclr(persons, IDS, generator=generators[1])


def test_settings_override_those_saved(mamp: MAMP, nnclr: NNCLR, tmp_path: Path) -> None:
    folder = mamp.save_pretrained(tmp_path / "mamp")
    loaded = MAMP.from_pretrained(folder, motion_aware_tau=0.75, skip_absent_persons=False)
    assert loaded.motion_aware_tau == loaded.settings["motion_aware_tau"] == 0.75
    assert not loaded.skip_absent_persons
    assert loaded.target == "position"
    folder = nnclr.save_pretrained(tmp_path / "nnclr")
    assert NNCLR.from_pretrained(folder, temperature=0.1).temperature == 0.1
    with pytest.raises(
        CheckpointError, match=r"wrong shape: queue.features \(10, 16\) instead of \(12, 16\)"
    ):
        NNCLR.from_pretrained(folder, queue_size=12)
    with pytest.raises(ConfigError, match="NNCLR has no setting mask_ratio; it has predictor_hidden_dim"):
        NNCLR.from_pretrained(folder, mask_ratio=0.5)


def test_another_objective_or_none_gives_the_encoder_and_a_fresh_start(
    mamp: MAMP, nnclr: NNCLR, tmp_path: Path
) -> None:
    folders = [
        mamp.save_pretrained(tmp_path / "mamp"),
        nnclr.save_pretrained(tmp_path / "nnclr"),
        mamp.encoder.save_pretrained(tmp_path / "encoder"),
    ]
    encoders = [mamp.encoder, nnclr.encoder, mamp.encoder]
    for kind, chosen in ((NNCLR, (0, 2)), (MAMP, (1, 2))):
        for index in chosen:
            settings = {"queue_size": 9} if kind is NNCLR else {"mask_ratio": 0.5}
            loaded = kind.from_pretrained(folders[index], **settings)
            for name, value in encoders[index].state_dict().items():
                assert torch.equal(loaded.encoder.state_dict()[name], value), name
            if kind is NNCLR:
                assert loaded.queue.ids.tolist() == [-1] * 9


def test_the_folder_is_an_encoders_folder(nnclr: NNCLR, persons: Tensor, tmp_path: Path) -> None:
    encoder = STARSEncoder.from_pretrained(nnclr.save_pretrained(tmp_path / "model"))
    torch.testing.assert_close(encoder(persons), nnclr.encoder.eval()(persons), rtol=0, atol=0)


def test_a_layout_of_ones_own_travels_along(small_config: EncoderConfig, tmp_path: Path) -> None:
    layout = SkeletonLayout("worm", tuple("abcde"), (-1, 0, 1, 2, 3), (), root=0, spine_middle=2)
    encoder = STARSEncoder(dataclasses.replace(small_config, layout="worm"), layout=layout)
    folder = MAMP(encoder, mask_ratio=0.5).save_pretrained(tmp_path / "model")
    assert MAMP.from_pretrained(folder).encoder.layout == layout


def test_heads_without_a_queue_start_a_fresh_one(nnclr: NNCLR, tmp_path: Path) -> None:
    heads = {name: value for name, value in nnclr.objective_state().items() if "queue" not in name}
    settings = {"name": "nnclr", "predictor_hidden_dim": 24, "temperature": 0.07, "topk": 0}
    folder = write_model(
        tmp_path / "model",
        config={**nnclr.encoder.config.to_dict(), "objective": settings},
        tensors=nnclr.encoder.state_dict(),
        objective=heads,
        card="",
    )
    loaded = NNCLR.from_pretrained(folder, queue_size=11)
    assert torch.equal(loaded.projector.running_mean, nnclr.projector.running_mean)
    assert loaded.queue.ids.tolist() == [-1] * 11


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "mamp", "colour": "red"}, "objective 'mamp' has no setting colour"),
        ({"name": "mamp", "decoder_depth": 2, "mask_ratio": 2.0}, "mask_ratio must leave some"),
        ({"name": "mamp", "decoder_depth": 3, "mask_ratio": 0.5}, "missing: .*decoder.blocks.2"),
    ],
)
def test_a_folder_that_contradicts_itself_is_refused(
    settings: dict, message: str, mamp: MAMP, tmp_path: Path
) -> None:
    folder = write_model(
        tmp_path / "model",
        config={**mamp.encoder.config.to_dict(), "objective": settings},
        tensors=mamp.encoder.state_dict(),
        objective=mamp.objective_state(),
        card="",
    )
    with pytest.raises(CheckpointError, match=message):
        MAMP.from_pretrained(folder)


def test_the_authors_mamp_file_loads_straight(golden: Load, tmp_path: Path) -> None:
    source = golden("mamp_motion_aware")
    state = {key.removeprefix("state."): value for key, value in source.items() if key.startswith("state.")}
    torch.save({"model": state}, tmp_path / "mamp.pth")
    objective = MAMP.from_pretrained(
        convert_checkpoint(tmp_path / "mamp.pth", tmp_path / "model", num_heads=4)
    )
    output = objective(source["input"], source["uniform_noise"])
    torch.testing.assert_close(output.loss, source["loss"].squeeze(), atol=1e-5, rtol=0)
    torch.testing.assert_close(output.prediction, source["pred"], atol=1e-5, rtol=0)


def test_the_authors_stars_file_loads_straight(golden: Load, tmp_path: Path) -> None:
    source = golden("nnclr_partial")
    state = {key.removeprefix("after."): value for key, value in source.items() if key.startswith("after.")}
    state |= {"queue": source["queue_after"].T, "queue_id": source["queue_ids_after"]}
    state["queue_ptr"] = source["queue_ptr_after"]
    torch.save(state, tmp_path / "stars.pt")
    objective = NNCLR.from_pretrained(
        convert_checkpoint(tmp_path / "stars.pt", tmp_path / "model", num_heads=4)
    )
    assert objective.queue.pointer == source["queue_ptr_after"]
    assert torch.equal(objective.queue.ids, source["queue_ids_after"])
    with torch.no_grad():
        p = objective.eval().predict(source["input.0"].float())
    torch.testing.assert_close(p.double(), source["eval_predict"], atol=1e-5, rtol=0)


def test_a_classifier_comes_back_and_an_encoder_alone_gets_a_new_head(
    small_encoder: STARSEncoder, persons: Tensor, tmp_path: Path
) -> None:
    for head in ("joints", "linear"):
        classifier = Classification(small_encoder, label_names=("sit", "stand"), head=head, hidden_dim=6)
        folder = classifier.save_pretrained(tmp_path / head)
        loaded = Classification.from_pretrained(folder)
        assert_equal(loaded, classifier)
        assert loaded.label_names == ["sit", "stand"]
        assert torch.equal(loaded.eval()(persons), classifier.eval()(persons))
    fresh = Classification.from_pretrained(small_encoder.save_pretrained(tmp_path / "e"), label_names="abc")
    assert fresh(persons).shape == (len(persons), 3)
