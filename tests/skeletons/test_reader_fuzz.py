"""Damaged files: a reader quickly gives sequences that could be, or an error that names the file."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stars_hub.errors import SkeletonFileError
from stars_hub.skeletons.pku import read_pku
from stars_hub.skeletons.readers import read_sequences
from stars_hub.skeletons.readers.decimals import WIDTH, parse_decimals
from tests.motions import drifting
from tests.skeletons.recorded_files import wide
from tests.skeletons.test_ntu import write_skeleton

FEW, MANY = 250, 20_000


def make_skeleton(folder: Path) -> Path:
    frames = [{"7": joints[0], "8": joints[1]} for joints in drifting(3, persons=2)]
    return write_skeleton(folder / "S001C001P001R001A001.skeleton", frames)


def make_npy(folder: Path) -> Path:
    np.save(folder / "a.npy", drifting(3))
    return folder / "a.npy"


def make_npz(folder: Path) -> Path:
    np.savez(folder / "a.npz", joints=drifting(4)[:, 0], lengths=[1, 3], labels=[0, 1], names=["a", "b"])
    return folder / "a.npz"


def make_padded(folder: Path) -> Path:
    np.savez_compressed(folder / "b.npz", x_train=drifting(8).reshape(2, 4, 75), y_train=np.eye(2))
    return folder / "b.npz"


def make_wide(folder: Path) -> Path:
    (folder / "a.csv").write_text(wide(drifting(3, persons=2)[:, :, :4]))
    return folder / "a.csv"


def make_long(folder: Path) -> Path:
    rows = [f"{t},{v},{v}.5,2,3" for t in range(4) for v in range(5)]
    (folder / "b.csv").write_text("\n".join(["frame,joint,x,y,z", *rows]))
    return folder / "b.csv"


def make_json(folder: Path) -> Path:
    items = [{"joints": drifting(2).tolist(), "name": "a", "label": 1}, {"joints": drifting(1).tolist()}]
    (folder / "a.json").write_text(json.dumps(items))
    return folder / "a.json"


def make_pku(folder: Path) -> Path:
    for name in ("skeleton", "label"):
        (folder / name).mkdir()
    np.savetxt(folder / "skeleton" / "1.txt", np.tile(drifting(4)[:, 0].reshape(4, 75), 2), fmt="%.4f")
    (folder / "label" / "1.txt").write_text("3,0,2,2\n5,1,4,2\n")
    return folder / "skeleton" / "1.txt"


READERS: dict[str, tuple[Callable[[Path], Path], Callable]] = {
    "skeleton": (make_skeleton, read_sequences),
    "npy": (make_npy, read_sequences),
    "npz": (make_npz, read_sequences),
    "padded npz": (make_padded, read_sequences),
    "wide csv": (make_wide, read_sequences),
    "long csv": (make_long, read_sequences),
    "json": (make_json, read_sequences),
    "pku": (make_pku, read_pku),
}
WORDS = [
    b"nan",
    b"inf",
    b"-1",
    b"99999999999999999999",
    b"1e400",
    b"",
    b"\0",
    b"\xff\xfe",
    b"null",
    b"[[[[",
    b"\n",
    b'"',
]


def mutated(data: bytes, generator: random.Random) -> bytes:
    """Damage as it happens: cut off, bytes flipped, a part doubled, dropped or replaced by something odd."""
    start = generator.randrange(len(data))
    end = min(len(data), start + generator.choice([1, 2, 8, 60]))
    kind = generator.randrange(5)
    if kind == 0:
        return data[:start]
    if kind == 1:
        return data[:start] + bytes(generator.randrange(256) for _ in range(end - start)) + data[end:]
    if kind == 2:
        return data[:end] + data[start:]
    if kind == 3:
        return data[:start] + data[end:]
    return data[:start] + generator.choice(WORDS) + data[end:]


def check_mutations(name: str, folder: Path, count: int) -> None:
    make, read = READERS[name]
    path = make(folder)
    original, generator, outcomes = path.read_bytes(), random.Random(name), set()
    for number in range(count):
        data = mutated(original, generator)
        if number % 4 == 0:
            data = mutated(data or b"0", generator)
        path.write_bytes(data)
        start = time.perf_counter()
        try:
            sequences = read(path)
        except SkeletonFileError as error:
            outcomes.add(f"error in {error.path.name}")
        else:
            for sequence in sequences:
                assert sequence.joints.dtype == np.float32
                assert sequence.joints.ndim == 4
                assert 0 not in sequence.joints.shape
                assert not np.isinf(sequence.joints).any()
            outcomes.add("read")
        assert time.perf_counter() - start < 1
    assert outcomes == {"read", f"error in {path.name}"}


@pytest.mark.filterwarnings("ignore:.*no body is seen:UserWarning")
@pytest.mark.parametrize("name", READERS)
def test_damaged_files(name: str, tmp_path: Path) -> None:
    check_mutations(name, tmp_path, FEW)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*no body is seen:UserWarning")
@pytest.mark.parametrize("name", READERS)
def test_many_damaged_files(name: str, tmp_path: Path) -> None:
    check_mutations(name, tmp_path, MANY)


DECIMALS = st.from_regex(r"-?([0-9]{1,18}|[0-9]{0,9}\.[0-9]{1,9})(e-?[0-9]{1,2})?", fullmatch=True)


@given(st.lists(DECIMALS, min_size=1))
def test_decimals_are_those_of_float(words: list[str]) -> None:
    text = " " * WIDTH + " ".join(words)
    starts = WIDTH + np.cumsum([0, *(len(word) + 1 for word in words[:-1])])
    ends = starts + [len(word) for word in words]
    values = parse_decimals(np.frombuffer(text.encode(), np.uint8), starts, ends)
    assert list(map(repr, values.tolist())) == [repr(float(word)) for word in words]  # -0.0 is not 0.0


@given(st.text("0123456789.-+eEnaif_", min_size=1, max_size=18))
def test_what_float_refuses_is_refused(word: str) -> None:
    text = np.frombuffer((" " * WIDTH + word).encode(), np.uint8)
    try:
        expected = repr(float(word))
    except ValueError:
        with pytest.raises(ValueError, match="could not convert"):
            parse_decimals(text, np.array([WIDTH]), np.array([WIDTH + len(word)]))
    else:
        assert repr(parse_decimals(text, np.array([WIDTH]), np.array([WIDTH + len(word)])).item()) == expected
