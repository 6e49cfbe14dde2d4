"""Colours and markers that most people can tell apart, in colour and in grey.

Reference: Okabe and Ito, Color Universal Design (2008); its yellow is too pale for lines on white paper.
"""

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
SIDES = {"left": BLUE, "right": VERMILLION, "middle": BLACK}


def style_of(index: int) -> tuple[str, str]:
    """Colour and marker of the class of this number; 56 pairs differ, neighbours in both.

    >>> style_of(0), style_of(7)
    (('#0072B2', 'o'), ('#0072B2', '*'))
    """
    return PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]
