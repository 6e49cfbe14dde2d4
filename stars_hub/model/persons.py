"""Persons who need no pass of their own: those who are not there, and copies of the first.

Most samples of the usual datasets hold one person; the second is all zeros (NTU-60) or a copy of the
first (NTU-120). Such rows give tokens that another row gives too, so each is encoded once.
"""

import torch
from einops import rearrange, reduce
from torch import Tensor


def distinct_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Find the person rows that have to be encoded, and which of them stands for each person.

    Two persons share a row if both are absent (all zeros), in whatever sample, or if they belong to
    one sample and the later one is a copy of the first.

    Args:
        x: (N, C, T, V, M).

    Returns:
        `rows` (R,), the rows n·M + m to encode, ascending, and `inverse` (N·M,), such that
        `encode(all)[i] == encode(all[rows])[inverse[i]]`.

    >>> x = torch.zeros(2, 3, 4, 25, 2)
    >>> x[0, ..., 0] = 1.0
    >>> x[1] = 2.0
    >>> distinct_rows(x)
    (tensor([0, 1, 2]), tensor([0, 1, 2, 2]))
    """
    present = reduce(x != 0, "n c t v m -> n m", "any")
    copied = reduce(x == x[..., :1], "n c t v m -> n m", "all")
    own = rearrange(torch.arange(present.numel(), device=x.device), "(n m) -> n m", m=x.shape[-1])
    stands_for = torch.where(copied, own[:, :1], own)
    first_absent = rearrange(present, "n m -> (n m)").logical_not().int().argmax()
    stands_for = torch.where(present, stands_for, first_absent)
    rows, inverse = torch.unique(rearrange(stands_for, "n m -> (n m)"), return_inverse=True)
    return rows, inverse
