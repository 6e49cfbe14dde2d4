"""Units, pixels, confidences and axes: what is recorded in another way comes back as metres, y up."""

import numpy as np
import pytest

from stars_hub.errors import LayoutError
from stars_hub.skeletons.conversion import convert_layout
from stars_hub.skeletons.layouts import get_layout
from stars_hub.skeletons.units import plausible_units, turn_axes
from tests.skeletons.random_people import NAMES, at, person


def test_only_a_size_that_another_unit_explains_is_warned_of() -> None:
    joints = person("ntu25")
    assert plausible_units(joints, "ntu25") is None
    for unit, scale in (("cm", 100), ("mm", 1000)):
        converted = convert_layout(scale * joints, "ntu25", "ntu25", units=unit)
        np.testing.assert_allclose(converted, joints, rtol=1e-5)
        with pytest.warns(UserWarning, match=f"units='{unit}'"):
            assert plausible_units(scale * joints, "ntu25") == unit
    with pytest.warns(UserWarning, match="units='m'"):
        convert_layout(joints, "ntu25", "ntu25", units="mm")
    with pytest.warns(UserWarning, match="units='pixels'"):
        assert plausible_units(5000 * joints, "ntu25") == "pixels"
    assert plausible_units(joints / 10, "ntu25") is None  # normalised by somebody: no unit explains it
    with pytest.warns(UserWarning, match="units='pixels'"):
        assert plausible_units(np.float32([100, 100, 0]) * joints, "ntu25") == "pixels"
    assert plausible_units(np.zeros((3, 25, 3), np.float32), "ntu25") is None


def test_pixels_become_a_torso_of_half_a_metre_upright_and_unmirrored() -> None:
    joints = np.zeros((2, 17, 2), dtype=np.float32)
    places = {"left_hip": (330, 300), "right_hip": (310, 300)}
    places |= {"left_shoulder": (340, 200), "right_shoulder": (300, 200)}
    for joint, place in places.items():
        joints[:, get_layout("coco17").joint_names.index(joint)] = place
    with pytest.warns(UserWarning, match="2D"):
        converted = convert_layout(joints, "coco17", "ntu25", units="pixels")
    torso = at(converted, "ntu25", "shoulder_center") - at(converted, "ntu25", "pelvis")
    np.testing.assert_allclose(torso, np.tile([0, 0.5, 0], (2, 1)), atol=1e-6)
    # Seen by a camera, the left of a person who faces it is at the right of the image, which is -x for
    # Kinect.
    across = at(converted, "ntu25", "left_shoulder") - at(converted, "ntu25", "right_shoulder")
    np.testing.assert_allclose(across, np.tile([-0.2, 0, 0], (2, 1)), atol=1e-6)


def test_pixels_without_a_torso_are_an_error_unless_nobody_is_there() -> None:
    joints = np.full((1, 17, 3), np.nan, dtype=np.float32)
    joints[:, 0] = 1
    with pytest.raises(LayoutError, match="scaled by the torso"):
        convert_layout(joints, "coco17", "ntu25", units="pixels")
    assert not convert_layout(np.zeros((2, 17, 3)), "coco17", "ntu25", units="pixels").any()


def test_low_confidence_is_unknown_but_absence_stays() -> None:
    joints = np.concatenate([100 * person("coco17", shape=(2, 2))[..., :2], np.ones((2, 2, 17, 1))], axis=-1)
    nose = get_layout("coco17").joint_names.index("nose")
    joints[0, 0, nose, 2] = 0.09
    joints[1, 0, nose, 2] = np.nan
    joints[1, 1] = 0
    with pytest.warns(UserWarning, match="2D"):
        converted = convert_layout(joints, "coco17", "coco17", units="pixels", dims="xyc")
    assert np.isnan(converted[:, 0, nose]).all()
    assert np.isfinite(converted[:, 1]).all()
    assert not converted[1, 1].any()
    spatial = np.concatenate([person("coco17"), np.full((5, 17, 1), 0.3)], axis=-1)
    assert np.isfinite(convert_layout(spatial, "coco17", "ntu25", dims="xyzc")).all()
    assert np.isnan(convert_layout(spatial, "coco17", "ntu25", dims="xyzc", min_confidence=0.5)).all()


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        ({}, lambda x, y, z: (x, y, z)),
        ({"up_axis": "z"}, lambda x, y, z: (x, -z, y)),
        ({"up_axis": "+z"}, lambda x, y, z: (x, -z, y)),
        ({"up_axis": "z", "front_axis": "-y"}, lambda x, y, z: (-x, z, y)),
        ({"up_axis": "-y"}, lambda x, y, z: (-x, -y, z)),
        ({"up_axis": "x"}, lambda x, y, z: (y, -x, z)),
        ({"handedness": "right"}, lambda x, y, z: (x, y, z)),
        ({"handedness": "left"}, lambda x, y, z: (x, y, -z)),
        ({"front_axis": "z"}, lambda x, y, z: (-x, y, -z)),
        ({"handedness": "left", "front_axis": "-z"}, lambda x, y, z: (-x, y, z)),
    ],
)
def test_axes_come_back_to_those_of_ntu(arguments: dict[str, str], written: object) -> None:
    joints = person("ntu25")
    recorded = np.stack(written(*np.moveaxis(joints, -1, 0)), axis=-1)  # type: ignore[operator]
    np.testing.assert_array_equal(convert_layout(recorded, "ntu25", "ntu25", **arguments), joints)


@pytest.mark.parametrize("source", NAMES)
@pytest.mark.parametrize("target", NAMES)
def test_turning_axes_there_and_back_changes_nothing_and_never_mirrors(source: str, target: str) -> None:
    one, other = get_layout(source), get_layout(target)
    points = np.eye(3, dtype=np.float32)
    turned = turn_axes(points, one, other)
    assert np.linalg.det(turned) == pytest.approx(1.0)
    np.testing.assert_array_equal(turn_axes(turned, other, one), points)


@pytest.mark.parametrize(
    "arguments",
    [
        {"units": "inch"}, {"up_axis": "w"}, {"up_axis": ""}, {"handedness": "both"}, {"front_axis": "y"},
        {"front_axis": "?"}, {"dims": "xy"}, {"dims": "abc"},
    ],
)  # fmt: skip
def test_unknown_arguments_are_errors(arguments: dict[str, str]) -> None:
    with pytest.raises(LayoutError, match=next(iter(arguments))):
        convert_layout(person("ntu25"), "ntu25", "utd20", **arguments)
