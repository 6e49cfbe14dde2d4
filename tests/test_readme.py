"""The README tells the truth: its Python blocks run, in order, in one empty folder."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), flags=re.DOTALL)


def test_python_blocks_run_and_print_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    assert blocks("python")
    for block in blocks("python"):
        exec(compile(block, str(README), "exec"), namespace)
        promised = re.findall(r"print\(.*\)\s*# (.*)", block)
        printed = capsys.readouterr().out.splitlines()
        assert printed == promised
