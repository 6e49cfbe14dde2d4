"""Dividing samples into training and test: one kind of rule, and the rules of the NTU datasets.

Reference: STARS, section 4.1; NTU RGB+D (Shahroudy et al. 2016), NTU RGB+D 120 (Liu et al. 2019).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stars_hub.errors import StoreError


@dataclass(frozen=True)
class SplitRule:
    """A split by the value of one metadata column.

    Args:
        column: such as "subject", "camera", "setup" or "name".
        train: its values in training. Samples come in the order of this list, then in that of the store.
        test: likewise; None: all other known values, in ascending order.
        where: only samples whose columns have these values take part.
        expected: (train, test) counts of the complete dataset, for a warning where they differ.
    """

    column: str
    train: tuple[Any, ...]
    test: tuple[Any, ...] | None = None
    where: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    expected: tuple[int, int] | None = None

    def apply(self, column: Callable[[str], np.ndarray], num_samples: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the training and of the test samples.

        Args:
            column: gives a column (S,) by name.
            num_samples: S.

        Raises:
            StoreError: no such column.
        """
        pool = np.arange(num_samples)
        for name, allowed in self.where.items():
            pool = pool[np.sort(rows_in(column(name)[pool], allowed))]
        values = column(self.column)[pool]
        train = pool[rows_in(values, self.train)]
        others = [value for value in known_values(values).tolist() if value not in self.train]
        return train, pool[rows_in(values, others if self.test is None else self.test)]

    def to_json(self) -> dict[str, Any]:
        """The rule as JSON."""
        return {
            "column": self.column,
            "train": list(self.train),
            "test": None if self.test is None else list(self.test),
            "where": {name: list(values) for name, values in self.where.items()},
            "expected": None if self.expected is None else list(self.expected),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "SplitRule":
        """The inverse of `to_json`; test, where and expected may be left out.

        Raises:
            StoreError: it is no split rule.
        """
        try:
            return cls(
                column=str(data["column"]),
                train=tuple(data["train"]),
                test=None if data.get("test") is None else tuple(data["test"]),
                where={name: tuple(values) for name, values in (data.get("where") or {}).items()},
                expected=None if data.get("expected") is None else (data["expected"][0], data["expected"][1]),
            )
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise StoreError(f"expected a split rule with column and train, got {data!r}") from error


def shorten(values: Iterable[Any]) -> str:
    """The first few of many values, for a message."""
    texts = [repr(value) for value in values]
    return ", ".join(texts[:8]) + (f", … ({len(texts)} in all)" if len(texts) > 8 else "")


def known_values(values: np.ndarray) -> np.ndarray:
    """The different values of a column, ascending, without what stands for an unknown one."""
    different = np.unique(values)
    if different.dtype.kind == "U":
        return different[different != ""]
    return different[(different != -1) & ~np.isnan(different)]


def as_list(values: Any) -> list[Any]:
    """A value or many, also in an array or a tensor, as a list of plain values."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    return [values] if isinstance(values, str) or not isinstance(values, Iterable) else list(values)


def find_values(wanted: Any, values: np.ndarray) -> tuple[list[Any], list[Any]]:
    """Which values of a column are asked for, and which of those asked for it does not have.

    They are compared as text, as the command line gives them: "2" and 2.0 are subject 2.

    Args:
        wanted: a value or many.
        values: (S,) the column.

    Returns:
        The column's own values in the order asked, and the unknown ones as given.
    """
    by_text = {_text(value): value for value in np.unique(values).tolist()}
    asked = as_list(wanted)
    found = [by_text[_text(value)] for value in asked if _text(value) in by_text]
    return found, [value for value in asked if _text(value) not in by_text]


def _text(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return str(int(value)) if whole else str(value)


def rows_in(values: np.ndarray, listed: Iterable[Any]) -> np.ndarray:
    """Indices of the values that are listed, ordered by the list, then by index."""
    order: dict[Any, int] = {}
    for value in listed:
        order.setdefault(value, len(order))
    unique, inverse = np.unique(values, return_inverse=True)
    places = np.array([order.get(value, -1) for value in unique.tolist()], dtype=np.int64)[inverse]
    rows = np.flatnonzero(places >= 0)
    return rows[np.argsort(places[rows], kind="stable")]


def fraction_split(
    num_samples: int, fraction: float, *, seed: int, labels: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """A random part for training: round(fraction · S) samples, both parts in ascending order.

    Args:
        num_samples: S.
        fraction: in (0, 1).
        seed: of the draw.
        labels: (S,) if every class is to give the same share; what rounding leaves goes to the classes that
            it wronged most.

    Raises:
        StoreError: an impossible fraction.
    """
    if not 0 < fraction < 1:
        raise StoreError(f"fraction: expected a number between 0 and 1, got {fraction!r}")
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(num_samples)
    total = round(fraction * num_samples)
    if labels is None:
        train = shuffled[:total]
    else:
        classes, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        shares = fraction * sizes
        quota = np.floor(shares).astype(np.int64)
        quota[np.argsort(quota - shares, kind="stable")[: total - quota.sum()]] += 1
        mixed = inverse[shuffled]
        train = np.concatenate([shuffled[mixed == c][: quota[c]] for c in range(len(classes))])
    mask = np.zeros(num_samples, dtype=bool)
    mask[train] = True
    return np.flatnonzero(mask), np.flatnonzero(~mask)


NTU60_TRAIN_SUBJECTS = (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
NTU120_TRAIN_SUBJECTS = (
    *NTU60_TRAIN_SUBJECTS,
    *(45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78),
    *(80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95, 97, 98, 100, 103),
)


def _others(train: tuple[int, ...], last: int) -> tuple[int, ...]:
    return tuple(value for value in range(1, last + 1) if value not in train)


def ntu_splits(num_actions: int) -> dict[str, SplitRule]:
    """The splits that a store of NTU RGB+D declares.

    Args:
        num_actions: 60 or 120; a store of 120 serves the protocols of 60 too.
    """
    ntu60 = {"label": tuple(range(60)), "setup": tuple(range(1, 18))}
    xsub60 = SplitRule(
        "subject",
        NTU60_TRAIN_SUBJECTS,
        _others(NTU60_TRAIN_SUBJECTS, 40),
        where=ntu60,
        expected=(40091, 16487),
    )
    xview60 = SplitRule("camera", (2, 3), (1,), where=ntu60, expected=(37646, 18932))
    rules = {"ntu60_xsub": xsub60, "ntu60_xview": xview60}
    if num_actions == 60:
        return {"xsub": xsub60, "xview": xview60, **rules}
    train, test = NTU120_TRAIN_SUBJECTS, _others(NTU120_TRAIN_SUBJECTS, 106)
    novel = {"label": tuple(range(60, 120))}
    return {
        "xsub": SplitRule("subject", train, test, expected=(63026, 50919)),
        "xset": SplitRule("setup", tuple(range(2, 33, 2)), tuple(range(1, 33, 2)), expected=(54468, 59477)),
        "few_shot": SplitRule("subject", train, test, where=novel, expected=(22935, 34432)),
        **rules,
    }
