"""What the joints of a skeleton are: names, bones, mirror pairs and axes, and a registry of them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from stars_hub.errors import LayoutError
from stars_hub.skeletons.builtin_layouts import TABLES, Table

# The axis that a person who faces the camera looks along, where a layout does not say: Kinect's frame,
# brought by the shortest rotation to another up axis (half a turn in the image plane for images, whose y
# points down).
FRONT_OF_UP = {"y": "-z", "-y": "-z", "x": "-z", "-x": "-z", "z": "y", "-z": "-y"}


@dataclass(frozen=True)
class SkeletonLayout:
    """The joints of a skeleton, in the order of its arrays.

    Conversion goes by joint names, so a layout of one's own converts if it uses the vocabulary of
    `stars_hub.skeletons.builtin_layouts`; joints of other names are carried but not converted.

    Args:
        name: what `get_layout` finds it by.
        joint_names: one name a joint, all different.
        parents: 0-based index of each joint's parent, -1 for the root; together one tree.
        mirror_pairs: (left, right) indices of joints that change places in a mirror; the others stay.
        root: the joint without a parent.
        spine_middle: the joint that serves as origin when a sequence is centred.
        up_axis: the axis that points up in this layout's recordings: "x", "y", "z", "-x", "-y" or "-z".
        front_axis: the axis that a person who faces the camera looks along; empty: the usual one of `up_axis`
            ("-z" for "y", as with Kinect). The frame is right-handed.

    Raises:
        LayoutError: the fields contradict each other.

    Examples:
        >>> layout = get_layout("ntu25")
        >>> layout.num_joints, layout.joint_names[layout.root], layout.bones[0]
        (25, 'shoulder_center', (0, 1))
    """

    name: str
    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    mirror_pairs: tuple[tuple[int, int], ...]
    root: int
    spine_middle: int
    up_axis: str = "y"
    front_axis: str = ""

    def __post_init__(self) -> None:
        _check_types(self)
        object.__setattr__(self, "joint_names", tuple(self.joint_names))
        object.__setattr__(self, "parents", tuple(self.parents))
        object.__setattr__(self, "mirror_pairs", tuple((left, right) for left, right in self.mirror_pairs))
        if self.up_axis in FRONT_OF_UP and not self.front_axis:
            object.__setattr__(self, "front_axis", FRONT_OF_UP[self.up_axis])
        _check_axes(self)
        _check_tree(self)
        _check_mirror(self)

    @property
    def num_joints(self) -> int:
        """How many joints a person has."""
        return len(self.joint_names)

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(child, parent) of every joint but the root, in the order of the joints."""
        return tuple((joint, parent) for joint, parent in enumerate(self.parents) if parent >= 0)

    @property
    def mirror_order(self) -> tuple[int, ...]:
        """For each joint the joint that takes its place in a mirror."""
        order = list(range(self.num_joints))
        for left, right in self.mirror_pairs:
            order[left], order[right] = right, left
        return tuple(order)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON knows them: tuples as lists."""
        content: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return content

    def to_json(self) -> str:
        """The layout as JSON text, one field a line."""
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in self.to_dict().items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], *, source: str = "layout") -> "SkeletonLayout":
        """The layout that `to_dict` wrote; `up_axis` and `front_axis` may be left out.

        Raises:
            LayoutError: a field is missing, unknown, of a wrong type or contradicts another.
        """
        if not isinstance(content, Mapping):
            raise LayoutError(f"{source}: a layout is a JSON object, got {type(content).__name__}")
        known = {field.name for field in fields(cls)}
        missing = sorted(known - {"up_axis", "front_axis"} - set(content))
        unknown = sorted(str(key) for key in set(content) - known)
        if missing or unknown:
            raise LayoutError(f"{source}: missing fields {missing}, unknown fields {unknown}")
        try:
            return cls(**content)
        except LayoutError as error:
            raise LayoutError(f"{source}: {error}") from None

    @classmethod
    def from_json(cls, text_or_path: str | Path) -> "SkeletonLayout":
        """The layout in JSON text (which starts with a brace) or in a JSON file.

        Raises:
            LayoutError: the file cannot be read, or its content is no layout.
        """
        text, source = str(text_or_path), "layout"
        if isinstance(text_or_path, Path) or not text.lstrip().startswith("{"):
            source = text
            try:
                text = Path(text_or_path).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise LayoutError(f"{source}: cannot be read as a layout: {error}") from None
        try:
            content = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise LayoutError(f"{source}: not JSON: {error}") from None
        return cls.from_dict(content, source=source)


def _is_index(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_list_of(values: object, test: Any) -> bool:
    return isinstance(values, list | tuple) and all(test(value) for value in values)


def _check_types(layout: SkeletonLayout) -> None:
    def is_name(value: object) -> bool:
        return isinstance(value, str) and bool(value.strip())

    def is_pair(value: object) -> bool:
        return _is_list_of(value, _is_index) and len(value) == 2  # type: ignore[arg-type]

    checks = {
        "name": (is_name, "a non-empty string"),
        "joint_names": (lambda value: _is_list_of(value, is_name) and value, "a list of non-empty strings"),
        "parents": (lambda value: _is_list_of(value, _is_index), "a list of integers"),
        "mirror_pairs": (lambda value: _is_list_of(value, is_pair), "a list of pairs of integers"),
        "root": (_is_index, "an integer"),
        "spine_middle": (_is_index, "an integer"),
        "up_axis": (lambda value: isinstance(value, str), "a string"),
        "front_axis": (lambda value: isinstance(value, str), "a string"),
    }
    for field, (test, expected) in checks.items():
        value = getattr(layout, field)
        if not test(value):
            raise LayoutError(f"{field} must be {expected}, got {value!r}")


def _check_axes(layout: SkeletonLayout) -> None:
    for field in ("up_axis", "front_axis"):
        if getattr(layout, field) not in FRONT_OF_UP:
            raise LayoutError(f"{field} must be one of {sorted(FRONT_OF_UP)}, got {getattr(layout, field)!r}")
    if layout.up_axis[-1] == layout.front_axis[-1]:
        raise LayoutError(f"up_axis {layout.up_axis!r} and front_axis {layout.front_axis!r} are one line")


def _check_tree(layout: SkeletonLayout) -> None:
    names, parents = layout.joint_names, layout.parents
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise LayoutError(f"joint names must differ, these come twice: {doubles}")
    if len(parents) != len(names):
        raise LayoutError(f"{len(names)} joints need {len(names)} parents, got {len(parents)}")
    for field in ("root", "spine_middle"):
        if not 0 <= getattr(layout, field) < len(names):
            raise LayoutError(f"{field} must be within 0..{len(names) - 1}, got {getattr(layout, field)}")
    for joint, parent in enumerate(parents):
        if not -1 <= parent < len(names):
            raise LayoutError(f"the parent of {names[joint]!r} must be -1..{len(names) - 1}, got {parent}")
    roots = [joint for joint, parent in enumerate(parents) if parent == -1]
    if roots != [layout.root]:
        raise LayoutError(f"only the root, joint {layout.root}, has no parent; here joints {roots} have none")
    for joint in range(len(names)):
        ancestor, steps = joint, 0
        while ancestor != layout.root:
            ancestor, steps = parents[ancestor], steps + 1
            if steps >= len(names):
                raise LayoutError(f"the parents of {names[joint]!r} run in a circle and never reach the root")


def _check_mirror(layout: SkeletonLayout) -> None:
    mirrored = [joint for pair in layout.mirror_pairs for joint in pair]
    outside = [joint for joint in mirrored if not 0 <= joint < layout.num_joints]
    if outside:
        raise LayoutError(f"mirror_pairs must be within 0..{layout.num_joints - 1}, got {outside}")
    doubles = sorted({joint for joint in mirrored if mirrored.count(joint) > 1})
    if doubles:
        names = [layout.joint_names[joint] for joint in doubles]
        raise LayoutError(f"mirroring twice must change nothing, but {names} stand in mirror_pairs twice")


def _from_table(name: str, table: Table) -> SkeletonLayout:
    joints = tuple(joint for joint, _ in table.rows)
    return SkeletonLayout(
        name=name,
        joint_names=joints,
        parents=tuple(joints.index(parent) if parent else -1 for _, parent in table.rows),
        mirror_pairs=tuple(
            (index, joints.index(joint.replace("left_", "right_")))
            for index, joint in enumerate(joints)
            if joint.startswith("left_")
        ),
        root=[parent for _, parent in table.rows].index(""),
        spine_middle=joints.index(table.spine_middle),
        up_axis=table.up,
        front_axis=table.front,
    )


_BUILTIN = {name: _from_table(name, table) for name, table in TABLES.items()}
_REGISTERED: dict[str, SkeletonLayout] = {}


def layout_names() -> list[str]:
    """The names that `get_layout` knows: built-in ones first, then registered ones."""
    return [*_BUILTIN, *_REGISTERED]


def get_layout(name: "str | Path | SkeletonLayout") -> SkeletonLayout:
    """The layout of a name, or of a JSON file (a path that ends in .json); a layout is returned as it is.

    Raises:
        LayoutError: the name is unknown; the message lists the known ones.
    """
    if isinstance(name, SkeletonLayout):
        return name
    known = {**_BUILTIN, **_REGISTERED}
    if isinstance(name, str) and name in known:
        return known[name]
    if isinstance(name, str | Path) and str(name).endswith(".json"):
        return SkeletonLayout.from_json(Path(name))
    raise LayoutError(
        f"unknown layout {name!r}; known are {layout_names()}, or register_layout(...) your own"
    )


def register_layout(layout: SkeletonLayout) -> SkeletonLayout:
    """Let `get_layout` find a layout of one's own by its name; registering the same one again is fine.

    Raises:
        LayoutError: the name is taken by a layout of other content.
    """
    if not isinstance(layout, SkeletonLayout):
        raise LayoutError(f"a SkeletonLayout is wanted, got {type(layout).__name__}")
    present = {**_BUILTIN, **_REGISTERED}.get(layout.name)
    if present is not None and present != layout:
        kind = "built-in" if layout.name in _BUILTIN else "registered"
        raise LayoutError(f"the name {layout.name!r} belongs to another, {kind} layout: choose another name")
    if present is None:
        _REGISTERED[layout.name] = layout
    return layout
