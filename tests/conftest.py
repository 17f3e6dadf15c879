"""The real book, built once per test session."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from projects import command, copy_project


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what builds the book first: begun last, it would keep one worker busy long after the others are done."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def built_book(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A copy of the project with its book built by the command, and what the command said.

    The tests that use it are in one file, so that one worker builds it for all of them (``--dist loadfile``).
    """
    project = copy_project(tmp_path_factory.mktemp("book") / "project")
    return project, command(project, "book", "-j", "2", PYTHONHASHSEED="1")
