"""Sweeps by command, in several processes and on Dask: killed, interrupted, resumed, with the same result."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pyarrow as pa
import pytest
from projects import command, environment

from pilotzones import cli, specifications, sweep
from pilotzones.errors import PilotZonesError
from pilotzones.paths import ROOT

SMALL = """
study: productivity
controls: [all, none, each left out]
effects: [own, city + province^year]
vcov: [cluster_city, hetero]
"""
MANY = """
study: productivity
controls: all subsets
effects: [city + year, city + province^year]
sample: [own, year >= 2010, year >= 2011, year >= 2012, year <= 2021, year <= 2020, year <= 2019, year <= 2018]
vcov: [cluster_city, hetero]
"""


def grid(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "grid.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_command_counts_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(grid(tmp_path, SMALL))
    assert cli.main(["sweep", path, "--dry-run"]) == 0
    assert "36 specifications" in capsys.readouterr().out and not (tmp_path / "grid.parquet").exists()
    for arguments, words in (
        ([path, "-o", str(tmp_path / "out.csv")], "ends in .parquet"),
        ([str(tmp_path / "no.yml")], "no.yml: the file is missing"),
    ):
        assert cli.main(["sweep", *arguments]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and words in said


def test_neither_workers_nor_hash_order_change_a_byte(tmp_path: Path) -> None:
    path = grid(tmp_path, SMALL)
    done = command(ROOT, "sweep", str(path), "-j", "1")
    assert done.returncode == 0, done.stderr
    assert "36 estimated, 0 not" in done.stdout
    rows = pd.read_parquet(tmp_path / "grid.parquet")
    assert rows["id"].is_monotonic_increasing and (rows["published"] != "").any()
    again = command(ROOT, "sweep", str(path), "-j", "2", "-o", str(tmp_path / "two.parquet"), PYTHONHASHSEED="3")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "two.parquet").read_bytes() == (tmp_path / "grid.parquet").read_bytes()


def stopped(path: Path, how: signal.Signals, more_than: int) -> tuple[int, str]:
    """Start the command with two workers, stop it once there are more parts, and return its code and last words."""
    started = [sys.executable, "-m", "pilotzones.cli", "sweep", str(path), "-j", "2"]
    run = subprocess.Popen(
        started, env=environment(ROOT), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    until = time.monotonic() + 120
    while len(parts(path)) <= more_than and run.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    children = psutil.Process(run.pid).children(recursive=True)
    if how == signal.SIGINT:
        os.killpg(run.pid, how)  # a terminal's Ctrl-C reaches the workers, too
    else:
        run.send_signal(how)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive, "a worker outlived its parent"
    return run.wait(), run.stderr.read() if run.stderr else ""


def parts(path: Path) -> list[Path]:
    return sorted(path.with_suffix(".parts").glob("[!.]*.parquet"))


def test_a_command_that_is_interrupted_and_killed_resumes(tmp_path: Path) -> None:
    path = grid(tmp_path, MANY)
    code, words = stopped(path, signal.SIGINT, 0)
    assert code == 130
    assert "Traceback" not in words and "pilotzones: interrupted; what is finished is kept" in words
    first = {part: part.stat().st_mtime_ns for part in parts(path)}
    assert first
    code, _ = stopped(path, signal.SIGKILL, len(first))
    assert code == -signal.SIGKILL
    kept = {part: part.stat().st_mtime_ns for part in parts(path)}
    assert len(kept) > len(first)
    assert {part: kept[part] for part in first} == first  # not written again
    assert not path.with_suffix(".parquet").exists()

    found = specifications.expand(specifications.read(path))
    finished = [group for group in sweep.groups(found) if f"{group.id}.parquet" in {part.name for part in kept}]
    assert len(finished) == len(kept)
    done: list[sweep.Group] = []

    def counted(todo: Sequence[sweep.Group]) -> Iterator[tuple[sweep.Group, pa.Table]]:
        done.extend(todo)
        yield from sweep.here(todo)

    rows = sweep.run(found, path.with_suffix(".parquet"), counted)
    assert not {group.id for group in done} & {group.id for group in finished}
    assert len(done) + len(finished) == len(sweep.groups(found))
    assert rows["id"].tolist() == sorted(one.id for one in found)
    whole = sweep.run(found, tmp_path / "whole.parquet")
    pd.testing.assert_frame_equal(rows, whole, rtol=1e-12)  # linear algebra has more threads here than in the command


# ---------------------------------------------------------------------------------------------------------------- Dask


def test_a_scheduler_that_is_not_there_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    assert sweep.WAIT == "10s"
    monkeypatch.setattr(sweep, "WAIT", "1s")
    start = time.monotonic()
    with pytest.raises(PilotZonesError, match=r"tcp://127\.0\.0\.1:1': no Dask scheduler"):
        next(sweep.dask("tcp://127.0.0.1:1", 1, []))
    assert time.monotonic() - start < 8
    with pytest.raises(PilotZonesError, match="expected 'local' or an address"):
        next(sweep.dask("nonsense://x", 1, []))


def test_without_dask_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(PilotZonesError, match=r"pilotzones\[cluster\]"):
        next(sweep.dask("local", 1, []))


def test_a_scheduler_without_workers_is_waited_for_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed: Any = pytest.importorskip("distributed")
    monkeypatch.setattr(sweep, "PATIENCE", 0.3)
    found = specifications.expand(specifications.read(grid(tmp_path, "study: productivity")))
    with distributed.LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0") as cluster:
        threading.Timer(1.5, lambda: cluster.scale(1)).start()
        with pytest.warns(UserWarning, match="has no workers yet; the command waits for them"):
            rows = sweep.run(found, tmp_path / "out.parquet", partial(sweep.dask, cluster.scheduler_address, 1))
    assert rows["error"].tolist() == [""]


def test_on_dask_a_killed_worker_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed: Any = pytest.importorskip("distributed")
    monkeypatch.setattr(sweep, "GROUP", 4)
    found = specifications.expand(specifications.read(grid(tmp_path, SMALL)))
    here = sweep.run(found, tmp_path / "here.parquet")
    victims: list[int] = []

    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:

        def killing(todo: Sequence[sweep.Group]) -> Iterator[tuple[sweep.Group, pa.Table]]:
            for done in sweep.dask(cluster.scheduler_address, 2, todo):
                if not victims:
                    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
                        victims.append(next(iter(client.run(os.getpid).values())))
                    os.kill(victims[0], signal.SIGKILL)
                yield done

        rows = sweep.run(found, tmp_path / "dask.parquet", killing)
    assert victims and not psutil.pid_exists(victims[0])
    pd.testing.assert_frame_equal(rows, here, rtol=1e-12)


# --------------------------------------------------------------------------------------------------------------- pages


def test_a_page_shows_the_estimate_of_its_row(tmp_path: Path) -> None:
    found = specifications.expand(specifications.read(grid(tmp_path, "study: productivity\neffects: province^year")))
    row = sweep.run(found, tmp_path / "out.parquet").iloc[0]
    (path,) = sweep.render(found, tmp_path / "pages")
    assert path.name == f"{row['id']}.ipynb"
    page = path.read_text(encoding="utf-8")
    assert f"{row['estimate']:.3f}" in page and f"{row['t']:.3f}" in page and f"{row['n_obs']:,}" in page
    assert "synthetic" in page
