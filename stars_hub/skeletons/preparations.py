"""What `prepare` knows of the datasets: which files, in which order, with which splits."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from stars_hub.errors import LayoutError, SkeletonFileError
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout, layout_names
from stars_hub.skeletons.ntu import read_ntu
from stars_hub.skeletons.pku import find_pku_splits, read_pku
from stars_hub.skeletons.readers import iter_sequences
from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.splits import SplitRule, ntu_splits
from stars_hub.skeletons.store.ingest import Item, Read, Skips

SECOND_FILE = "a second file of the same name"
OTHER_ACTION = "an action that NTU-60 lacks"
NTU_ACTION = re.compile(r"A(\d{3})$")


@dataclass(frozen=True)
class Preparation:
    """What to read, and what the store will say of itself.

    Attributes:
        layout: of all sequences.
        items: what to read, in the order of the store; or
        stream: sequences out of one large file,
        stamp: which file that is, in which state, and
        total: how many sequences it holds, if known.
        read: gives an item's sequences; travels to other processes.
        fps: frames a second.
        label_names: the name of each label.
        splits: rules that the store will declare.
        provenance: further fields of the store's provenance.
        skipped: (name, reason) of what is not even read.
    """

    layout: SkeletonLayout
    items: list[Item] = field(default_factory=list)
    stream: Iterable[Sequence] | None = None
    stamp: str = ""
    total: int | None = None
    read: Read = list
    fps: float = 30.0
    label_names: list[str] | None = None
    splits: Mapping[str, SplitRule] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    skipped: Skips = field(default_factory=list)


def prepare_ntu(raw: Path, *, layout: str | SkeletonLayout | None = None, num_actions: int) -> Preparation:
    """NTU RGB+D: ``.skeleton`` files, found recursively, in the order of their names.

    Raises:
        SkeletonFileError: there is none.
    """
    paths = sorted(raw.rglob("*.skeleton"), key=lambda path: (path.stem, path))
    if not paths:
        raise SkeletonFileError("there is no .skeleton file here", raw)
    items, skipped = _one_per_name(paths)
    others = [item for item in items if _ntu_action(item.name) > num_actions]
    return Preparation(
        get_layout(layout or "ntu25"),
        [item for item in items if _ntu_action(item.name) <= num_actions],
        read=read_ntu,
        splits=ntu_splits(num_actions),
        skipped=skipped + [(item.name, OTHER_ACTION) for item in others],
    )


def _ntu_action(name: str) -> int:
    """0 for a name that is not NTU's: its reader says so."""
    found = NTU_ACTION.search(name)
    return int(found[1]) if found else 0


def _one_per_name(paths: Iterable[Path]) -> tuple[list[Item], Skips]:
    items: dict[str, Item] = {}
    skipped: Skips = []
    for path in paths:
        if path.stem in items:
            skipped.append((str(path), SECOND_FILE))
        else:
            items[path.stem] = Item(path.stem, path, (path,))
    return list(items.values()), skipped


def prepare_pku(raw: Path, *, layout: str | SkeletonLayout | None = None, phase: int) -> Preparation:
    """PKU-MMD: one text file a recording, cut into the instances that its label file lists.

    Raises:
        SkeletonFileError: there is no ``skeleton`` folder, or a split file cannot be read.
    """
    paths = sorted((raw / "skeleton").glob("*.txt"))
    if not paths:
        raise SkeletonFileError("there is no skeleton/*.txt here", raw)
    labels = {path.stem: raw / "label" / path.name for path in paths}
    items = [
        Item(path.stem, path, (path, labels[path.stem]) if labels[path.stem].exists() else (path,))
        for path in paths
    ]
    # The authors take the recordings of a split in sorted order.
    rules = {
        name: SplitRule("recording", tuple(sorted(training)))
        for name, training in find_pku_splits(raw, phase=phase).items()
    }
    return Preparation(get_layout(layout or "ntu25"), items, read=read_pku, splits=rules)


def prepare_npz(raw: Path, *, layout: str | SkeletonLayout | None = None) -> Preparation:
    """One file with many sequences; a .json of the same name may hold fps, label_names, parents, splits.

    Raises:
        SkeletonFileError: no such file, or nothing in it.
        LayoutError: several layouts have so many joints.
    """
    if raw.is_dir():
        raise SkeletonFileError("expected one .npz file, this is a folder: prepare its files one by one", raw)
    notes = _notes_beside(raw)
    sequences = iter(iter_sequences(raw))
    first = next(sequences, None)
    if first is None:
        raise SkeletonFileError("it holds no sequence", raw)
    stat = raw.stat()
    given = {"given": SplitRule("split", ("train",))} if "split" in first.columns else {}
    return Preparation(
        layout_of(first, raw, layout, parents=notes.get("parents")),
        stream=chain([first], sequences),
        stamp=f"{raw.name}|{stat.st_size}:{stat.st_mtime_ns}",
        total=notes.get("num_sequences"),
        fps=float(notes.get("fps", 30)),
        label_names=notes.get("label_names"),
        splits=given | {name: SplitRule.from_json(rule) for name, rule in notes.get("splits", {}).items()},
        provenance={
            name: notes[name] for name in ("dataset", "licence", "license", "source") if name in notes
        },
    )


def _notes_beside(raw: Path) -> dict[str, Any]:
    path = raw.with_suffix(".json")
    if not path.exists():
        return {}
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SkeletonFileError(f"cannot be read: {error}", path) from error
    if not isinstance(notes, dict):
        raise SkeletonFileError(f"expected a JSON object, got {type(notes).__name__}", path)
    return notes


def layout_of(
    first: Sequence, raw: Path, layout: str | SkeletonLayout | None, *, parents: Iterable[int] | None = None
) -> SkeletonLayout:
    """The layout that was said, else the only built-in one with so many joints (and these parents).

    25 joints are taken for ntu25.

    Raises:
        LayoutError: none or several fit.
    """
    if layout is not None:
        return get_layout(layout)
    num_joints = int(first.joints.shape[-2])
    fitting = [known for known in map(get_layout, layout_names()) if known.num_joints == num_joints]
    if parents is not None:
        fitting = [known for known in fitting if known.parents == tuple(parents)] or fitting
    if num_joints == 25:
        return get_layout("ntu25")
    if len(fitting) != 1:
        names = [known.name for known in fitting] or layout_names()
        raise LayoutError(f"{raw}: say the layout of its {num_joints} joints; built in are {names}")
    return fitting[0]
