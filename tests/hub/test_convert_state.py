"""Names, sizes and values: what `convert_state` makes of the authors' tensors, without any file."""

import re

import pytest
import torch
from einops import rearrange

from stars_hub.errors import CheckpointError, ConfigError
from stars_hub.hub.authors import DECODER, ENCODER, HEADS, QUEUE, split_block_number
from stars_hub.hub.state import convert_state
from stars_hub.model.config import EncoderConfig

GOLDEN = EncoderConfig(num_frames=24, embed_dim=32, depth=4, num_heads=4)


def convert_stars(state):
    return convert_state(state, num_heads=4)


def convert_mamp(state):
    return convert_state({"model": state}, num_heads=4)


def test_mamp_sizes_and_settings_are_read_off_the_tensors(mamp_state):
    model = convert_mamp(mamp_state)
    assert model.source.arxiv == "2308.07092"
    assert model.config == GOLDEN
    assert model.objective == {
        "name": "mamp", "decoder_depth": 2, "mask_ratio": 0.9, "motion_stride": 1, "motion_aware_tau": 0.8,
        "target": "motion", "skip_absent_persons": False,
    }  # fmt: skip


def test_stars_sizes_and_settings_are_read_off_the_tensors(stars_state):
    model = convert_stars(stars_state)
    assert model.source.arxiv == "2407.10935"
    assert model.config == GOLDEN
    assert model.objective == {
        "name": "nnclr", "predictor_hidden_dim": 48, "queue_size": 20, "temperature": 0.07, "topk": 0,
    }  # fmt: skip


def test_every_mamp_value_lands_where_it_belongs(mamp_state):
    model = convert_mamp(mamp_state)
    ours = model.tensors | model.objective_tensors
    renamed = {}
    for name, tensor in mamp_state.items():
        name = name.replace("joints_embed.proj", "patch_embed").replace("decoder_", "decoder.")
        renamed[name.replace("mask_token", "decoder.mask_token")] = tensor
    # A patch is flattened coordinate first, then frame: number c·4 + u.
    by_hand = torch.empty(32, 12)
    for c in range(3):
        for u in range(4):
            by_hand[:, c * 4 + u] = mamp_state["joints_embed.proj.weight"][:, c, u, 0]
    renamed["patch_embed.weight"] = by_hand
    assert set(ours) == set(renamed)
    for name, tensor in renamed.items():
        torch.testing.assert_close(ours[name], tensor, rtol=0, atol=0)
    assert all(not name.startswith("decoder") for name in model.tensors)
    assert all(name.startswith("decoder.") for name in model.objective_tensors)


def test_every_stars_value_lands_where_it_belongs(stars_state):
    model = convert_stars(stars_state)
    heads = {
        name.removeprefix("encoder_student.head.").replace("projector.0", "projector"): tensor
        for name, tensor in stars_state.items()
        if ".head." in name
    }
    queue = {
        "queue.features": stars_state["queue"].T,
        "queue.ids": stars_state["queue_id"],
        "queue.pointer": stars_state["queue_ptr"][0],
    }
    assert set(model.objective_tensors) == set(heads | queue)
    for name, tensor in (heads | queue).items():
        expected = tensor.float() if tensor.is_floating_point() else tensor
        torch.testing.assert_close(model.objective_tensors[name], expected, rtol=0, atol=0)
    assert model.objective_tensors["queue.features"].shape == (20, 32)
    assert model.objective_tensors["queue.pointer"].shape == ()
    for name, tensor in model.tensors.items():
        assert tensor.dtype == torch.float32
        theirs = stars_state["encoder_student." + name.replace("patch_embed", "joints_embed.proj")]
        torch.testing.assert_close(tensor, theirs.float().reshape(tensor.shape), rtol=0, atol=0)


def test_the_table_leads_back_to_the_authors_dictionary(mamp_state, stars_state):
    for state, model in ((mamp_state, convert_mamp(mamp_state)), (stars_state, convert_stars(stars_state))):
        back = {}
        for ours, tensor in (model.tensors | model.objective_tensors).items():
            template, number = split_block_number(ours)
            row = next(row for row in ENCODER + DECODER + HEADS + QUEUE if row[1] == template)
            if "->" in row[2]:
                left, right = row[2].split("->")
                tensor = rearrange(tensor, f"{right} -> {left}", **({"u": 4, "p": 1} if "u" in left else {}))
            back[row[0].replace("#", str(number))] = tensor
        plain = {name.removeprefix("encoder_student."): tensor for name, tensor in state.items()}
        assert set(back) == set(plain)
        for name, tensor in plain.items():
            torch.testing.assert_close(
                back[name].to(tensor.dtype), tensor.to(back[name].dtype).to(tensor.dtype)
            )


@pytest.mark.parametrize(
    "prefix",
    [
        "module.encoder_student.",
        "encoder_student.module.",
        "module.module.encoder_student.",
        "encoder_student.",
    ],
)
@pytest.mark.parametrize("every", [1, 2])
def test_prefixes_in_any_order_on_all_or_some(stars_state, prefix, every):
    renamed = {}
    for i, (name, tensor) in enumerate(stars_state.items()):
        if i % every == 0:
            name = name.replace("encoder_student.", prefix) if "." in name else f"module.{name}"
        renamed[name] = tensor
    plain, prefixed = convert_stars(stars_state), convert_stars(renamed)
    assert prefixed.config == plain.config
    for name, tensor in (plain.tensors | plain.objective_tensors).items():
        assert torch.equal((prefixed.tensors | prefixed.objective_tensors)[name], tensor)


def test_an_encoder_alone_has_no_objective(mamp_state, stars_state):
    encoder = {k: t for k, t in mamp_state.items() if "decoder" not in k and k != "mask_token"}
    assert convert_mamp(encoder).objective is None
    student = {k: t for k, t in stars_state.items() if "head" not in k and "queue" not in k}
    model = convert_stars(student)
    assert model.objective is None
    assert model.objective_tensors == {}


def test_heads_without_a_queue_are_converted_without_one(stars_state):
    model = convert_stars({name: t for name, t in stars_state.items() if not name.startswith("queue")})
    assert model.objective == {"name": "nnclr", "predictor_hidden_dim": 48, "temperature": 0.07, "topk": 0}
    assert not any(name.startswith("queue") for name in model.objective_tensors)
    assert "predictor.3.bias" in model.objective_tensors


def test_heads_are_eight_at_width_256_only(make_encoder):
    assert convert_state({"model": make_encoder(d=256, h=1024)}).config.num_heads == 8
    assert convert_state({"model": make_encoder(d=256, h=1024)}, num_heads=4).config.num_heads == 4
    with pytest.raises(ConfigError, match=r"num_heads must be given.*width is 128"):
        convert_state({"model": make_encoder(d=128, h=512)})


@pytest.mark.parametrize("num_heads", [0, -4, 5, 2.0])
def test_impossible_heads_are_refused(mamp_state, num_heads):
    with pytest.raises(ConfigError, match="num_heads"):
        convert_state({"model": mamp_state}, num_heads=num_heads)


def test_all_sizes_come_from_the_tensors(make_encoder):
    state = make_encoder(d=14, h=61, depth=11, c=2, u=5, p=3, t=7, v=4)
    for name in [name for name in state if name.endswith("qkv.bias")]:
        del state[name]
    config = convert_state({"model": state}, num_heads=7).config
    assert config == EncoderConfig(
        num_joints=12, num_frames=35, frame_patch_size=5, joint_patch_size=3, in_chans=2, embed_dim=14,
        depth=11, num_heads=7, mlp_ratio=config.mlp_ratio, qkv_bias=False,
    )  # fmt: skip
    assert config.hidden_dim == 61


def test_a_patch_of_several_joints_is_flattened_coordinate_frame_joint(make_encoder):
    state = make_encoder(d=8, h=16, c=3, u=4, p=2)
    weight = convert_state({"model": state}, num_heads=1).tensors["patch_embed.weight"]
    assert weight.shape == (8, 24)
    for c, u, p in [(0, 0, 1), (0, 3, 0), (1, 0, 0), (2, 3, 1), (2, 1, 0)]:
        number = c * 8 + u * 2 + p
        assert torch.equal(weight[:, number], state["joints_embed.proj.weight"][:, c, u, p])


@pytest.mark.parametrize(("width", "hidden"), [(7, 61), (48, 100), (256, 1024), (256, 683)])
def test_the_ratio_gives_back_the_hidden_width(make_encoder, width, hidden):
    config = convert_state({"model": make_encoder(d=width, h=hidden)}, num_heads=1).config
    assert config.hidden_dim == hidden


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_stored_as_float32(mamp_state, dtype):
    model = convert_mamp({name: tensor.to(dtype) for name, tensor in mamp_state.items()})
    assert {tensor.dtype for tensor in model.tensors.values()} == {torch.float32}
    assert torch.equal(model.tensors["norm.weight"], mamp_state["norm.weight"].to(dtype).float())


def with_fault(state, name, change):
    """The state with one tensor removed (None), replaced, or put through a function."""
    if change is None:
        return {key: tensor for key, tensor in state.items() if key != name}
    return {**state, name: change(state[name]) if callable(change) else change}


ONES = torch.ones(32)
MAMP_FAULTS = [
    ("head.bias", ONES, "a MAMP checkpoint has no head.bias"),
    ("blocks.0.norm3.weight", ONES, "no blocks.0.norm3.weight"),
    ("blocks.01.norm1.weight", ONES, "no blocks.01.norm1.weight"),
    ("queue", ONES, "a MAMP checkpoint has no queue"),
    ("norm.bias", None, "lacks norm.bias"),
    ("temp_embed", None, "lacks temp_embed"),
    ("blocks.3.mlp.fc2.bias", None, "lacks blocks.3.mlp.fc2.bias"),
    ("blocks.2.attn.qkv.bias", None, "lacks blocks.2.attn.qkv.bias"),
    ("decoder_pred.weight", None, "lacks decoder_pred.weight"),
    ("mask_token", None, "lacks mask_token"),
    ("decoder_blocks.1.norm1.bias", None, "lacks decoder_blocks.1.norm1.bias"),
    ("blocks.6.norm1.weight", ONES, "lacks blocks.4.norm1.weight, blocks.4.norm1.bias"),
    ("blocks.9999.norm1.weight", ONES, "lacks blocks.4.norm1.weight, blocks.4.norm1.bias"),
    ("norm.weight", torch.ones(33), r"norm.weight has shape \(33,\), expected \(32\)"),
    ("blocks.2.mlp.fc1.bias", torch.ones(120), r"blocks.2.mlp.fc1.bias has .*\(120,\), expected \(128\)"),
    ("blocks.0.attn.qkv.weight", torch.ones(64, 32), r"blocks.0.attn.qkv.weight .*expected \(96, 32\)"),
    ("joints_embed.proj.weight", torch.ones(32, 12), r"joints_embed.proj.weight .*expected \(d, c, u, p\)"),
    ("pos_embed", torch.ones(1, 1, 0, 32), r"pos_embed has shape \(1, 1, 0, 32\), expected \(1, 1, v, 32\)"),
    ("temp_embed", torch.ones(2, 6, 1, 32), r"temp_embed .*expected \(1, t, 1, 32\)"),
    ("decoder_temp_embed", torch.ones(1, 5, 1, 32), r"decoder_temp_embed .*expected \(1, 6, 1, 32\)"),
    ("decoder_pred.bias", torch.ones(13), r"decoder_pred.bias .*expected \(12\)"),
    ("norm.bias", lambda t: t * float("nan"), "norm.bias holds NaN"),
    ("pos_embed", lambda t: t / 0, "pos_embed holds NaN"),
    ("norm.bias", lambda t: t.double() + 1e39, "norm.bias holds .* beyond float32"),
    ("norm.bias", lambda t: t.int(), "norm.bias must hold real numbers, got torch.int32"),
    ("norm.bias", lambda t: t.to(torch.complex64), "norm.bias must hold real numbers"),
    ("norm.bias", lambda t: t.to_sparse(), "norm.bias is no plain tensor"),
    ("norm.bias", lambda t: t.to("meta"), "norm.bias is no plain tensor"),
    ("norm.bias", "text", "norm.bias is no tensor, but a str"),
    ("norm.bias", {"a": ONES}, "norm.bias is no tensor, but a dict"),
    ("norm.bias", torch.ones(1).expand(32), "norm.bias has shape .* fewer numbers are stored"),
    ("module.norm.bias", ONES, "two tensors for norm.bias"),
]
STUDENT = "encoder_student."
STARS_FAULTS = [
    ("queue_id", None, "lacks queue_id"),
    ("queue_ptr", None, "lacks queue_ptr"),
    ("queue", None, "lacks queue"),
    (STUDENT + "head.predictor.3.bias", None, "lacks head.predictor.3.bias"),
    (STUDENT + "head.projector.0.num_batches_tracked", None, "lacks head.projector.0.num_batches"),
    (STUDENT + "joints_embed.proj.bias", None, "lacks joints_embed.proj.bias"),
    (STUDENT + "mask_token", ONES, "a STARS checkpoint has no mask_token"),
    ("encoder_teacher.norm.weight", ONES, "has no encoder_teacher.norm.weight"),
    ("queue", lambda t: t.T, r"queue has shape \(20, 32\), expected \(32, k\)"),
    ("queue_id", lambda t: t[:-1], r"queue_id has shape \(19,\), expected \(20\)"),
    ("queue_id", lambda t: t.double(), "queue_id must hold int64 numbers, got torch.float64"),
    ("queue_ptr", torch.tensor([20]), "queue_ptr must lie in the queue of 20 rows, got 20"),
    ("queue_ptr", torch.tensor([-1]), "queue_ptr must lie"),
    ("queue_ptr", torch.tensor(0), r"queue_ptr has shape \(\), expected \(1\)"),
    (STUDENT + "head.predictor.3.weight", torch.ones(32, 40), r"predictor.3.weight .*\(32, 48\)"),
]


@pytest.mark.parametrize(("name", "change", "message"), MAMP_FAULTS)
def test_a_mamp_checkpoint_with_one_fault_is_refused_by_name(mamp_state, name, change, message):
    with pytest.raises(CheckpointError, match=message):
        convert_mamp(with_fault(mamp_state, name, change))


@pytest.mark.parametrize(("name", "change", "message"), STARS_FAULTS)
def test_a_stars_checkpoint_with_one_fault_is_refused_by_name(stars_state, name, change, message):
    with pytest.raises(CheckpointError, match=message):
        convert_stars(with_fault(stars_state, name, change))


def test_a_queue_without_heads_is_refused(stars_state):
    with pytest.raises(CheckpointError, match="a queue without the heads"):
        convert_stars({name: tensor for name, tensor in stars_state.items() if "head" not in name})


def test_many_missing_tensors_are_counted(mamp_state):
    with pytest.raises(CheckpointError, match=re.compile(r"lacks .* and \d+ more")):
        convert_mamp({name: t for name, t in mamp_state.items() if not name.startswith("blocks")})


@pytest.mark.parametrize("checkpoint", [{}, {"state_dict": {}}, {"epoch": 3}, {"model": {}}, {"model": 3}])
def test_something_else_is_refused(checkpoint):
    with pytest.raises(CheckpointError):
        convert_state(checkpoint)


def test_a_bare_encoder_of_unknown_origin_is_refused(make_encoder):
    with pytest.raises(CheckpointError, match=r"neither a MAMP checkpoint.*nor a STARS checkpoint"):
        convert_state(make_encoder(d=256, h=1024))


@pytest.mark.parametrize("key", [3, None, ("a",), b"norm.bias", "norm\nbias", "x" * 1000])
def test_keys_that_are_no_names_are_refused(mamp_state, key):
    with pytest.raises(CheckpointError, match="expected names of tensors, got the key") as caught:
        convert_mamp({**mamp_state, key: ONES})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200
