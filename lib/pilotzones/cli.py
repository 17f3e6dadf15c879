"""The ``pilotzones`` command: the steps of ``make book``, one by one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pilotzones.errors import ParameterError, PilotZonesError


def parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    top = argparse.ArgumentParser(prog="pilotzones", description="The steps of `make book`, one by one.")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, action: object, text: str, epilog: str = "") -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        added.set_defaults(action=action)
        return added

    epilog = "Exit code 1: a page failed; the others are finished and kept. A second run resumes there."
    book = command("book", _book, "execute the pages that changed and render the book", epilog)
    book.add_argument("-j", "--jobs", type=_positive, help="pages executed at a time (default: one per processor)")
    book.add_argument("--only", action="append", metavar="STUDY/SECTION", help="only this page; may be repeated")
    book.add_argument("--no-html", action="store_true", help="execute the pages, do not render them")

    book.add_argument("--source", default="synthetic", choices=["synthetic", "licensed"],
                      help="licensed: pages of the exports in data/raw, where there are any")  # fmt: skip

    pdf = command("pdf", _pdf, "print the rendered book with Chromium", "The environment variable CHROMIUM names one.")
    pdf.add_argument("-o", "--output", type=Path, help="the PDF (default: _build/book.pdf)")

    panel = command("panel", _panel, "make or check a study's panel and summarise it")
    panel.add_argument("study", help="key of the study, e.g. innovation")
    panel.add_argument("--source", default="synthetic", choices=["synthetic", "licensed"])
    panel.add_argument("--seed", type=int, help="seed of the synthetic panel (default: the study's)")

    epilog = "Exit code 2: no panel can be made yet; the report says what to put right."
    check = command("check-data", _check_data, "report on a study's licensed files in data/raw", epilog)
    check.add_argument("study", help="key of the study, e.g. resilience")
    check.add_argument("--page", type=Path, help="the page (default: _build/check-data/STUDY.html)")
    check.add_argument("--no-draft", action="store_true", help="leave mapping.toml as it is")

    epilog = "example:\n  pilotzones run 03_baseline out.ipynb -p study innovation -p vcov cluster_city"
    run = command("run", _run, "execute one section with parameters of your choice", epilog)
    run.add_argument("section", help="name of the notebook, e.g. 03_baseline")
    run.add_argument("output", type=Path, help="the executed notebook")
    run.add_argument("-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))

    command("ledger", _ledger, "count the verdicts of _build/ledger.csv by study")

    calibrate = command("calibrate", _calibrate, "repeat the Monte Carlo of a study, or fit its parameters")
    calibrate.add_argument("study", help="key of the study, e.g. innovation")
    calibrate.add_argument("--fit", action="store_true", help="fit the parameters to the printed tables")
    calibrate.add_argument("--runs", type=_positive, default=200, help="panels of the Monte Carlo (default: 200)")
    calibrate.add_argument("--workers", type=_positive, default=2, help="panels at a time (default: 2)")

    epilog = (
        "examples:\n  pilotzones sweep grid.yml -j 2\n  pilotzones sweep grid.yml --scheduler tcp://host:8786\n\n"
        "A second run resumes where the first was cut short. book/sweep.md says what a grid is."
    )
    sweep = command("sweep", _sweep, "estimate every specification of a grid and write one Parquet file", epilog)
    sweep.add_argument("grid", type=Path, help="YAML file")
    sweep.add_argument("-o", "--output", type=Path, help="results (default: beside the grid, ending in .parquet)")
    sweep.add_argument("-j", "--workers", type=_positive, help="processes (default: one per processor)")
    sweep.add_argument("--scheduler", help="run on Dask: local, or the address of a scheduler, e.g. tcp://host:8786")
    sweep.add_argument("--yes", action="store_true", help="run more than 100,000 specifications")
    sweep.add_argument("--dry-run", action="store_true", help="count and show the specifications, run none")
    sweep.add_argument("--pages", nargs="+", metavar="N", help="notebooks of N specifications, of all, or of those ids")
    return top


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}: expected at least 1")
    return number


def _book(options: argparse.Namespace) -> int:
    from pilotzones import book

    return 1 if book.build(options.only, options.jobs, not options.no_html, options.source) else 0


def _pdf(options: argparse.Namespace) -> int:
    from pilotzones import paper
    from pilotzones.io import shown

    output = options.output.absolute() if options.output else paper.PDF
    if output.suffix != ".pdf":
        raise ParameterError(f"output = '{options.output}': expected a name that ends in .pdf")
    sheets = paper.print_book(output)
    print(f"{shown(output)}: {sheets} sheets, {output.stat().st_size / 1e6:.1f} MB")
    return 0


def _panel(options: argparse.Namespace) -> int:
    from pilotzones import panel, studies

    study = studies.load(options.study)
    frame = panel.load(study, options.source, options.seed)
    years = frame[study.time]
    seed = study.seed if options.seed is None else options.seed
    what = f"seed {seed}" if options.source == "synthetic" else f"fingerprint {panel.fingerprint(study)}"
    print(f"{study.title} ({options.source}, {what})")
    print(f"{len(frame):,} rows, {frame[study.unit].nunique():,} x {study.unit}, {years.min()}-{years.max()}; valid")
    print(frame.describe().T[["count", "mean", "std", "min", "max"]].round(3).to_string())
    return 0


def _check_data(options: argparse.Namespace) -> int:
    from functools import partial

    from tqdm import tqdm

    from pilotzones import check_data, paths, studies
    from pilotzones.io import shown

    study = studies.load(options.study)
    page = options.page or paths.BUILD / "check-data" / f"{study.key}.html"
    if page.suffix != ".html":
        raise ParameterError(f"page = '{page}': expected a name that ends in .html")
    report = check_data.check(study, not options.no_draft, partial(tqdm, desc="files", unit="file", disable=None))
    check_data.write(report, page.absolute())
    print(check_data.text(report))
    print(f"\nPage: {shown(page.absolute())}")
    return 0 if report.ready else 2


def _run(options: argparse.Namespace) -> int:
    import yaml

    from pilotzones import notebooks, parameters

    notebook = notebooks.read(options.section)
    values = {name: yaml.safe_load(text) for name, text in options.parameter}
    checked = parameters.validate(options.section, values)
    # a page about all studies has no study, one about software no data
    notebooks.fit_to(notebook, getattr(checked, "study", ""), getattr(checked, "source", "synthetic"))
    if options.output.suffix != ".ipynb":
        raise ParameterError(f"output = '{options.output}': expected a name that ends in .ipynb")
    notebooks.execute(notebook, values, options.output.absolute(), progress_bar=True)
    return 0


def _ledger(options: argparse.Namespace) -> int:
    import pandas as pd

    from pilotzones.book import LEDGER

    if not LEDGER.exists():
        raise PilotZonesError("_build/ledger.csv: there is none yet; `pilotzones book` writes it")
    rows = pd.read_csv(LEDGER, usecols=["study", "source", "verdict"]).fillna({"source": "synthetic"})
    for source in ("synthetic", "licensed"):
        part = rows[rows["source"] == source]
        if part.empty:
            continue
        print(f"{source} data")
        print(pd.crosstab(part["study"], part["verdict"], margins=True, margins_name="all").to_string())
    return 0


def _calibrate(options: argparse.Namespace) -> int:
    from pilotzones import calibration, studies

    studies.load(options.study)
    fit = ["--fit"] if options.fit else []
    calibration.main([options.study, *fit, "--runs", str(options.runs), "--workers", str(options.workers)])
    return 0


def _sweep(options: argparse.Namespace) -> int:
    import logging
    import os
    from functools import partial

    os.environ["OMP_NUM_THREADS"] = "1"  # before numpy is there; the workers inherit it
    from pilotzones import specifications, sweep

    logging.getLogger().setLevel(logging.WARNING)  # pyfixest asks for every message of every library
    output = options.output or options.grid.with_suffix(".parquet")
    if output.suffix != ".parquet":
        raise ParameterError(f"output = '{output}': expected a name that ends in .parquet")
    limit = sys.maxsize if options.yes else specifications.MOST
    found = specifications.expand(specifications.read(options.grid), limit)
    workers = options.workers or os.cpu_count() or 1
    groups = sweep.groups(found)
    print(f"{len(found):,} specifications in {len(groups):,} groups")
    if options.dry_run:
        for one in found[:5]:
            print(f"  {one.id}  {one.study}: {one.formula}; {one.vcov}")
        print("  ..." if len(found) > 5 else "")
        return 0
    engine = sweep.here
    if options.scheduler:
        engine = partial(sweep.dask, options.scheduler, workers)
    elif workers > 1 and len(groups) > 1:
        engine = partial(sweep.processes, workers)
    rows = sweep.run(found, output, engine)
    failed = rows[rows["error"] != ""]
    print(f"{output}: {len(rows) - len(failed):,} estimated, {len(failed):,} not")
    for message, count in failed["error"].value_counts().head(5).items():
        print(f"  {count:,}: {message}")
    if options.pages:
        ids = sweep.chosen(rows, options.pages)
        for path in sweep.render([one for one in found if one.id in set(ids)], output.with_suffix(".pages")):
            print(path)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, 1 when a page failed, 2 when the input has to be put right."""
    options = parser().parse_args(arguments)
    try:
        return int(options.action(options))
    except PilotZonesError as error:
        print(f"pilotzones: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("pilotzones: interrupted; what is finished is kept", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
