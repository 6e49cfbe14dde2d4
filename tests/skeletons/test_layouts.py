"""Built-in layouts are trees whose mirror fits; one's own are checked, registered and written as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from stars_hub.errors import LayoutError
from stars_hub.skeletons import layouts
from stars_hub.skeletons.builtin_layouts import TABLES
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout, layout_names, register_layout

# The bone list of NTU's bone stream, 1-based (child, parent); 21 is its own parent there.
NTU_BONES = (
    "1-2 2-21 3-21 4-3 5-21 6-5 7-6 8-7 9-21 10-9 11-10 12-11 13-1 14-13 15-14 16-15 17-1 18-17 19-18 20-19 "
    "22-23 23-8 24-25 25-12"
)
COUNTS = {
    "ntu25": 25, "kinect20": 20, "utd20": 20, "uiprmd22": 22, "h36m17": 17, "coco17": 17, "openpose18": 18,
    "openpose25": 25, "mediapipe33": 33, "smpl24": 24, "sbu15": 15,
}  # fmt: skip
OWN: dict[str, Any] = {
    "name": "stick",
    "joint_names": ["pelvis", "left_hip", "right_hip", "head"],
    "parents": [-1, 0, 0, 0],
    "mirror_pairs": [[1, 2]],
    "root": 0,
    "spine_middle": 0,
}


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "_REGISTERED", {})


def test_all_promised_layouts_are_there() -> None:
    assert {name: get_layout(name).num_joints for name in layout_names()} == COUNTS


@pytest.mark.parametrize("name", COUNTS)
def test_bones_are_one_tree(name: str) -> None:
    layout = get_layout(name)
    assert len(layout.bones) == layout.num_joints - 1
    reached = {layout.root}
    for _ in range(layout.num_joints):
        reached |= {child for child, parent in layout.bones if parent in reached}
    assert reached == set(range(layout.num_joints))
    assert len(set(layout.joint_names)) == layout.num_joints


@pytest.mark.parametrize("name", COUNTS)
def test_mirror_swaps_left_and_right_and_maps_bones_to_bones(name: str) -> None:
    layout = get_layout(name)
    order, names = layout.mirror_order, layout.joint_names
    assert [order[order[joint]] for joint in range(layout.num_joints)] == list(range(layout.num_joints))
    for joint, other in enumerate(order):
        swapped = names[joint].replace("left_", "?").replace("right_", "left_").replace("?", "right_")
        assert names[other] == swapped
    assert {(order[child], order[parent]) for child, parent in layout.bones} == set(layout.bones)
    assert order[layout.root] == layout.root
    assert order[layout.spine_middle] == layout.spine_middle


def test_ntu25_is_the_tree_of_the_bone_stream() -> None:
    layout = get_layout("ntu25")
    expected = {tuple(int(end) - 1 for end in bone.split("-")) for bone in NTU_BONES.split()}
    assert set(layout.bones) == expected
    assert (layout.root, layout.spine_middle) == (20, 1)


@pytest.mark.parametrize(("name", "root"), [("utd20", 3), ("uiprmd22", 0)])
def test_layouts_of_recordings_have_their_tree(name: str, root: int) -> None:
    parents = {
        "utd20": [1, 2, 3, -1, 1, 4, 5, 6, 1, 8, 9, 10, 3, 12, 13, 14, 3, 16, 17, 18],
        "uiprmd22": [-1, 0, 1, 2, 3, 4, 2, 6, 7, 8, 2, 10, 11, 12, 0, 14, 15, 16, 0, 18, 19, 20],
    }[name]
    assert list(get_layout(name).parents) == parents
    assert get_layout(name).root == root


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("h36m17", {"right_ankle": 3, "left_hip": 4, "spine_middle": 7, "head_top": 10, "left_wrist": 13}),
        ("coco17", {"nose": 0, "right_ear": 4, "left_shoulder": 5, "left_hip": 11, "right_ankle": 16}),
        (
            "openpose18",
            {"shoulder_center": 1, "right_wrist": 4, "left_wrist": 7, "left_ankle": 13, "left_ear": 17},
        ),
        ("openpose25", {"pelvis": 8, "left_ankle": 14, "left_ear": 18, "left_heel": 21, "right_big_toe": 22}),
        (
            "mediapipe33",
            {"right_ear": 8, "left_wrist": 15, "right_thumb": 22, "left_hip": 23, "right_big_toe": 32},
        ),
        ("smpl24", {"spine_middle": 6, "left_foot": 10, "head": 15, "left_elbow": 18, "right_hand": 23}),
        ("sbu15", {"head": 0, "spine_middle": 2, "left_hand": 5, "right_hip": 12, "right_foot": 14}),
        ("kinect20", {"pelvis": 0, "head": 3, "left_shoulder": 4, "right_hand": 11, "left_foot": 15}),
        ("ntu25", {"neck": 2, "left_hand_tip": 21, "left_thumb": 22, "right_hand_tip": 23, "right_foot": 19}),
    ],
)
def test_joints_stand_where_the_format_has_them(name: str, places: dict[str, int]) -> None:
    names = get_layout(name).joint_names
    assert {joint: names.index(joint) for joint in places} == places


def test_vocabulary_is_shared() -> None:
    """A name that only one layout has would convert to nothing: those few are known."""
    users: dict[str, int] = {}
    for table in TABLES.values():
        for joint, _ in table.rows:
            users[joint] = users.get(joint, 0) + 1
    lonely = {
        joint.removeprefix("left_").removeprefix("right_") for joint, count in users.items() if count == 1
    }
    assert lonely == {
        "neck_base", "spine_lower", "spine_upper", "head_top", "eye_inner", "eye_outer", "mouth", "pinky",
        "index", "hand_tip", "small_toe",
    }  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_json_round_trip(name: str, tmp_path: Path) -> None:
    layout = get_layout(name)
    path = tmp_path / "layout.json"
    path.write_text(layout.to_json())
    assert SkeletonLayout.from_json(layout.to_json()) == layout
    assert SkeletonLayout.from_json(path) == get_layout(str(path)) == layout
    assert json.loads(layout.to_json()) == layout.to_dict()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": ""}, "name must be"),
        ({"name": 3}, "name must be"),
        ({"joint_names": []}, "joint_names must be"),
        ({"joint_names": "abcd"}, "joint_names must be"),
        ({"joint_names": ["pelvis", "head", "left_hip", "head"]}, "come twice"),
        ({"parents": [-1, 0, 0]}, "4 parents, got 3"),
        ({"parents": [-1, 0, 0, 4]}, "parent of 'head'"),
        ({"parents": [-1, 0, 0, True]}, "list of integers"),
        ({"parents": [-1, 0.0, 0, 0]}, "list of integers"),
        ({"parents": [-1, -1, 0, 0]}, "only the root"),
        ({"parents": [-1, 2, 3, 1]}, "circle"),
        ({"root": 1}, "only the root"),
        ({"root": 9}, "root must be within"),
        ({"spine_middle": -1}, "spine_middle must be within"),
        ({"spine_middle": "0"}, "spine_middle must be an integer"),
        ({"mirror_pairs": [[1, 2], [2, 3]]}, "right_hip"),
        ({"mirror_pairs": [[1, 1]]}, "left_hip"),
        ({"mirror_pairs": [[1, 4]]}, "within 0..3"),
        ({"mirror_pairs": [1, 2]}, "pairs of integers"),
        ({"up_axis": "up"}, "up_axis must be one of"),
        ({"front_axis": "-y"}, "one line"),
        ({"extra": 1}, "unknown fields \\['extra'\\]"),
    ],
)
def test_contradictions_are_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(LayoutError, match=says):
        SkeletonLayout.from_json(json.dumps({**OWN, **change}))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("no-such-file.json", "cannot be read"),
        ("{}", "missing fields"),
        ("{" * 9000, "not JSON"),
    ],
)
def test_broken_json_is_named(text: str, says: str) -> None:
    with pytest.raises(LayoutError, match=says):
        SkeletonLayout.from_json(text)


def test_json_that_is_no_object_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(LayoutError, match=r"list\.json: a layout is a JSON object"):
        SkeletonLayout.from_json(tmp_path / "list.json")


def test_own_layout_is_found_after_registration() -> None:
    own = SkeletonLayout.from_dict(OWN)
    with pytest.raises(LayoutError, match="unknown layout 'stick'"):
        get_layout("stick")
    assert register_layout(own) is own
    register_layout(SkeletonLayout.from_dict(OWN))
    assert get_layout("stick") == own
    assert layout_names()[-1] == "stick"
    with pytest.raises(LayoutError, match="registered layout"):
        register_layout(SkeletonLayout.from_dict({**OWN, "spine_middle": 3}))
    with pytest.raises(LayoutError, match="built-in layout"):
        register_layout(SkeletonLayout.from_dict({**OWN, "name": "ntu25"}))
    register_layout(get_layout("ntu25"))
    assert layout_names().count("ntu25") == 1
