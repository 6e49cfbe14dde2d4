"""Decimal numbers out of text, many at a time: exact, and without a Python object for each.

A number of up to 12 characters is an integer of at most 11 digits over a power of ten. Both are exact in
float64, so that their quotient is the correctly rounded value, the one that `float` gives.
"""

import numpy as np
import numpy.typing as npt

_WIDTH = 12
_POWERS = 10.0 ** np.arange(_WIDTH)
_ZERO, _POINT, _MINUS = b"0.-"

IntArray = npt.NDArray[np.int64]


def parse_decimals(text: npt.NDArray[np.uint8], starts: IntArray, ends: IntArray) -> np.ndarray | None:
    """Read the numbers that stand at text[starts[i] : ends[i]].

    Args:
        text: bytes of ASCII text, at least 12 before the first number's end.
        starts: (N,).
        ends: (N,).

    Returns:
        float64 (N,); None if any of them is longer than 12 characters or has another form than -12.345.

    >>> text = np.frombuffer(b"            -1.25 300", np.uint8)
    >>> parse_decimals(text, np.array([12, 18]), np.array([17, 21])).tolist()
    [-1.25, 300.0]
    """
    lengths = ends - starts
    if lengths.min(initial=1) < 1 or lengths.max(initial=1) > _WIDTH:
        return None
    negative = text[starts] == _MINUS
    overlapping = np.ndarray(len(text) - _WIDTH + 1, dtype=f"V{_WIDTH}", buffer=text, strides=(1,))
    characters = overlapping[ends - _WIDTH].view(np.uint8).reshape(-1, _WIDTH)
    inside = np.arange(_WIDTH) >= (_WIDTH - lengths + negative)[:, None]
    point = (characters == _POINT) & inside
    digits = np.where(inside & ~point, characters - _ZERO, 0)
    points = point.sum(axis=1, dtype=np.uint8)
    strange = (lengths - negative <= points) | point[:, -1]
    if digits.max(initial=0) > 9 or points.max(initial=0) > 1 or strange.any():
        return None
    decimals = np.where(points, _WIDTH - 1 - point.argmax(axis=1), 0)
    values = np.empty(len(starts))
    for count in np.flatnonzero(
        np.bincount(decimals)
    ).tolist():  # numbers with as many decimals are one product
        rows = decimals == count
        values[rows] = digits[rows].astype(np.float64) @ _place_values(count) / _POWERS[count]
    return np.negative(values, out=values, where=negative)


def _place_values(decimals: int) -> np.ndarray:
    """What a digit in each of the 12 places counts, if the point stands before the last `decimals`."""
    places = _POWERS[::-1].copy()
    if decimals:
        before = _WIDTH - 1 - decimals
        places[:before] = places[1 : before + 1]  # digits before the point: the point takes a place itself
        places[before] = 0
    return places
