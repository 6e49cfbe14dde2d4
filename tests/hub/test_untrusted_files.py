"""Files of unknown origin: nothing in them runs, damage is noticed, every failure is one clear error."""

import argparse
import io
import os
import pathlib
import pickle
import subprocess
import tarfile
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch

from stars_hub.errors import CheckpointError
from stars_hub.hub import convert_checkpoint
from stars_hub.hub.untrusted import read_untrusted


class Bomb:
    """Pickles as a call, which a trusting reader would make."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def marker(tmp_path):
    """A file that an executed bomb would make."""
    path = tmp_path / "executed"
    yield path
    assert not path.exists()


BOMBS = {
    "os.system": lambda marker: Bomb(os.system, f"touch {marker}"),
    "eval": lambda marker: Bomb(eval, f"open({str(marker)!r}, 'w')"),
    "exec": lambda marker: Bomb(exec, f"open({str(marker)!r}, 'w')"),
    "open": lambda marker: Bomb(open, str(marker), "w"),
    "Popen": lambda marker: Bomb(subprocess.Popen, ("touch", str(marker))),
    "getattr": lambda marker: Bomb(getattr, Bomb(os.system, f"touch {marker}"), "real"),
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("place", ["args", "nested", "model", "optimizer", "top"])
@pytest.mark.parametrize("kind", BOMBS)
def test_a_pickle_bomb_does_not_execute(mamp_state, save_mamp, tmp_path, marker, kind, place, legacy):
    bomb = BOMBS[kind](marker)
    bomb = argparse.Namespace(deep=[{"x": bomb}]) if place == "nested" else bomb
    if place == "model":
        path = save_mamp({**mamp_state, "norm.bias": bomb}, legacy=legacy)
    elif place == "top":
        path = tmp_path / "bomb.pth"
        torch.save(bomb, path, _use_new_zipfile_serialization=not legacy)
    else:
        path = save_mamp(mamp_state, legacy=legacy, **{"args" if place == "nested" else place: bomb})
    with pytest.raises(CheckpointError, match=r"holds a pickled \S+, .*\. It was not executed") as caught:
        convert_checkpoint(path, tmp_path / "model", num_heads=4)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_a_bare_pickle_does_not_execute(tmp_path, marker, protocol):
    path = tmp_path / "bare.pth"
    path.write_bytes(pickle.dumps(BOMBS["os.system"](marker), protocol=protocol))
    with pytest.raises(CheckpointError) as caught:
        read_untrusted(path)
    assert "weights_only" not in str(caught.value)


def test_a_tar_does_not_execute(tmp_path, marker):
    path = tmp_path / "old.pth"
    with tarfile.open(path, "w") as archive:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            content = pickle.dumps(BOMBS["os.system"](marker), protocol=2)
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    with pytest.raises(CheckpointError, match="no checkpoint"):
        read_untrusted(path)


def test_a_namespace_that_runs_code_on_state_does_not(tmp_path, marker, save_mamp, mamp_state):
    """Building a class must not reach a setter: the names of settings become stand-ins, never classes."""
    hostile = argparse.Namespace()
    hostile.__dict__.update({"__class__": "x", "__setstate__": "y", "__dict__": {}})
    model = read_untrusted(save_mamp(mamp_state, args=hostile))
    assert type(model["args"]).__name__ == "_Discarded"
    assert vars(model["args"]) == {}


@pytest.mark.parametrize("legacy", [False, True])
def test_settings_of_unusual_kinds_are_passed_over(mamp_state, save_mamp, tmp_path, legacy):
    settings = argparse.Namespace(
        output=pathlib.PosixPath("/out"), windows=pathlib.PureWindowsPath("c:/out"), dtype=torch.float32,
        device=torch.device("cuda:1"), score=np.float64(0.5), epoch=np.int64(3),
        nested=argparse.Namespace(a=[(1, {2})]), big=10**30, raw=b"abc", none=None, ordered=OrderedDict(a=1),
    )  # fmt: skip
    folder = convert_checkpoint(
        save_mamp(mamp_state, args=settings, legacy=legacy), tmp_path / "m", num_heads=4
    )
    assert (folder / "model.safetensors").exists()


def test_reading_leaves_no_trust_behind(mamp_state, save_mamp):
    before = set(torch.serialization.get_safe_globals())
    path = save_mamp(mamp_state)
    read_untrusted(path)
    assert set(torch.serialization.get_safe_globals()) == before
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"PK\x03\x04" + bytes(500), b"\x80\x02", b"a,b\n1,2\n"]
)
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "file.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged, or no checkpoint"):
        read_untrusted(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "nowhere.pth", tmp_path):
        with pytest.raises(CheckpointError, match=r"cannot convert .*: there is no such file"):
            convert_checkpoint(path, tmp_path / "model")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_list_of_tensors_is_refused(tmp_path, legacy):
    path = tmp_path / "list.pt"
    torch.save([torch.ones(3)], path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match="expected a dictionary of tensors, got list"):
        read_untrusted(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_every_truncation_is_noticed(stars_state, save_stars, tmp_path, legacy):
    path = save_stars(stars_state, legacy=legacy)
    content = path.read_bytes()
    for share in (0.01, 0.3, 0.6, 0.9, 0.99, 1 - 1 / len(content)):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(CheckpointError, match="damaged, or no checkpoint"):
            convert_checkpoint(path, tmp_path / "model", num_heads=4)


def test_a_flipped_byte_is_noticed_or_harmless(tmp_path):
    """Zip files carry checksums; the few bytes outside them are names and padding."""
    path = tmp_path / "small.pt"
    torch.save({"a": torch.arange(8.0)}, path)
    content = path.read_bytes()
    noticed = 0
    for place in range(0, len(content), 5):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        try:
            result = read_untrusted(path)
        except CheckpointError:
            noticed += 1
        else:
            assert set(result) == {"a"}
            assert torch.equal(result["a"], torch.arange(8.0))
    assert noticed > 100


def test_a_compressed_archive_is_refused(stars_state, save_stars):
    path = save_stars(stars_state)
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    with pytest.raises(CheckpointError, match="is compressed"):
        read_untrusted(path)


class Claim:
    """Pickles as a tensor that claims more numbers than its storage of four holds."""

    def __init__(self, numel, stride):
        self.numel, self.stride = numel, stride

    def __reduce__(self):
        storage = torch.ones(4)._typed_storage()
        return torch._utils._rebuild_tensor_v2, (
            storage,
            0,
            (self.numel,),
            (self.stride,),
            False,
            OrderedDict(),
        )


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("claim", [Claim(32, 0), Claim(32, 1), Claim(10**12, 0)])
def test_a_tensor_that_claims_too_much_is_refused(mamp_state, save_mamp, tmp_path, legacy, claim):
    path = save_mamp({**mamp_state, "norm.bias": claim}, legacy=legacy)
    with pytest.raises(CheckpointError, match=r"norm.bias has shape|damaged"):
        convert_checkpoint(path, tmp_path / "model", num_heads=4)
