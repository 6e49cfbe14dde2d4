"""From raw recordings to a store: what ``stars-hub prepare KIND RAW OUT`` does."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from stars_hub._version import __version__
from stars_hub.errors import ConfigError, SkeletonFileError, StoreError
from stars_hub.skeletons.labelled_folder import prepare_folder
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.preparations import Preparation, prepare_npz, prepare_ntu, prepare_pku
from stars_hub.skeletons.recorded import Recorded, size_warnings
from stars_hub.skeletons.splits import SplitRule
from stars_hub.skeletons.store import SkeletonStore, StoreBuilder
from stars_hub.skeletons.store.ingest import IGNORED, Item, ingest, ingest_stream
from stars_hub.skeletons.store.journal import BuildEntry
from stars_hub.skeletons.summary import PrepareSummary, summarize

PREPARATIONS: dict[str, Callable[..., Preparation]] = {
    "ntu60": partial(prepare_ntu, num_actions=60),
    "ntu120": partial(prepare_ntu, num_actions=120),
    "pku1": partial(prepare_pku, phase=1),
    "pku2": partial(prepare_pku, phase=2),
    "npz": prepare_npz,
    "folder": prepare_folder,
}
_ANY_UNITS = ("npz", "folder")  # the others are all in metres, with y up


def prepare(
    kind: str,
    raw: str | Path,
    out: str | Path,
    *,
    ignore: str | Path | None = None,
    layout: str | SkeletonLayout | None = None,
    units: str = "m",
    up_axis: str | None = None,
    dtype: str = "float32",
    workers: int | None = None,
    progress: bool | None = None,
) -> PrepareSummary:
    """Read raw recordings, preprocess them as the field does, and write them as one store.

    Files are read by several processes and written by one, in the order of their names. A file that cannot
    be read is skipped and named in the summary. An interrupted call is resumed by the same call.

    Args:
        kind: "ntu60", "ntu120": a folder of ``.skeleton`` files, searched recursively;
            "pku1", "pku2": PKU-MMD's folder with ``skeleton``, ``label`` and its split files;
            "npz": one file, ragged or with x_train, y_train, x_test, y_test;
            "folder": files of any format that `read_sequence` reads, with ``labels.csv``.
        raw: the file or folder.
        out: the store's folder; must not exist.
        ignore: a text file with one name a line, such as NTU's list of samples with missing skeletons.
        layout: of an npz or a folder; by default found by the number of joints.
        units: of an npz or a folder: "m", "cm", "mm" or "pixels"; the store holds metres.
        up_axis: of an npz or a folder, the axis that points up; None: that of the layout.
        dtype: "float32", or "float16" for half the space.
        workers: reading processes; by default one a core where it takes more than seconds.
        progress: show a bar; None: on a terminal.

    Raises:
        ConfigError: an unknown kind, or units or an axis where the dataset decides.
        SkeletonFileError: nothing of that kind lies at `raw`.
        StoreError: nothing at all could be read, `out` exists, or the disk is full.
    """
    start = time.perf_counter()
    if kind not in PREPARATIONS:
        raise ConfigError(f"kind: expected one of {', '.join(PREPARATIONS)}, got {kind!r}")
    raw = Path(raw).expanduser()
    if not raw.exists():
        raise SkeletonFileError("there is no such file or folder", raw)
    names = read_ignore_list(ignore) if ignore is not None else set()
    plan = _in_metres(kind, PREPARATIONS[kind](raw, layout=layout), units, up_axis)
    ignored = [(item.name, IGNORED) for item in plan.items if _listed(item, names)]
    signature = f"{kind} in {units}, up axis {up_axis}, by {__version__}"
    with StoreBuilder(
        out, layout=plan.layout, fps=plan.fps, dtype=dtype, label_names=plan.label_names, signature=signature
    ) as builder:
        entries = _ingest(builder, plan, names, workers=workers, progress=progress)
        _refuse_nothing(raw, entries, builder.num_samples)
        folder = builder.finish(
            splits={name: rule.to_json() for name, rule in plan.splits.items()},
            provenance={
                "kind": kind,
                "source": raw.name,
                "made_by": f"stars_hub {__version__}",
                **plan.provenance,
            },
        )
    store = SkeletonStore.open(folder)
    warnings = count_warnings(store, plan.splits)
    if kind in _ANY_UNITS:
        warnings += size_warnings(store)
    if ignore is not None and not ignored and plan.items:
        warnings.append(f"no name in {Path(ignore).name} is that of a file")
    return summarize(
        kind,
        folder,
        entries,
        ignored=[*plan.skipped, *ignored],
        seconds=time.perf_counter() - start,
        warnings=warnings,
    )


def _in_metres(kind: str, plan: Preparation, units: str, up_axis: str | None) -> Preparation:
    """A plan whose recordings are brought to metres and the layout's axes as they are read."""
    if (units, up_axis) == ("m", None):
        return plan
    if kind not in _ANY_UNITS:
        raise ConfigError(f"units and up_axis are for npz and folder; {kind} is in metres, y up")
    recorded = Recorded(plan.layout, units, up_axis)
    stream = None if plan.stream is None else recorded.sequences(plan.stream)
    return replace(plan, read=recorded.reader(plan.read), stream=stream)


def _ingest(
    builder: StoreBuilder, plan: Preparation, ignored: set[str], *, workers: int | None, progress: bool | None
) -> list[BuildEntry]:
    """Read what is planned, but for the names that are ignored, into the store."""
    if plan.stream is not None:
        return ingest_stream(
            builder, plan.stream, stamp=plan.stamp, ignored=ignored, total=plan.total, progress=progress
        )
    kept = [item for item in plan.items if not _listed(item, ignored)]
    return ingest(builder, kept, plan.read, workers=workers, progress=progress)


def read_ignore_list(path: str | Path) -> set[str]:
    """Names, one a line, with or without a suffix; blank lines and other text do no harm.

    Raises:
        SkeletonFileError: the file cannot be read.
    """
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise SkeletonFileError(f"the ignore list cannot be read: {error}", path) from error
    names = {line.strip() for line in lines} - {""}
    return names | {name.rsplit(".", 1)[0] for name in names}


def _listed(item: Item, names: set[str]) -> bool:
    return item.name in names or Path(item.name).name in names or Path(item.name).stem in names


def _refuse_nothing(raw: Path, entries: list[BuildEntry], num_samples: int) -> None:
    if num_samples:
        return
    skips = [skip for entry in entries for skip in entry.skipped]
    if not skips:
        raise StoreError(f"{raw}: there is nothing to store")
    shown = "; ".join(f"{name}: {reason}" for name, reason in skips[:3])
    raise StoreError(f"{raw}: none of {len(entries)} files could be read: {shown}")


def count_warnings(store: SkeletonStore, splits: Mapping[str, SplitRule]) -> list[str]:
    """Where a prepared dataset's splits have other sizes than the complete dataset's."""
    warnings: list[str] = []
    checked: list[SplitRule] = []  # some go by two names
    for name, rule in splits.items():
        if rule.expected is None or rule in checked:
            continue
        checked.append(rule)
        train, test = rule.apply(store.column, len(store))
        counts = len(train), len(test)
        if counts != rule.expected:
            more, test_more = counts[0] - rule.expected[0], counts[1] - rule.expected[1]
            warnings.append(
                f"{name} has {counts[0]:,} training and {counts[1]:,} test samples; the complete dataset "
                f"has {rule.expected[0]:,} and {rule.expected[1]:,} ({more:+,} and {test_more:+,})"
            )
    return warnings
