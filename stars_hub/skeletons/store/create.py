"""From any iterable of sequences to a store."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sized
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from stars_hub.errors import StoreError
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.splits import SplitRule
from stars_hub.skeletons.store.builder import StoreBuilder
from stars_hub.skeletons.store.metadata import list_of_values
from stars_hub.skeletons.store.validation import check_joints

_END = object()


def write_sequences(
    folder: str | Path,
    sequences: Iterable[Any],
    columns: Mapping[str, Iterable[Any]],
    *,
    layout: str | SkeletonLayout,
    label_names: Iterable[str] | None,
    fps: float,
    dtype: str,
    splits: Mapping[str, SplitRule | Mapping[str, Any]] | None,
    provenance: Mapping[str, Any] | None,
    progress: bool,
) -> Path:
    """What `SkeletonStore.create` does.

    The columns hold one value a sequence; name, label and subject are among them.

    Raises:
        StoreError: see there.
    """
    if isinstance(sequences, str | bytes | Path):
        raise StoreError(
            f"expected sequences, got {sequences!r}: read files with read_sequences or `stars-hub prepare`"
        )
    given = {
        name: rule.to_json() if isinstance(rule, SplitRule) else rule for name, rule in (splits or {}).items()
    }
    rules, notes = _as_json("splits", given), _as_json("provenance", dict(provenance or {}))
    for rule in rules.values():
        SplitRule.from_json(rule)
    columns = {name: list_of_values(name, values) for name, values in columns.items()}
    total = len(sequences) if isinstance(sequences, Sized) else None
    for name, values in columns.items():
        if total is not None and isinstance(values, Sized) and len(values) != total:
            raise _wrong_length(name, min(len(values), total), short=len(values) < total)
    with StoreBuilder(folder, layout=layout, fps=fps, dtype=dtype, label_names=label_names) as builder:
        for sequence in tqdm(
            _merge(sequences, columns, builder.layout), total=total, desc="store", disable=not progress
        ):
            key = _content_key(sequence)
            if builder.resume(key) is None:
                builder.add(key, [sequence])
        return builder.finish(splits=rules, provenance=notes)


def _merge(
    sequences: Iterable[Any], columns: Mapping[str, Iterable[Any]], layout: SkeletonLayout
) -> Iterator[Sequence]:
    """Give each sequence its metadata; columns must be exactly as long as the sequences."""
    iterators = {name: iter(values) for name, values in columns.items()}
    count = 0
    for item in sequences:
        values = {name: next(iterator, _END) for name, iterator in iterators.items()}
        _check_ends(values, count, short=True)
        known = item if isinstance(item, Sequence) else None
        own = {} if known is None else {"name": known.name, "label": known.label, "subject": known.subject}
        merged = {**own, **({} if known is None else known.columns), **values}
        name = str(merged.pop("name", None) or f"{count:06d}")
        yield Sequence(
            joints=check_joints(item if known is None else known.joints, name, layout),
            name=name,
            label=merged.pop("label", None),
            subject=merged.pop("subject", None),
            columns=merged,
        )
        count += 1
    _check_ends({name: next(iterator, _END) for name, iterator in iterators.items()}, count, short=False)


def _as_json(what: str, data: dict[str, Any]) -> dict[str, Any]:
    """The data as JSON holds it, so that what cannot be written is known before the frames are."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(data, default=lambda value: value.tolist()))
    except (TypeError, ValueError, AttributeError) as error:
        raise StoreError(f"{what}: expected what JSON can hold, got {data!r} ({error})") from error
    return plain


def _check_ends(values: Mapping[str, Any], count: int, *, short: bool) -> None:
    for name, value in values.items():
        if (value is _END) is short:
            raise _wrong_length(name, count, short=short)


def _wrong_length(name: str, count: int, *, short: bool) -> StoreError:
    """The error for `count` values and more sequences (short), or more values than `count` sequences."""
    having = f"only {count} values for more sequences" if short else f"more values than the {count} sequences"
    return StoreError(f"{name}: expected one value a sequence, got {having}")


def _content_key(sequence: Sequence) -> str:
    """By which an interrupted build knows a sequence again: all that it holds."""
    joints = np.ascontiguousarray(sequence.joints)
    text = repr(
        (sequence.name, sequence.label, sequence.subject, sequence.columns, joints.shape, joints.dtype.str)
    )
    digest = hashlib.blake2b(text.encode(), digest_size=16)
    digest.update(joints.data)
    return digest.hexdigest()
