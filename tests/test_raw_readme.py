"""The READMEs on licensed data: in step with the declarations, complete, and the only files there that git takes."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pilotzones import licensed, paths, raw_readme, studies


@pytest.mark.parametrize("key", studies.keys())
def test_the_readme_is_the_one_that_the_declaration_gives(key: str) -> None:
    written = (paths.ROOT / "data" / "raw" / key / "README.md").read_text(encoding="utf-8")
    assert written == raw_readme.text(studies.load(key)), "run `python -m pilotzones.raw_readme`"


@pytest.mark.parametrize("key", studies.keys())
def test_the_readme_names_every_item_variable_and_column(key: str) -> None:
    study = studies.load(key)
    declared, text = licensed.exports(study), raw_readme.text(study)
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    for item in declared.items:
        own = [row for row in rows if row.startswith(f"| `{declared.name(item)}` |")]
        assert own, item.name
        assert all(word in own[0] for word in (*item.names, *item.codes, item.unit))
    for name in (*declared.formulas, *declared.measured):
        assert any(f"`{name}`" in row.split("|")[1] for row in rows), name
    for table in declared.records:
        assert f"### {table.name}: {table.source}" in text
        assert {*table.columns} <= {*re.findall(r"^\| `(\w+)` \|", text.partition(f"### {table.name}:")[2], re.M)}
    assert all(entry in text for entry in declared.gone)


def test_tables_have_the_same_number_of_cells_in_every_row() -> None:
    for key in studies.keys():  # noqa: SIM118, a function
        for block in re.findall(r"(?:^\|.*\n)+", raw_readme.text(studies.load(key)), re.M):
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()}) == 1, block


def test_years_are_those_that_formulas_use() -> None:
    text = raw_readme.text(studies.load("innovation"))
    assert re.search(r"\| `assets` \|.*\| 2010-2020 \|", text)  # of the year before, too
    assert re.search(r"\| `city_broadband` \|.*\| 2011 \|", text)  # of the first year only
    assert re.search(r"\| `city_phones_1984` \| a city \|.*\| any \|", text)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_takes_the_readmes_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    shutil.copy(paths.ROOT / ".gitignore", tmp_path)
    kept = ["data/raw/README.md", "data/raw/innovation/README.md"]
    private = ["data/raw/x.csv", "data/raw/innovation/FS_Combas.xlsx", "data/raw/innovation/mapping.toml",
               "data/raw/innovation/sub/README.md", "data/raw/innovation/sub/a.csv", "data/raw/new/a.zip",
               "data/raw/innovation/.hidden.csv", "data/panels/innovation-licensed-0123456789ab.parquet"]  # fmt: skip
    for name in kept + private:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    listed = ["git", "ls-files", "--others", "--exclude-standard", "data"]
    assert subprocess.run(listed, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.split() == kept
