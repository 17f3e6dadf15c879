"""Damage valid files of every format and let the readers loose on them: ``python tests/fuzz_readers.py --cases 10000``.

Each case is made from its number alone. A reader may refuse a file or read what is left of it; it may not raise, and it
may not lose a file without a word. ``--layouts`` takes the grids through the layouts as well.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from pathlib import Path, PurePosixPath

import openpyxl
import pandas as pd
import statsmodels

from pilotzones.readers.archives import files
from pilotzones.readers.grids import grids, is_sidecar
from pilotzones.readers.tables import Finding, Grid

ROWS = [
    ["Stkcd", "ShortName", "Accper", "A001000000"],
    ["证券代码", "证券简称", "统计截止日期", "资产总计"],
    ["没有单位", "没有单位", "没有单位", "元"],
    *(
        [f"{code:06d}", "深发展A", f"{year}-12-31", f"{code * year / 7:.4f}"]
        for code in (1, 2, 600000)
        for year in (2011, 2012)
    ),
]
XLS = "tsa/statespace/tests/results/frbny_nowcast/Nowcasting/test_spec.xls"  # a real workbook of Excel 97-2003
SEVERITIES = {"error", "warning", "note"}


def packed(members: dict[str, bytes]) -> bytes:
    """Return a zip archive."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def members(content: bytes) -> dict[str, bytes]:
    """Return the members of a zip archive."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def samples() -> dict[str, bytes]:
    """Return valid files of every format that is read."""
    text = "\n".join(",".join(row) for row in ROWS)
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    for row in ROWS:
        sheet.append(row)
    for row, number in enumerate((1.5, "=D4*2", "=1/0", True), start=4):
        sheet.cell(row, 5, number)
    workbook.create_sheet("全市").append(["城市", "地区生产总值（万元）"])
    saved = BytesIO()
    workbook.save(saved)
    urn = "urn:oasis:names:tc:opendocument:xmlns"
    cell = "<table:table-cell office:value-type"
    ods = (
        f'<office:document-content xmlns:office="{urn}:office:1.0" xmlns:table="{urn}:table:1.0"'
        f' xmlns:text="{urn}:text:1.0"><office:body><office:spreadsheet><table:table table:name="a"><table:table-row>'
        f'{cell}="string"><text:p>城市</text:p></table:table-cell>{cell}="float" office:value="1.5"/>'
        "</table:table-row></table:table></office:spreadsheet></office:body></office:document-content>"
    )
    frame = pd.DataFrame(
        {"stkcd": [1.0, 2.0, None], "name": ["甲", "乙", ""], "day": pd.to_datetime(["2011-12-31"] * 3)}
    )
    stata = {}
    for version in (114, 117, 118):
        out = BytesIO()
        columns = frame if version == 118 else frame.assign(name=["a", "b", ""])
        labels = {"stkcd": "证券代码"} if version == 118 else {"stkcd": "code"}
        columns.to_stata(
            out,
            write_index=False,
            version=version,
            variable_labels=labels,
            convert_dates={"day": "td"},
            time_stamp=datetime(2020, 1, 1),  # a case is to be the same in every run
        )
        stata[f"{version}.dta"] = out.getvalue()
    found = {
        "utf8.csv": text.encode("utf-8-sig"),
        "gb.csv": text.replace(",", ";").encode("gb18030"),
        "quoted.csv": "\r\n".join('"' + '","'.join(row) + '"' for row in ROWS).encode(),
        "tabs.txt": text.replace(",", "\t").encode("utf-16"),
        "a[DES][csv].txt": "Stkcd [证券代码] - 说明\r\nAccper [统计截止日期] - YYYY-MM-DD".encode("utf-8-sig"),
        "a.xlsx": packed({k: v for k, v in members(saved.getvalue()).items() if k != "docProps/core.xml"}),
        "a.xls": (Path(statsmodels.__file__).parent / XLS).read_bytes(),
        "a.ods": packed(
            {
                "mimetype": b"application/vnd.oasis.opendocument.spreadsheet",
                "META-INF/manifest.xml": f'<m:manifest xmlns:m="{urn}:manifest:1.0"></m:manifest>'.encode(),
                "content.xml": ods.encode(),
            }
        ),
        **stata,
    }
    inner = packed({"甲.csv": found["utf8.csv"], "b.dta": found["118.dta"]})
    return found | {"a.zip": packed({"资产/a.csv": found["gb.csv"], "a.xlsx": found["a.xlsx"], "b.zip": inner})}


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Return ``content`` with one kind of damage."""
    data = bytearray(content)

    def flip() -> None:
        for _ in range(draw.choice((1, 3, 20))):
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)

    def cut() -> None:
        del data[draw.randrange(len(data)) :]

    def drop() -> None:
        start = draw.randrange(len(data))
        del data[start : start + draw.randrange(1, 200)]

    def repeat() -> None:
        start = draw.randrange(len(data))
        data[start:start] = data[start : start + 300] * draw.randrange(1, 20)

    def insert() -> None:
        words = "".join(draw.choices("\",;|\t\r\n\0=<>&'a0９中 \u3000\u2028", k=draw.randrange(1, 60)))
        start = draw.randrange(len(data))
        data[start:start] = words.encode(draw.choice(("utf-8", "gb18030", "utf-16")), "replace")

    def noise() -> None:
        start = draw.randrange(len(data))
        data[start : start + 64] = draw.randbytes(64)

    def extreme() -> None:
        start = draw.randrange(len(data))
        data[start : start + 4] = draw.choice((b"\xff" * 4, b"\0" * 4, b"\xff\xff\xff\x7f", b"9999"))

    damages: list[Callable[[], None]] = [flip, cut, drop, repeat, insert, noise, extreme]
    draw.choice(damages)()
    return bytes(data)


def case(number: int, valid: dict[str, bytes]) -> tuple[str, bytes]:
    """Return name and content of one damaged file; half of those packed as zip are damaged inside and packed again."""
    draw = random.Random(number)
    name = draw.choice(sorted(valid))
    content = valid[name]
    for _ in range(draw.choice((1, 1, 2, 4))):
        if not content:
            break
        if content.startswith(b"PK") and draw.random() < 0.5:
            try:
                parts = members(content)
                part = draw.choice([key for key in sorted(parts) if parts[key]])
                content = packed(parts | {part: damaged(parts[part], draw)})
                continue
            except Exception:  # damaged before: as bytes, then
                pass
        content = damaged(content, draw)
    if draw.random() < 0.1:  # a wrong name
        name = "a" + draw.choice([".csv", ".txt", ".xls", ".xlsx", ".xlsb", ".ods", ".dta", ".zip"])
    return name, content


def check_grid(grid: Grid) -> None:
    """Fail unless a grid is what its type says."""
    cells = grid.cells
    assert list(cells.columns) == list(range(cells.shape[1])), "columns are not 0, 1, ..."
    assert cells.index.is_monotonic_increasing and cells.index.is_unique and cells.index[0] >= 1, (
        "rows are not of the file"
    )
    for column in cells:
        kinds = set(map(type, cells[column].dropna()))
        assert kinds <= {str, float}, f"cells of type {kinds}"
    assert not (cells == "").any(axis=None), "empty text that is not missing"
    assert cells.iloc[-1].notna().any() and cells.iloc[:, -1].notna().any(), "empty rows or columns at the end"


def run(name: str, content: bytes, folder: Path, *, layouts: bool = False) -> list[Finding]:
    """Read one file from an empty folder; fail if it vanishes without a word."""
    path = folder / name
    path.write_bytes(content)
    try:
        found, findings = files(folder)
        for file in found:
            read, more = grids(file)
            assert read or more or is_sidecar(file.name), f"nothing said about {file.name}"
            findings += more
            for grid in read:
                check_grid(grid)
                if layouts:
                    from pilotzones.readers.layouts import tables

                    findings += tables(grid)[1]
        assert found or findings or content[-22:-18] == b"PK\5\6", "nothing said"
        for finding in findings:
            assert finding.severity in SEVERITIES and finding.message and str(finding).encode()
            assert finding.severity == "note" or finding.advice, f"no advice: {finding}"
        return findings
    finally:
        path.unlink()


def main() -> None:
    """Run many cases and report what they came to; exit with 1 if any of them raised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--layouts", action="store_true", help="take the grids through the layouts too")
    options = parser.parse_args()
    valid = samples()
    outcomes: Counter[tuple[str, str]] = Counter()
    failed, slowest = [], (0.0, -1)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.first, options.first + options.cases):
            name, content = case(number, valid)
            start = time.perf_counter()
            try:
                findings = run(name, content, Path(folder), layouts=options.layouts)
            except Exception:
                failed.append(number)
                print(f"case {number}, {name}\n{traceback.format_exc()}", flush=True)
                continue
            slowest = max(slowest, (time.perf_counter() - start, number))
            outcome = "refused in part or whole" if any(f.severity == "error" for f in findings) else "read"
            outcomes[PurePosixPath(name).suffix, outcome] += 1
    for (suffix, outcome), count in sorted(outcomes.items()):
        print(f"{suffix:<6} {outcome:<24} {count:6,}")
    memory = [resource.getrusage(who).ru_maxrss / 2**20 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(f"{options.cases:,} cases, {len(failed)} failed {failed[:20]}")
    print(f"slowest {slowest[0]:.2f} s (case {slowest[1]})")
    print(f"peak memory {memory[0]:.2f} GB, of the parser of workbooks {memory[1]:.2f} GB")
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
