"""What is committed: pins with hashes, generated files in sync, nothing of one machine."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from pilotzones import environment, notebooks
from pilotzones.paths import NOTEBOOKS, ROOT
from pilotzones.repository import repository_url

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def committed() -> list[Path]:
    """Return the files under version control; in an unpacked archive there are none to ask for."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode or not done.stdout:
        pytest.skip("not a git checkout")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_every_pin_has_a_hash_and_no_address() -> None:
    assert not re.search(r"https?://|--index|--find-links|file:", LOCK)
    entries = re.split(r"\n(?=[a-z0-9])", LOCK.partition("make lock\n")[2])
    assert len(entries) > 100
    assert all("==" in entry.splitlines()[0] and "--hash=sha256:" in entry for entry in entries)


def test_the_lock_holds_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for pin in [*project["dependencies"], *(p for extra in project["optional-dependencies"].values() for p in extra)]:
        locked = re.sub(r"\[.*?\]", "", pin)  # the lock spells out what an extra brings
        assert re.search(rf"^{re.escape(locked)}\b", LOCK, flags=re.MULTILINE), f"{pin}: run make lock"


def test_environment_yml_is_what_the_lock_gives() -> None:
    assert (ROOT / "environment.yml").read_text(encoding="utf-8") == environment.environment()


def test_notebook_pairs_are_in_sync_and_without_outputs() -> None:
    pairs = dict(notebooks.pairs())
    assert {path.name for path in NOTEBOOKS.glob("*.ipynb")} == {path.name for path in pairs}
    for path, text in pairs.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run make pair"
        cells = json.loads(text)["cells"]
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def test_no_function_is_defined_in_a_notebook() -> None:
    for section in notebooks.sections():
        code = [cell.source for cell in notebooks.read(section).cells if cell.cell_type == "code"]
        assert not any(re.search(r"^\s*(def|class) ", source, flags=re.MULTILINE) for source in code)


def test_no_path_of_a_machine_is_committed() -> None:
    # the pattern is put together so that this file does not match itself
    pattern = re.compile("|".join(f"(?<![\\w.])/{top}/[a-z]" for top in ("home", "root", "work", "Users", "tmp")))
    for path in committed():
        if path.suffix not in {".otf", ".parquet", ".lock"}:
            found = pattern.search(path.read_text(encoding="utf-8"))
            assert found is None, f"{path.relative_to(ROOT)}: {found}"


def test_no_committed_file_is_large() -> None:
    assert not [path for path in committed() if path.stat().st_size > 2 * 1024**2]


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("https://github.com/someone/book.git", "https://github.com/someone/book"),
        ("git@github.com:someone/book.git", "https://github.com/someone/book"),
        ("ssh://git@github.com/someone/book", "https://github.com/someone/book"),
        ("file:///srv/book.git", None),
        ("https://git.example.org/someone/book", None),
    ],
)
def test_buttons_need_a_public_address(address: str, url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOK_REPOSITORY", address)
    assert repository_url() == url
