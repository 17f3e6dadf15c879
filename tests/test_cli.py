"""The command line: help, one-line errors, and the same checks as the notebooks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from projects import command

from pilotzones import cli
from pilotzones.paths import ROOT


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return command(ROOT, *arguments, cwd=cwd)


@pytest.mark.parametrize("name", ["book", "panel", "run", "ledger", "calibrate", "sweep"])
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([name, "--help"])
    assert end.value.code == 0
    assert f"usage: pilotzones {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["panel", "inovation"], "study = 'inovation': expected one of"),
        (["panel", "innovation", "--source", "licensed"], "data/raw/innovation"),
        (["run", "03_base", "out.ipynb"], "section = '03_base': expected one of 01_data"),
        (["run", "03_baseline", "out.ipynb", "-p", "vcof", "iid"], "vcof: 03_baseline has no such parameter"),
        (["run", "03_baseline", "out.ipynb", "-p", "seed", "2.5"], "seed = 2.5"),
        (["run", "03_baseline", "out.html"], "expected a name that ends in .ipynb"),
    ],
)
def test_what_can_be_put_right_is_one_line(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("pilotzones: ")
    assert words in done.stderr
    assert not list(tmp_path.iterdir())


def test_run_executes_a_section_from_any_folder(tmp_path: Path) -> None:
    done = run("run", "01_data", "out.ipynb", "-p", "study", "innovation", "-p", "vcov", "iid", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    cells = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    injected = next(cell for cell in cells if "injected-parameters" in cell["metadata"].get("tags", []))
    assert 'vcov = "iid"' in "".join(injected["source"])


def test_panel_says_what_it_made(tmp_path: Path) -> None:
    done = run("panel", "innovation", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "30,685 rows" in done.stdout
    assert "treat_post" in done.stdout
