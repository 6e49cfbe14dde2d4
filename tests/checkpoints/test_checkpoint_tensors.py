"""Weights files: damage is noticed and named, and a module takes all or nothing."""

import json
import pickle
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save, save_file
from torch import nn

from stars_hub.checkpoints import load_strict, read_tensors
from stars_hub.checkpoints.tensors import dump_tensors
from stars_hub.errors import CheckpointError

DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool]


def small_module() -> nn.Module:
    module = nn.Linear(3, 2)
    nn.init.uniform_(module.weight, generator=torch.Generator().manual_seed(0))
    nn.init.ones_(module.bias)
    module.register_buffer("steps", torch.tensor(7))
    return module


SMALL = save(small_module().state_dict(), metadata={"format": "pt"})
HEADER = 8 + struct.unpack("<Q", SMALL[:8])[0]


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes_stay_as_on_disk(tmp_path: Path, dtype: torch.dtype) -> None:
    values = torch.tensor([[0, 1, 0], [1, 1, 0]]).to(dtype)
    save_file({"a": values}, tmp_path / "w.safetensors")
    read = read_tensors(tmp_path / "w.safetensors")["a"]
    assert read.dtype == dtype
    assert torch.equal(read, values)


def test_the_file_may_change_after_reading(tmp_path: Path) -> None:
    path = write(tmp_path / "w.safetensors", SMALL)
    tensors = read_tensors(path)
    path.write_bytes(bytes(len(SMALL)))
    assert all(torch.equal(tensors[name], value) for name, value in small_module().state_dict().items())


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot read the weights .*w\.safetensors: No such file"):
        read_tensors(tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match="cannot read the weights"):
        read_tensors(tmp_path)


class Bomb:
    """Unpickling this would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", [0, 2, 4, "torch"])
def test_a_pickle_is_never_opened(tmp_path: Path, protocol: int | str) -> None:
    path, trace = tmp_path / "model.safetensors", tmp_path / "exploded"
    if protocol == "torch":
        torch.save({"model": Bomb(trace)}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb(trace), protocol=int(protocol)))
    with pytest.raises(CheckpointError, match=r"model\.safetensors .*(is a pickle|no safetensors file)"):
        read_tensors(path)
    assert not trace.exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_nan_and_infinity_are_named(tmp_path: Path, value: float, dtype: torch.dtype) -> None:
    bad = torch.zeros(4, dtype=dtype)
    bad[2] = value
    save_file({"good": torch.ones(2), "bad": bad}, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match=r"w\.safetensors: tensor 'bad' holds NaN or infinity"):
        read_tensors(tmp_path / "w.safetensors")


def test_a_damaged_file_in_the_cache_says_how_to_mend_it(tmp_path: Path) -> None:
    folder = tmp_path / "models--owner--model" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    path = write(folder / "model.safetensors", SMALL[:-1])
    with pytest.raises(CheckpointError, match="load with force_download=True"):
        read_tensors(path)
    with pytest.raises(CheckpointError) as caught:
        read_tensors(write(tmp_path / "model.safetensors", SMALL[:-1]))
    assert "force_download" not in str(caught.value)


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    for length in range(len(SMALL)):
        with pytest.raises(CheckpointError, match=r"w\.safetensors .*cut short or damaged"):
            read_tensors(write(path, SMALL[:length]))


def test_appended_bytes_are_noticed(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="damaged"):
        read_tensors(write(tmp_path / "w.safetensors", SMALL + b"\0"))


def test_a_flipped_bit_in_the_header_is_noticed_or_harmless(tmp_path: Path) -> None:
    """A name that became another name is only noticed by the module that takes the tensors."""
    path, noticed = tmp_path / "w.safetensors", 0
    for bit in range(0, HEADER * 8, 3):
        damaged = bytearray(SMALL)
        damaged[bit // 8] ^= 1 << bit % 8
        module = small_module()
        nn.init.zeros_(module.weight)
        try:
            load_strict(module, read_tensors(write(path, bytes(damaged))), source=path)
        except CheckpointError:
            noticed += 1
            continue
        for name, value in small_module().state_dict().items():
            assert torch.equal(module.state_dict()[name], value), f"bit {bit} changed {name}"
    assert noticed > HEADER * 2  # what is harmless: the padding and {"format": "pt"}


@given(data=st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_an_error(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    try:
        assert read_tensors(write(path, data)) == {}
    except CheckpointError as error:
        assert "any.safetensors" in str(error)  # noqa: PT017


@given(
    entry=st.fixed_dictionaries(
        {
            "dtype": st.sampled_from(["F32", "F16", "BF16", "I64", "BOOL", "F8_E4M3", "F4", "C64", "X", ""]),
            "shape": st.lists(st.integers(-1, 2**63), max_size=4),
            "data_offsets": st.lists(st.integers(-1, 2**64), min_size=1, max_size=3),
        }
    ),
    size=st.integers(0, 40),
)
@settings(max_examples=300, deadline=None)
def test_any_header_is_an_error_or_a_tensor(
    entry: dict[str, object], size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    header = json.dumps({"a": entry}).encode()
    path = tmp_path_factory.getbasetemp() / "header.safetensors"
    write(path, struct.pack("<Q", len(header)) + header + bytes(size))
    try:
        tensors = read_tensors(path)
    except CheckpointError:
        return
    assert list(tensors["a"].shape) == entry["shape"]


def test_storage_is_cast_and_integers_stay(tmp_path: Path) -> None:
    tensors = {"w": torch.tensor([1.0, 2.5, -3.25]), "ids": torch.tensor([2**40])}
    for dtype in (torch.float16, torch.bfloat16):
        read = read_tensors(write(tmp_path / "w.safetensors", dump_tensors(tensors, dtype=dtype)))
        assert read["w"].dtype == dtype
        assert torch.equal(read["w"].float(), tensors["w"])
        assert torch.equal(read["ids"], tensors["ids"])


def test_what_does_not_fit_is_named() -> None:
    tensors = {"small": torch.ones(2), "large": torch.tensor([1.0, -1e5])}
    with pytest.raises(CheckpointError, match=r"tensor 'large' reaches 1e\+05, too large for torch.float16"):
        dump_tensors(tensors, dtype=torch.float16)
    dump_tensors(tensors, dtype=torch.bfloat16)
    with pytest.raises(CheckpointError, match="tensor 'nan' holds NaN"):
        dump_tensors({"nan": torch.tensor(float("nan"))})
    with pytest.raises(CheckpointError, match=r"not as torch\.int8"):
        dump_tensors(tensors, dtype=torch.int8)


def test_views_and_shared_memory_are_stored(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4).requires_grad_()
    views = {
        "base": base,
        "same": base,
        "turned": base.T,
        "part": base[1:, ::2],
        "wide": base[0, 0].expand(3),
    }
    path = write(tmp_path / "w.safetensors", dump_tensors(views))
    read = load_file(path)
    assert all(torch.equal(read[name], value) for name, value in views.items())
    assert path.stat().st_size < 600  # a view stores its own numbers, not its base's


def test_the_metadata_says_pytorch() -> None:
    assert json.loads(dump_tensors({"a": torch.ones(1)})[8:].split(b"}}")[0] + b"}}")["__metadata__"] == {
        "format": "pt"
    }


def test_loading_casts_to_the_module() -> None:
    module = small_module().double()
    tensors = {
        name: torch.ones_like(value).to(torch.float16) for name, value in small_module().state_dict().items()
    }
    tensors["steps"] = torch.tensor(9)
    load_strict(module, tensors, source="here")
    assert module.weight.dtype == torch.float64
    assert torch.equal(module.weight, torch.ones(2, 3, dtype=torch.float64))
    assert module.steps == 9


def test_all_problems_in_one_error_and_nothing_changed() -> None:
    module = small_module()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    tensors = {name: torch.zeros_like(value) for name, value in before.items()}
    del tensors["bias"]
    tensors |= {"extra": torch.ones(1), "weight": torch.ones(3, 3), "steps": torch.tensor(1.5)}
    with pytest.raises(CheckpointError) as caught:
        load_strict(module, tensors, source="here")
    assert str(caught.value) == (
        "here does not fit Linear: missing: bias; unexpected: extra; "
        "wrong shape: weight (3, 3) instead of (2, 3); wrong kind: steps torch.float32 for torch.int64"
    )
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_long_lists_are_cut() -> None:
    module = nn.Sequential(*[nn.Linear(1, 1) for _ in range(20)])
    with pytest.raises(CheckpointError, match=r"missing: .*, 2\.bias and 34 more$"):
        load_strict(module, {}, source="here")


def test_a_value_too_large_for_the_module() -> None:
    module = nn.Linear(1, 1).half()
    before = module.weight.clone()
    tensors = {"weight": torch.tensor([[1e6]]), "bias": torch.zeros(1)}
    with pytest.raises(CheckpointError, match="not finite in the module's dtype: weight"):
        load_strict(module, tensors, source="here")
    assert torch.equal(module.weight, before)
