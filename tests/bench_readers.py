"""Read a million rows of CSV and of a workbook, and 100,000 beside pandas.

Each task runs in a process of its own, so that its memory is its own; workbooks are parsed in a further process, whose
memory is shown apart. The engines read the same file one after the other; what to read is the ratio of processor
seconds, which a busy machine changes least.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from statistics import median
from typing import Any

from pilotzones.io import write_atomically
from pilotzones.paths import BUILD

ROWS = 1_000_000
BESIDE = 100_000  # openpyxl takes a quarter of an hour for a million rows
REPEATS = 3
HEADER = ["Stkcd", "ShortName", "Accper", "Typrep", "A001000000", "A002000000", "B001000000", "C001000000"]
PEERS = {"csv": "pandas.read_csv", "xlsx": "pandas.read_excel, openpyxl"}


def firm_years(rows: int) -> list[tuple[str | float, ...]]:
    """Return rows as CSMAR has them: four columns of text, four of numbers."""
    return [
        (f"{i // 10:06d}", f"公司{i // 10}", f"{2011 + i % 10}-12-31", "A", i * 1.5, i / 7, -i / 3, i * 1e4 + 0.25)
        for i in range(rows)
    ]


def write_csv(path: Path, rows: list[tuple[str | float, ...]]) -> None:
    """Write a CSV file with quoted text."""
    lines = (",".join(f'"{v}"' if isinstance(v, str) else repr(v) for v in row) for row in [tuple(HEADER), *rows])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")


def write_xlsx(path: Path, rows: list[tuple[str | float, ...]]) -> None:
    """Write a workbook as Excel does, with a table of the texts; openpyxl would take minutes."""
    texts: dict[str, int] = {}

    def cell(place: str, value: str | float) -> str:
        if isinstance(value, str):
            return f'<c r="{place}" t="s"><v>{texts.setdefault(value, len(texts))}</v></c>'
        return f'<c r="{place}"><v>{value!r}</v></c>'

    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    sheet = [
        f'<row r="{i}">'
        + "".join(cell(f"{letter}{i}", v) for letter, v in zip("ABCDEFGH", row, strict=True))
        + "</row>"
        for i, row in enumerate([tuple(HEADER), *rows], start=1)
    ]
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    types = {"workbook": "sheet.main", "worksheets/sheet1": "worksheet", "sharedStrings": "sharedStrings"}
    overrides = "".join(
        f'<Override PartName="/xl/{part}.xml" ContentType="{kind}.{word}+xml"/>' for part, word in types.items()
    )
    rels = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    shared = "".join(f"<si><t>{text}</t></si>" for text in texts)

    def relations(*targets: tuple[str, str]) -> str:
        each = (f'<Relationship Id="r{i}" Type="{office}/{k}" Target="{t}"/>' for i, (k, t) in enumerate(targets))
        return f'<Relationships xmlns="{package}/relationships">{"".join(each)}</Relationships>'

    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">{rels}{overrides}</Types>',
        "_rels/.rels": relations(("officeDocument", "xl/workbook.xml")),
        "xl/_rels/workbook.xml.rels": relations(
            ("worksheet", "worksheets/sheet1.xml"), ("sharedStrings", "sharedStrings.xml")
        ),
        "xl/workbook.xml": f'<workbook xmlns="{space}" xmlns:r="{office}"><sheets>'
        '<sheet name="sheet1" sheetId="1" r:id="r0"/></sheets></workbook>',
        "xl/sharedStrings.xml": f'<sst xmlns="{space}">{shared}</sst>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{space}"><sheetData>{"".join(sheet)}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)


def write(kind: str, rows: str, folder: str) -> int:
    """Write one file into a new folder; return its size in bytes."""
    path = Path(folder, f"FS_Combas.{kind}")
    path.parent.mkdir()
    (write_csv if kind == "csv" else write_xlsx)(path, firm_years(int(rows)))
    return path.stat().st_size


def one(reader: str, folder: str) -> dict[str, Any]:
    """Read the only file of a folder; return seconds, and memory before and at the peak."""
    import pandas as pd

    from pilotzones.readers.archives import files
    from pilotzones.readers.grids import grids

    def run() -> tuple[int, int]:
        if reader == "ours":
            found, findings = files(Path(folder))
            (grid,), more = grids(found[0])
            assert not findings + more, "findings about a clean file"
            return grid.cells.shape
        (path,) = Path(folder).iterdir()
        read = pd.read_csv(path) if path.suffix == ".csv" else pd.read_excel(path, engine="openpyxl")
        return len(read) + 1, read.shape[1]

    def peak(who: int) -> float:
        return resource.getrusage(who).ru_maxrss / 2**20

    def work() -> float:
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    before = peak(resource.RUSAGE_SELF)
    seconds: list[float] = []
    busy: list[float] = []
    while len(seconds) < REPEATS and sum(seconds) < 30:
        start, worked = time.perf_counter(), work()
        rows, columns = run()
        seconds.append(time.perf_counter() - start)
        busy.append(work() - worked)
    assert columns == len(HEADER)
    return {
        "rows": rows - 1,
        "seconds": median(seconds),
        "processor seconds": median(busy),
        "rows per processor second": (rows - 1) / median(busy),
        "GB": peak(resource.RUSAGE_SELF),
        "GB before": before,
        "GB of the parser": peak(resource.RUSAGE_CHILDREN),
    }


def alone(*task: str) -> Any:
    """Run a task of this file in a process of its own and return what it prints."""
    done = subprocess.run([sys.executable, __file__, *task], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"code {done.returncode}"}
    return json.loads(done.stdout.strip().splitlines()[-1])


def main(task: list[str]) -> None:
    """Run everything, or one task in this process."""
    if task:
        print(json.dumps(write(*task[1:]) if task[0] == "write" else one(*task)))
        return
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        for kind in ("csv", "xlsx"):
            for rows in (BESIDE, ROWS):
                folder = Path(scratch, f"{kind}{rows}")
                alone("write", kind, str(rows), str(folder))  # a process starts with the peak of the one that starts it
                ours = alone("ours", str(folder))
                results.append({"file": kind, "engine": "ours", **ours})
                print(f"{kind:<5} {'ours':<29} {_numbers(ours)}", flush=True)
                if rows == BESIDE:
                    peer = alone("pandas", str(folder))
                    if not {"failed"} & (ours.keys() | peer.keys()):
                        peer["ratio"] = peer["processor seconds"] / ours["processor seconds"]
                    results.append({"file": kind, "engine": PEERS[kind], **peer})
                    print(f"{kind:<5} {PEERS[kind]:<29} {_numbers(peer)}", flush=True)
    write_atomically(BUILD / "bench_readers.json", lambda path: path.write_text(json.dumps(results, indent=1) + "\n"))


def _numbers(found: dict[str, Any]) -> str:
    if "failed" in found:
        return f"fails: {found['failed'][:120]}"
    beside = f"  {found['ratio']:5.2f} x" if "ratio" in found else ""
    pace = f"{found['processor seconds']:7.2f} s of processor {found['rows per processor second']:>10,.0f} rows/s"
    memory = f"{found['GB']:5.2f} GB, parser {found['GB of the parser']:5.2f} GB"
    return f"{found['rows']:>9,} rows {found['seconds']:7.2f} s {pace}  {memory}{beside}"


if __name__ == "__main__":
    main(sys.argv[1:])
