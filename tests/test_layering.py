"""A room imports only rooms above it: the order in which data flows is the order of the package."""

import ast
from pathlib import Path

import pytest

import stars_hub

ROOT = Path(stars_hub.__file__).parent
ROOMS = [
    "_version", "errors", "files",
    "neighbours", "distributed", "checkpoints", "skeletons", "transforms", "model",
    "objectives", "training", "recipes", "evaluation", "classifiers", "hub", "demo", "cli", "__main__",
]  # fmt: skip
# torch brings numpy; these few are the whole of what an import of the package may pull in at its top level.
OPTIONAL = {"matplotlib", "sklearn", "scipy", "tensorboard", "click"}
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_modules(tree: ast.AST) -> list[str]:
    modules = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules.append(node.module or "")
            modules += [f"{node.module}.{alias.name}" for alias in node.names]
    return modules


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_room_imports_only_rooms_above(path: Path) -> None:
    room = room_of(path)
    assert room in ROOMS, f"{room} is a room that the order does not know"
    for module in imported_modules(ast.parse(path.read_text())):
        parts = module.split(".")
        if parts[0] == "stars_hub" and len(parts) > 1 and parts[1] in ROOMS:
            assert ROOMS.index(parts[1]) <= ROOMS.index(room), f"{room} imports {module}, a room below it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_relative_and_no_optional_import_at_the_top(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))
    allowed = {"click"} if room_of(path) == "cli" else set()
    for node in tree.body:
        tops = (
            {module.split(".")[0] for module in imported_modules(node)}
            if not isinstance(node, ast.FunctionDef | ast.ClassDef)
            else set()
        )
        assert not (tops & OPTIONAL) - allowed, f"{path.name} imports {tops & OPTIONAL} at its top level"


@pytest.mark.parametrize("path", [*FILES, *sorted(Path(__file__).parent.rglob("*.py"))], ids=str)
def test_a_file_stays_under_300_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 300
