"""Running many specifications: in groups that share work, in parallel, resumable, into one Parquet file.

A group holds specifications of one panel, sample and set of effects, in a composition that depends on the grid alone.
Finished groups are files beside the output, so that a run that is cut short goes on where it stopped; the last step
puts them together, sorted by the specifications' ids. The same grid, library and libraries of numbers give the same
bytes on the same kind of machine, whatever the workers, their order and the interruptions, as long as linear algebra
has one thread (``OMP_NUM_THREADS=1``, which the command, the pages and Dask's workers set): sums in another order have
other last digits.
"""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import shutil
import signal
import threading
import warnings
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pilotzones import panel, paths, replicate, scenarios, studies
from pilotzones.declare import Study
from pilotzones.errors import DataError, ParameterError, PilotZonesError
from pilotzones.estimators import batch
from pilotzones.estimators.regression import Regression
from pilotzones.io import shown, write_atomically
from pilotzones.specifications import Specification, published

GROUP = 1000  # specifications at most: what a run that is cut short loses per worker
WAIT = "10s"  # for a scheduler to answer
PATIENCE = 5  # seconds for a scheduler to have a worker, before the command says that it waits
RETRIES = 3  # of a group whose worker died
_NUMERIC = ("numpy", "pandas", "scipy", "pyfixest", "pyarrow")
_METADATA = b"pilotzones"

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "study", "source")), ("seed", pa.int64()),
        ("scenario", pa.string()), ("size", pa.float64()),
        *((name, pa.string()) for name in ("outcome", "term", "controls", "effects", "instruments")),
        ("sample", pa.string()), ("matching", pa.string()), ("winsorise", pa.float64()), ("vcov", pa.string()),
        ("singletons", pa.string()), *((name, pa.float64()) for name in ("estimate", "se", "t", "p", "low", "high")),
        ("n_obs", pa.int64()), ("n_clusters", pa.int64()), ("r2_within", pa.float64()),
        ("published", pa.string()), ("error", pa.string()),
    ]
)  # fmt: skip
"""A row of the results: the specification (lists joined by `` + ``), its coefficient of interest with the 95% interval,
the names of the published columns that it is, and why it could not be estimated, if so."""


@dataclass(frozen=True, eq=False)
class Group:
    """Specifications that share a panel, a sample and effects, and are run and stored together."""

    specifications: tuple[Specification, ...]

    @property
    def id(self) -> str:
        """Changes with every specification in it and with everything their results depend on."""
        words = " ".join([fingerprint(), *exports(self.specifications), *(one.id for one in self.specifications)])
        return hashlib.sha256(words.encode()).hexdigest()[:16]


def groups(specifications: Sequence[Specification]) -> list[Group]:
    """Put specifications into groups, those of one panel next to each other."""

    def shared(one: Specification) -> tuple[Any, ...]:
        where = (one.study, one.source, one.seed, one.scenario, one.sample, one.matching)
        return (*where, one.effects, one.winsorise, one.singletons, bool(one.instruments))

    # specifications with the same controls have the same complete rows, and those with the same id but errors one fit
    ordered = sorted(
        specifications, key=lambda one: (shared(one), one.size, one.controls, one.outcome, one.term, one.id)
    )
    found = []
    for _, alike in groupby(ordered, shared):
        members = tuple(alike)
        found += [Group(members[start : start + GROUP]) for start in range(0, len(members), GROUP)]
    return found


@cache
def fingerprint() -> str:
    """Return a hash of the library, the facts it reads and the versions of the numeric libraries."""
    files = [*(paths.ROOT / "lib").rglob("*.py"), *(paths.ROOT / "lib").rglob("*.toml"), *paths.FACTS.rglob("*.*")]
    hashes = {shown(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}
    words = json.dumps([hashes, _versions()], sort_keys=True)
    return hashlib.sha256(words.encode()).hexdigest()


def exports(specifications: Sequence[Specification]) -> list[str]:
    """Return the fingerprints of the user's exports that licensed specifications use."""
    keys = sorted({one.study for one in specifications if one.source == "licensed"})
    return [panel.fingerprint(studies.load(key)) for key in keys]


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _NUMERIC}


# ---------------------------------------------------------------------------------------------------------- estimation


@lru_cache(maxsize=2)
def _panel(key: str, source: str, seed: int, scenario: str) -> tuple[pd.DataFrame, str]:
    """Return a panel and the hash of its content; only the study's own is kept on disk, others would fill it."""
    study = studies.load(key)
    own = source == "licensed" or seed == study.seed
    data = panel.load(study, source, seed) if own else panel.generate(study, seed)
    if scenario != "paper":
        data = scenarios.laid_over(study, data, scenario)  # type: ignore[arg-type]
    content = hashlib.sha256(pd.util.hash_pandas_object(data, index=False).to_numpy().tobytes())
    return data, content.hexdigest()


def estimate(group: Group, library: str = "") -> pa.Table:
    """Estimate the specifications of a group.

    Parameters
    ----------
    library : the :func:`fingerprint` that the results are to have.

    Returns
    -------
    One row per specification, see ``SCHEMA``. Estimates are those of :func:`pilotzones.replicate.column`, but for
    ``r2_within``, which has all effects removed whatever the paper's convention.

    Raises
    ------
    PilotZonesError
        This worker has another version of the library or of the facts. What is wrong with a specification is in its
        row.
    """
    if library and library != fingerprint():
        raise PilotZonesError(
            "a worker has another version of the book or of numpy, pandas, scipy, pyfixest or pyarrow than this "
            "process; install the same on all machines"
        )
    hashes: dict[str, str] = {}
    found: list[dict[str, Any]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _, alike in groupby(group.specifications, lambda one: one.size):
            found += _of_one_size(list(alike), hashes)
    table = [
        {
            **one.values, "id": one.id, "published": published(one), "error": "", **line,
            "controls": " + ".join(one.controls), "instruments": " + ".join(one.instruments),
        }
        for one, line in zip(group.specifications, found, strict=True)
    ]  # fmt: skip
    return pa.Table.from_pylist(table, SCHEMA).replace_schema_metadata({_METADATA: json.dumps(hashes)})


def _of_one_size(specifications: Sequence[Specification], hashes: dict[str, str]) -> list[dict[str, Any]]:
    """Estimate specifications on the same rows; ``hashes`` takes in that of the panel."""
    one = specifications[0]
    study = studies.load(one.study)
    try:
        data, content = _panel(one.study, one.source, one.seed, one.scenario)
        hashes[f"{one.study}-{one.source}-{one.seed}-{one.scenario}"] = content
        data = scenarios.resized(study, data, one.size)
        rows = replicate.select(data, one.sample)
        if not len(rows):
            raise DataError(f"sample '{one.sample}': no row of the panel fulfils it")
        if one.matching:
            rows = replicate.matched(study, one.column, rows).sample(rows)
    except Exception as problem:
        return [_failed(problem)] * len(specifications)
    try:
        found = _together(study, rows, specifications)
    except Exception:  # one of them is to blame: each by itself, with a message of its own
        found = [{} for _ in specifications]
    apart = [i for i, line in enumerate(found) if not line]
    for i, line in zip(apart, _one_by_one(study, data, [specifications[i] for i in apart]), strict=True):
        found[i] = line
    return found


def _together(study: Study, rows: pd.DataFrame, specifications: Sequence[Specification]) -> list[dict[str, Any]]:
    """Estimate what can share; the lines of the others are empty."""
    one = specifications[0]
    effects = one.effects.split(" + ") if one.effects else []
    equations = [
        batch.Equation(s.outcome, (s.term, *s.controls), replicate.errors(study, s.vcov)) for s in specifications
    ]
    able = [] if one.instruments else batch.shareable(rows, equations)
    found: list[dict[str, Any]] = [{} for _ in specifications]
    for mask, positions in batch.by_rows(rows, [equations[i] for i in able], effects):
        some = [equations[able[p]] for p in positions]
        part = rows[mask]
        if one.winsorise:
            words = {*effects, *(name for equation in some for name in equation.names)}
            part = replicate.winsorised(study, " ".join(sorted(words)), part, one.winsorise)
        table = batch.estimate(part, some, effects, one.singletons)
        for p, line in zip(positions, table.to_dict("records"), strict=True):
            if line["n_obs"] == line["n_obs"]:
                found[able[p]] = _line(line)
    return found


def _one_by_one(study: Study, data: pd.DataFrame, specifications: Sequence[Specification]) -> Iterator[dict[str, Any]]:
    """Estimate each specification by itself; those that differ only in their errors are next to each other."""
    last: tuple[Specification, Regression] | None = None
    for one in specifications:
        same = replace(one, vcov="")
        try:
            if last and last[0] == same:
                fit = last[1].under(replicate.errors(study, one.vcov))
            else:
                fit = replicate.column(study, one.column, data, one.vcov)
                last = same, fit
            if one.term not in fit.coefficients.index:
                raise DataError(f"formula '{one.formula}': '{one.term}' is collinear with the effects or the controls")
            within = fit.r2_within if one.effects else np.nan
            line = {**fit.coefficients.loc[one.term], "n_obs": fit.n_obs, "r2_within": within}
            yield _line({**line, "n_clusters": np.nan if fit.n_clusters is None else fit.n_clusters})
        except Exception as problem:
            yield _failed(problem)


def _line(values: dict[str, Any]) -> dict[str, Any]:
    """Return statistics as a row has them: counts as whole numbers, nothing for what there is not."""
    known = {name: float(values[name]) for name in batch.STATISTICS if values[name] == values[name]}
    return {name: int(v) if name in ("n_obs", "n_clusters") else v for name, v in known.items()}


def _failed(problem: Exception) -> dict[str, Any]:
    text = " ".join(str(problem).split())
    return {"error": text if isinstance(problem, PilotZonesError) else f"{type(problem).__name__}: {text}"}


# ------------------------------------------------------------------------------------------------------------- engines

Engine = Callable[[Sequence[Group]], Iterator[tuple[Group, pa.Table]]]


def here(todo: Sequence[Group]) -> Iterator[tuple[Group, pa.Table]]:
    """Run groups one after the other in this process."""
    for group in todo:
        yield group, estimate(group)


def processes(workers: int, todo: Sequence[Group]) -> Iterator[tuple[Group, pa.Table]]:
    """Run groups in processes of this machine, in the order in which they finish."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(todo)) or 1, mp_context=context, initializer=_worker)
    try:
        futures = {pool.submit(estimate, group): group for group in todo}
        for future in as_completed(list(futures)):
            yield futures.pop(future), future.result()
    except BrokenProcessPool:
        raise PilotZonesError(
            "a worker process died, perhaps for lack of memory; what is finished is kept: run the same command again, "
            "with fewer workers (-j)"
        ) from None
    except BaseException:
        for worker in multiprocessing.active_children():
            worker.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _worker() -> None:
    """Prepare a worker: one thread, an interrupt is the parent's affair, and no life after the parent's."""
    os.environ["RAYON_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def dask(scheduler: str, workers: int, todo: Sequence[Group]) -> Iterator[tuple[Group, pa.Table]]:
    """Run groups on Dask: ``"local"`` starts a cluster of processes, an address is that of a running scheduler.

    Raises
    ------
    PilotZonesError
        Dask is not installed, no scheduler answers, or one does no longer.
    """
    try:
        from dask import config
        from distributed import Client, LocalCluster, as_completed
    except ImportError:
        raise PilotZonesError("--scheduler needs Dask: pip install 'pilotzones[cluster]'") from None
    logging.getLogger("distributed").setLevel(logging.WARNING)
    where = scheduler
    config.set({"distributed.comm.timeouts.connect": WAIT})
    cluster = None
    try:
        if scheduler == "local":
            cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0")
            where = cluster.scheduler_address
        client = Client(where, timeout=WAIT)
    except (OSError, ValueError) as problem:
        if cluster:
            cluster.close()
        raise PilotZonesError(
            f"scheduler = '{scheduler}': no Dask scheduler answers there within {WAIT} "
            f"({' '.join(str(problem).split())}); expected 'local' or an address such as tcp://host:8786"
        ) from None
    try:
        library = fingerprint()
        futures = {
            client.submit(estimate, group, library, key=group.id, retries=RETRIES, pure=False): group for group in todo
        }
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            warnings.warn(
                f"scheduler = '{scheduler}': has no workers yet; the command waits for them, Ctrl-C stops it",
                stacklevel=2,
            )
        for future in as_completed(list(futures)):
            group = futures.pop(future)
            try:
                table = future.result()
            except PilotZonesError:
                raise
            except (Exception, CancelledError) as problem:  # workers that die again and again, or a lost scheduler
                raise PilotZonesError(
                    f"Dask gave up ({type(problem).__name__}: {' '.join(str(problem).split())}); what is finished is "
                    "kept: run the same command again"
                ) from None
            future.release()
            yield group, table
    finally:
        client.close()
        if cluster:
            cluster.close()


# ---------------------------------------------------------------------------------------------------------------- runs


def run(specifications: Sequence[Specification], output: Path, engine: Engine = here) -> pd.DataFrame:
    """Run specifications and write their rows to a Parquet file, sorted by id.

    Finished groups are kept as files in a folder beside ``output`` until all are there. A second run takes them from
    there; one that is damaged is done again, with a warning.

    Returns
    -------
    The rows.

    Raises
    ------
    ParameterError
        There is no specification, or ``output`` is there already and holds others.
    DataError
        The disk is full or cannot be written to. Finished groups stay.
    """
    from tqdm import tqdm

    if not specifications:
        raise ParameterError("the grid has no specification")
    ids = sorted(one.id for one in specifications)
    files_used = exports(specifications)
    if output.exists():
        return _existing(output, ids, files_used)
    parts = output.with_suffix(".parts")
    every = groups(specifications)
    files = {group: parts / f"{group.id}.parquet" for group in every}
    if other := set(parts.glob("[!.]*.parquet")) - set(files.values()):
        warnings.warn(
            f"{shown(parts)}: {len(other)} finished parts are of another version of the book, its data or the grid; "
            "they are not used, and what they hold is done again as far as the grid asks for it",
            stacklevel=2,
        )
    todo = [group for group in every if not _is_finished(group, files[group])]
    done = sum(len(group.specifications) for group in set(every) - set(todo))
    with tqdm(total=len(ids), initial=done, unit="spec", desc="sweep", disable=None, smoothing=0.05) as bar:
        for group, table in engine(todo):
            try:
                write_atomically(files[group], partial(_write, table))
            except DataError as problem:
                raise DataError(
                    f"{problem}. {done:,} of {len(ids):,} specifications are kept in {shown(parts)}; make room and "
                    "run the same command again"
                ) from None
            done += len(group.specifications)
            bar.update(len(group.specifications))
    tables = [_read(files[group]) for group in every]
    panels = {key: value for table in tables for key, value in json.loads(table.schema.metadata[_METADATA]).items()}
    words = {"library": fingerprint(), "exports": files_used, "versions": _versions()}
    words["panels"] = dict(sorted(panels.items()))
    whole = pa.concat_tables(tables).sort_by("id").combine_chunks()
    whole = whole.replace_schema_metadata({_METADATA: json.dumps(words)})
    write_atomically(output, partial(_write, whole))
    shutil.rmtree(parts, ignore_errors=True)
    return whole.to_pandas()


def _existing(output: Path, ids: Sequence[str], files_used: list[str]) -> pd.DataFrame:
    """Return finished results of the same specifications and versions."""
    try:
        table = _read(output)
        words = json.loads((table.schema.metadata or {})[_METADATA])
        same = table["id"].to_pylist() == ids and words["library"] == fingerprint() and words["exports"] == files_used
    except (OSError, pa.ArrowException, KeyError, ValueError):
        same = False
    if not same:
        raise ParameterError(
            f"output = '{shown(output)}': is there already and holds something else, or results of another version; "
            "delete it or choose another with -o"
        )
    return table.to_pandas()


def _is_finished(group: Group, file: Path) -> bool:
    if not file.exists():
        return False
    try:
        if _read(file)["id"].to_pylist() == [one.id for one in group.specifications]:
            return True
    except (OSError, pa.ArrowException, KeyError):
        pass
    warnings.warn(
        f"{shown(file)}: is damaged; its {len(group.specifications)} specifications are done again", stacklevel=2
    )
    return False


def _write(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, write_page_checksum=True)


def _read(path: Path) -> pa.Table:
    return pq.read_table(path, partitioning=None, page_checksum_verification=True)


# --------------------------------------------------------------------------------------------------------------- pages


def chosen(rows: pd.DataFrame, which: Sequence[str]) -> list[str]:
    """Return the ids of specifications to be rendered: ``all``, a number spread evenly over the estimates, or ids.

    Raises
    ------
    ParameterError
        No such specification was estimated.
    """
    estimated = rows[rows["error"] == ""].sort_values(["estimate", "id"])["id"].tolist()
    if list(which) == ["all"]:
        return estimated
    if len(which) == 1 and which[0].isdecimal() and len(which[0]) < 16:
        count = min(int(which[0]), len(estimated))
        return [estimated[i] for i in np.linspace(0, len(estimated) - 1, count).round().astype(int)]
    for name in which:
        if name not in estimated:
            raise ParameterError(
                f"pages = {name!r}: expected all, a number, or ids of specifications that were estimated"
            )
    return list(which)


def render(specifications: Sequence[Specification], folder: Path) -> list[Path]:
    """Execute the notebook of one specification for each of some, and return the files."""
    from pilotzones import notebooks

    written = []
    for one in specifications:
        names = (
            "study",
            "source",
            "seed",
            "vcov",
            "scenario",
            "size",
            "formula",
            "sample",
            "matching",
            "winsorise",
            "singletons",
        )
        written.append(folder / f"{one.id}.ipynb")
        values = {name: getattr(one, name) for name in names}
        notebooks.execute(notebooks.read("12_specification"), values, written[-1].absolute())
    return written
