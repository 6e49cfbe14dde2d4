"""Who is there when, in a recording (T, M, V, 3): the convention that cleaning and the store share.

NaN is an unknown joint; a person who is not there in a frame is all zeros in it.
"""

import numpy as np
import numpy.typing as npt

from stars_hub.errors import SequenceError

FloatArray = npt.NDArray[np.floating]
BoolArray = npt.NDArray[np.bool_]


def check_joints(joints: FloatArray) -> FloatArray:
    """Return the joints if they are (T, M, V, 3) numbers without infinities.

    Raises:
        SequenceError: they are not; the message names the frame.
    """
    if joints.ndim != 4 or joints.shape[3] != 3 or 0 in joints.shape:
        raise SequenceError(f"expected joints (T, M, V, 3) with nothing empty, got {joints.shape}")
    if np.isinf(joints).any():
        frame, person, joint, _ = np.argwhere(np.isinf(joints))[0]
        raise SequenceError(f"joint {joint} of person {person} is infinite in frame {frame}")
    return joints


def present(joints: FloatArray) -> BoolArray:
    """Tell who is there when: who has a known coordinate that is not zero.

    Args:
        joints: (T, M, V, 3).

    Returns:
        bool (T, M).
    """
    return ((joints != 0) & ~np.isnan(joints)).any(axis=(2, 3))
