"""Decimal numbers out of text, many at a time: exact, and without a Python object for each.

A number of up to 12 characters with a point is an integer of at most 11 digits over a power of ten. Both are
exact in float64, so that their quotient is the correctly rounded value, the one that `float` gives.
"""

import numpy as np
import numpy.typing as npt

WIDTH = 12
_PLACES = np.arange(WIDTH, dtype=np.uint8)[:, None]
_POWERS = 10.0 ** np.arange(WIDTH)
_PLACE_VALUES = _POWERS[::-1].copy()
_ZERO, _POINT, _MINUS = b"0.-"

IntArray = npt.NDArray[np.int64]


def parse_decimals(text: npt.NDArray[np.uint8], starts: IntArray, ends: IntArray) -> np.ndarray:
    """Read the numbers that stand at text[starts[i] : ends[i]].

    Args:
        text: bytes of ASCII text, at least 12 before the first number's end.
        starts: (N,).
        ends: (N,).

    Returns:
        float64 (N,).

    Raises:
        ValueError: one of them is no number.

    >>> text = np.frombuffer(b"            -1.25 3e2", np.uint8)
    >>> parse_decimals(text, np.array([12, 18]), np.array([17, 21])).tolist()
    [-1.25, 300.0]
    """
    windows = np.ndarray(len(text) - WIDTH + 1, dtype=f"V{WIDTH}", buffer=text, strides=(1,))
    # A column a number, so that every step below runs along memory.
    characters = np.ascontiguousarray(windows[ends - WIDTH].view(np.uint8).reshape(-1, WIDTH).T)
    lengths = ends - starts
    negative = text[starts] == _MINUS
    blank = np.clip(WIDTH - lengths + negative, 0, WIDTH).astype(np.uint8)
    inside = blank <= _PLACES
    point = (characters == _POINT) & inside
    digits = (characters - _ZERO) * (inside & ~point)  # what is no digit wraps around to above 9
    one_point = point.sum(axis=0, dtype=np.uint8) == 1
    places = np.where(one_point, (_PLACES * point).sum(axis=0, dtype=np.uint8), WIDTH - 1)
    plain = one_point & (digits.max(axis=0) <= 9) & (blank + 1 < WIDTH) & (lengths <= WIDTH)
    whole = digits * (places > _PLACES)
    # Digits before the point stand a place too high, since the point takes one itself: they count a tenth.
    values = _PLACE_VALUES @ (digits - whole).astype(np.float64)
    values += _PLACE_VALUES @ whole.astype(np.float64) / 10
    values /= _POWERS[WIDTH - 1 - places]
    np.negative(values, out=values, where=negative)
    for odd in np.flatnonzero(~plain):
        values[odd] = float(text[starts[odd] : ends[odd]].tobytes())
    return values
