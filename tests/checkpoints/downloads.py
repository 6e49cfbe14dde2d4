"""What a download of a model should leave in its folder."""

from pathlib import Path

FETCHED = {"README.md", "config.json", "layout.json", "model.safetensors"}


def same(folder: Path, files: dict[str, bytes], names: set[str] = FETCHED) -> bool:
    return {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: files[name] for name in names
    }
