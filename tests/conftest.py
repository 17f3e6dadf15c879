"""The real book, built once per test session."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from projects import command, copy_project


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what builds the book first, or it would keep one worker busy long after the others are done.

    What only looks at it comes last: another worker has built it by then.
    """
    items.sort(key=lambda item: (_looks(item), item.get_closest_marker("slow") is None))


def _looks(item: pytest.Item) -> bool:
    return "site" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def built_book(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A copy of the project with its book built by the command, and what the command said.

    The tests that use it are in one file, so that one worker builds it for all of them (``--dist loadfile``).
    """
    shared = _shared(tmp_path_factory)
    (shared / "book-begun").touch()
    project = copy_project(tmp_path_factory.mktemp("book") / "project")
    said = command(project, "book", "-j", "2", PYTHONHASHSEED="1")
    if said.returncode == 0:
        shutil.copytree(project / "_build" / "html", shared / "book-copied").rename(shared / "book")
    else:
        (shared / "book-failed").touch()
    return project, said


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The HTML of that book, which no test changes, whichever worker builds it."""
    shared = _shared(tmp_path_factory)
    if not (shared / "book-begun").exists():
        request.getfixturevalue("built_book")
    while not (shared / "book").exists():
        if (shared / "book-failed").exists():
            pytest.fail("the book could not be built, see the first test of test_pages.py")
        time.sleep(1)
    return shared / "book"


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the temporary folder of this session that its workers share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
