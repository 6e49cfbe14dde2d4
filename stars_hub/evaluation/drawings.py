"""Figures drawn as SVG by hand, for pages: they need no package and take the page's colours."""

import math

import numpy as np

from stars_hub.evaluation.html import Html, element, join
from stars_hub.evaluation.palette import MARKERS, PALETTE

_LARGE = 30  # classes; above, cells are too small for numbers
_LEVELS = 12  # shades of a large matrix, each drawn as one path

# Markers of radius 1, in the order of palette.MARKERS.
_SHAPES = {
    "o": "M-1 0a1 1 0 1 0 2 0a1 1 0 1 0 -2 0z",
    "s": "M-.9-.9h1.8v1.8h-1.8z",
    "^": "M0-1.1L1.1.9h-2.2z",
    "D": "M0-1.2L1.2 0L0 1.2L-1.2 0z",
    "v": "M0 1.1L1.1-.9h-2.2z",
    "P": "M-.4-1.1h.8v.7h.7v.8h-.7v.7h-.8v-.7h-.7v-.8h.7z",
    "X": "M-1-.6L-.6-1L0-.4L.6-1L1-.6L.4 0L1 .6L.6 1L0 .4L-.6 1L-1 .6L-.4 0z",
    "*": "M0-1.3L.35-.4L1.25-.4L.5.2L.8 1.1L0 .55L-.8 1.1L-.5.2L-1.25-.4L-.35-.4z",
}


def confusion_svg(counts: np.ndarray, label_names: list[str]) -> Html:
    """A confusion matrix: each row in percent of that true class, right in one colour and wrong in another.

    Args:
        counts: (K, K), rows are the truth.
        label_names: K.
    """
    size = len(label_names)
    cell = 40 if size <= 8 else 30 if size <= 14 else 22 if size <= _LARGE else 9
    font = min(13, cell) if size <= _LARGE else 8
    margin = min(max((len(name) for name in label_names), default=0), 28) * font * 0.56 + 14
    side = cell * size
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cells = _cells(counts, shares, cell, label_names) if size <= _LARGE else _shades(shares, cell)
    rows = [_label(name, margin - 6, margin + (i + 0.5) * cell, font) for i, name in enumerate(label_names)]
    columns = [
        _label(name, margin + (i + 0.5) * cell, margin - 6, font, turned=True)
        for i, name in enumerate(label_names)
    ]
    frame = element("rect", x=0, y=0, width=side, height=side, class_="axis")
    names = [
        element("text", "predicted →", x=margin + side, y=12, text_anchor="end", font_size=12, class_="soft"),
        element(
            "text", "true ↓", x=margin - 6, y=margin - 10, text_anchor="end", font_size=12, class_="soft"
        ),
    ]
    grid = element("g", frame, *cells, transform=f"translate({margin:.0f} {margin:.0f})")
    return _svg(
        margin + side + 2,
        margin + side + 2,
        *(*rows, *columns, grid, *(names if size > 1 else ())),
        label=f"Confusion matrix of {size} classes, in percent of each true class",
    )


def _cells(counts: np.ndarray, shares: np.ndarray, cell: int, names: list[str]) -> list[Html]:
    drawn = []
    for i, j in np.argwhere(counts > 0):
        kind, percent = "hit" if i == j else "miss", 100 * shares[i, j]
        told = f"{names[i]} taken for {names[j]}: {counts[i, j]} times, {percent:.1f} %"
        number = element(
            "text",
            f"{percent:.0f}",
            x=(j + 0.5) * cell,
            y=(i + 0.5) * cell + cell * 0.13,
            text_anchor="middle",
            font_size=round(cell * 0.38),
            class_="on" if shares[i, j] > 0.5 else None,
        )
        square = element(
            "rect",
            x=j * cell,
            y=i * cell,
            width=cell,
            height=cell,
            class_=kind,
            fill_opacity=f"{_opacity(shares[i, j]):.2f}",
        )
        drawn.append(element("g", element("title", told), square, number))
    return drawn


def _shades(shares: np.ndarray, cell: int) -> list[Html]:
    """Large matrices: all cells of a shade and kind in one path."""
    level = np.ceil(shares * _LEVELS).astype(int)
    drawn = []
    for step in range(1, _LEVELS + 1):
        for kind, wanted in (
            ("hit", np.eye(len(shares), dtype=bool)),
            ("miss", ~np.eye(len(shares), dtype=bool)),
        ):
            places = np.argwhere((level == step) & wanted)
            path = "".join(f"M{j * cell} {i * cell}h{cell}v{cell}h-{cell}z" for i, j in places)
            if path:
                shade = f"{_opacity(step / _LEVELS):.2f}"
                drawn.append(element("path", d=path, class_=kind, fill_opacity=shade))
    return drawn


def _opacity(share: float) -> float:
    return 0.12 + 0.88 * share


def scatter_svg(points: np.ndarray, labels: np.ndarray, label_names: list[str], *, label: str) -> Html:
    """Points in the plane, each class with a colour and a marker of its own, and a legend.

    Args:
        points: (N, 2).
        labels: (N,), indices into `label_names`.
        label_names: of all classes.
        label: what is shown, for those who cannot see it.
    """
    width, height, radius = 620.0, 520.0, 4.5
    low, span = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-9)
    places = (points - low) / span * [width - 24, -(height - 24)] + [12, height - 12]
    groups, entries = [], []
    for index, number in enumerate(np.unique(labels)):
        own = places[labels == number]
        marks = [_marker(index, x, y, radius) for x, y in own]
        name = label_names[number]
        groups.append(element("g", element("title", name), *marks, fill=_color(index), fill_opacity=0.8))
        line = 22 * index + 16
        entries.append(element("g", _marker(index, 12, line - 4, 5.5), fill=_color(index)))
        entries.append(element("text", f"{name} ({len(own)})", x=26, y=line, font_size=13))
    shown = max(len(name) for name in label_names)
    legend = element("g", *entries, transform=f"translate({width + 16:.0f} 0)")
    frame = element("rect", x=0.5, y=0.5, width=width - 1, height=height - 1, class_="axis")
    total = max(height, 22 * len(np.unique(labels)) + 8)
    return _svg(width + 16 + 80 + 7.4 * shown, total, frame, *groups, legend, label=label)


def lines_svg(name: str, values: list[float]) -> Html:
    """A curve over epochs, in a panel of its own."""
    width, height, left, bottom = 300.0, 180.0, 46.0, 26.0
    low, high = min(values), max(values)
    span = (high - low) or max(abs(high), 1.0) * 0.1
    xs = np.linspace(left + 6, width - 8, len(values)) if len(values) > 1 else np.array([(left + width) / 2])
    ys = 30 + (high - np.array(values)) / span * (height - bottom - 40)
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(xs, ys, strict=True))
    dots = [element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=2.5) for x, y in zip(xs, ys, strict=True)]
    axis = element("path", d=f"M{left} 24V{height - bottom}H{width - 4}", class_="axis")
    texts = [
        element("text", name, x=left, y=14, font_size=13, font_weight="600"),
        *(
            element("text", _short(value), x=left - 6, y=f"{y + 4:.1f}", text_anchor="end", font_size=11)
            for value, y in {high: float(np.min(ys)), low: float(np.max(ys))}.items()
        ),
        element("text", "1", x=f"{xs[0]:.0f}", y=height - 10, text_anchor="middle", font_size=11),
        element(
            "text", f"{len(values)}", x=f"{xs[-1]:.0f}", y=height - 10, text_anchor="middle", font_size=11
        ),
        element(
            "text",
            "epoch",
            x=(left + width) / 2,
            y=height - 6,
            text_anchor="middle",
            font_size=11,
            class_="soft",
        ),
    ]
    line = element("path", d=path, fill="none", stroke="var(--c0)", stroke_width=2)
    points = element("g", *dots, fill="var(--c0)") if len(values) <= 30 else None
    told = f"{name} by epoch: {_short(values[0])} at first, {_short(values[-1])} at the end"
    return _svg(width, height, axis, line, points, *texts, label=told)


def _short(value: float) -> str:
    return f"{value:.3g}"


def _color(index: int) -> str:
    return f"var(--c{index % len(PALETTE)})"


def _marker(index: int, x: float, y: float, radius: float) -> Html:
    shape = _SHAPES[MARKERS[index % len(MARKERS)]]
    return element("path", d=shape, transform=f"translate({x:.1f} {y:.1f}) scale({radius})")


def _label(name: str, x: float, y: float, font: float, *, turned: bool = False) -> Html:
    shown = name if len(name) <= 28 else f"{name[:27]}…"
    place = f"rotate(-90 {x:.1f} {y:.1f})" if turned else None
    return element(
        "text",
        element("title", name),
        shown,
        x=f"{x:.1f}",
        y=f"{y:.1f}",
        dy="0.34em",
        font_size=font,
        text_anchor="start" if turned else "end",
        transform=place,
    )


def _svg(width: float, height: float, *children: Html | None, label: str) -> Html:
    width, height = math.ceil(width), math.ceil(height)
    return element(
        "svg",
        join(*children),
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_label=label,
    )
