"""The files below a folder and the members of its zip archives, named and bounded before anything is read."""

from __future__ import annotations

import os
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from itertools import pairwise
from pathlib import Path, PurePosixPath

from pilotzones.errors import DataError
from pilotzones.readers.tables import Finding

READ = {".csv", ".txt", ".tsv", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".dta"}
PACKED = {".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"}
NOT_DATA = {"readme.md", "mapping.toml", "desktop.ini", "thumbs.db", "__macosx"}
MEMBERS = 1_000
MEMBER_BYTES = 2 * 2**30
ARCHIVE_BYTES = 8 * 2**30
RATIO = 200  # uncompressed to compressed; text of real exports stays below 50
RATIO_FROM = 10 * 2**20  # small members may be as repetitive as they like
PIECE = 2**20  # asked for as a whole, a member is inflated beyond the size that its entry claims
UNPACK = "unpack it with a program that you trust, and put the files themselves into the folder"


@dataclass(frozen=True)
class File:
    """One file to read.

    Parameters
    ----------
    name : below the folder, with ``/``; a member of an archive as ``archive.zip/member.xlsx``.
    size : bytes, uncompressed, as the folder or the archive says.
    read : gives the content; raises :class:`~pilotzones.errors.DataError` if it cannot be had or is damaged.
    """

    name: str
    size: int
    read: Callable[[], bytes] = field(repr=False, compare=False)

    @property
    def suffix(self) -> str:
        """The ending of the name in lower case, e.g. ``.xlsx``."""
        return PurePosixPath(self.name).suffix.lower()


def files(folder: Path) -> tuple[list[File], list[Finding]]:
    """Return what can be read below ``folder``: files of known endings, and those inside zip archives.

    Hidden files, lock files of office programs (``~$...``), ``README.md`` and ``mapping.toml`` are passed over in
    silence. Nothing is unpacked to disk, and the content of a member is read only when it is asked for.

    Parameters
    ----------
    folder : e.g. ``data/raw/innovation``; may be a symbolic link itself.

    Returns
    -------
    Files sorted by name, and findings: an error for what is refused (archives that climb out of their folder, encrypt,
    overlap or blow up; links that leave the folder; other archive formats), notes for what is passed over.
    """
    root = folder.resolve()
    found: list[File] = []
    findings: list[Finding] = []
    if not root.is_dir():
        return [], [Finding("error", "the folder does not exist", "create it and put the files there", str(folder))]

    def closed(error: OSError) -> None:
        shown = _decoded(os.fsencode(os.path.relpath(error.filename, root)))
        findings.append(Finding("error", f"a folder that cannot be read: {error.strerror}", "open it to you", shown))

    for parent, folders, names in os.walk(root, onerror=closed):
        folders[:] = sorted(name for name in folders if not _is_passed_over(name))
        for name in [*folders, *names]:
            path = Path(parent, name)
            shown = _decoded(os.fsencode(path.relative_to(root).as_posix()))
            if _is_passed_over(name):
                continue
            if path.is_symlink() and (finding := _refused_link(path, root, shown)):
                findings.append(finding)
            elif name in folders:
                continue
            elif not path.is_file():
                findings.append(Finding("note", "not read: no ordinary file", file=shown))
            elif path.suffix.lower() == ".zip":
                members, problems = _opened(shown, path)
                found += members
                findings += problems
            elif path.suffix.lower() in READ:
                found.append(File(shown, path.stat().st_size, partial(_content, path, shown)))
            else:
                findings.append(_not_read(shown))
    pdf = sorted(f.file for f in findings if f.file.lower().endswith(".pdf") and f.severity == "note")
    findings = [f for f in findings if f.file not in pdf[1:]]  # every download brings its copyright notice
    return sorted(found, key=lambda file: file.name), sorted(findings, key=lambda f: (f.file, f.message))


def check_workbook(name: str, content: bytes) -> Finding | None:
    """Return why a workbook that is a zip inside (.xlsx, .xlsm, .xlsb, .ods) must not be unpacked, if it must not.

    Parameters
    ----------
    name : for the finding.
    content : of the whole file; anything that is no zip passes, it is for its reader to judge.

    Returns
    -------
    An error for damage, encryption, overlaps or sizes beyond the limits of :func:`files`; None when it may be read.
    """
    if not content.startswith(b"PK"):
        return None
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            problem = _refused_archive(archive.infolist())
            problem = problem or next(filter(None, map(_refused_size, archive.infolist())), None)
    except Exception as error:
        problem = f"damaged ({error})"
    if problem is None:
        return None
    return Finding(
        "error", f"refused: {problem}", "open it in the program that made it and save it anew as .xlsx", name
    )


def _is_passed_over(name: str) -> bool:
    return (name.startswith((".", "~$")) and name not in (".", "..")) or name.lower() in NOT_DATA


def _not_read(name: str) -> Finding:
    if (suffix := PurePosixPath(name).suffix.lower()) in PACKED:
        return Finding("error", f"an archive of type {suffix} is not read", UNPACK, name)
    return Finding("note", f"not read: no file of a known type ({', '.join(sorted(READ | {'.zip'}))})", file=name)


def _refused_link(path: Path, root: Path, name: str) -> Finding | None:
    """Return why a link is not followed; None for one to a file of the folder."""
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        return Finding("error", "a symbolic link that leads nowhere", "remove it", name)
    if not target.is_relative_to(root):
        return Finding("error", "a symbolic link that leaves the folder", "put the file itself there", name)
    return Finding("note", "not read: a link to a folder that is read anyway", file=name) if target.is_dir() else None


def _content(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror}); see that it is there and open to you") from None


def _decoded(name: bytes) -> str:
    """Return a file name of unknown encoding: UTF-8 if that gives Chinese or plain names, else GB18030."""
    for encoding in ("utf-8", "gb18030"):
        try:
            text = name.decode(encoding)
        except UnicodeDecodeError:
            continue
        # a short GB18030 name can be valid UTF-8 by chance, and then reads as Greek or Arabic
        if encoding == "gb18030" or text.isascii() or re.search("[\u3000-\u9fff\uff00-\uffef]", text):
            return unicodedata.normalize("NFC", text)
    return unicodedata.normalize("NFC", name.decode("utf-8", "replace"))


def _opened(name: str, path: Path) -> tuple[list[File], list[Finding]]:
    """Return the members of the archive at ``path``, or the one finding that refuses it whole."""
    try:
        with zipfile.ZipFile(path) as archive:
            members, findings = _members(name, archive, partial(_read, path), nested=False)
    except Exception as error:  # whatever a damaged directory makes the library say
        return [], [Finding("error", f"a damaged archive ({error})", "download it again", name)]
    if len(members) > MEMBERS or sum(member.size for member in members) > ARCHIVE_BYTES:
        message = f"refused: with the archives inside, more than {MEMBERS:,} members or {_size(ARCHIVE_BYTES)}"
        return [], [Finding("error", message, UNPACK, name)]
    return members, findings


def _read(archive: Path | File, info: zipfile.ZipInfo) -> bytes:
    """Read one member, in pieces: the library stops at the size that the directory claims, and compares checksums."""
    source = archive if isinstance(archive, Path) else BytesIO(archive.read())
    with zipfile.ZipFile(source) as opened, opened.open(info) as member:
        return b"".join(iter(partial(member.read, PIECE), b""))


def _members(
    name: str, archive: zipfile.ZipFile, read: Callable[[zipfile.ZipInfo], bytes], *, nested: bool
) -> tuple[list[File], list[Finding]]:
    """Return the files of ``archive`` by its directory; ``read`` must work after ``archive`` is closed."""
    infos = [info for info in archive.infolist() if not info.filename.endswith(("/", "\\"))]
    if problem := _refused_archive(archive.infolist()):
        return [], [Finding("error", f"refused: {problem}", UNPACK, name)]
    found: list[File] = []
    findings: list[Finding] = []
    seen: set[str] = set()
    for info in infos:
        # without the flag for UTF-8 the library reads code page 437, which maps every byte: undone here
        raw = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437", "replace")
        inside = _decoded(raw).replace("\\", "/")
        parts = inside.split("/")
        if any(_is_passed_over(part) for part in parts):
            continue
        file = File(f"{name}/{inside}", info.file_size, partial(_unpacked, read, info, f"{name}/{inside}"))
        problem = None
        if ".." in parts or inside.startswith("/") or re.match("[A-Za-z]:", inside) or "\0" in inside:
            problem = "refused: its name points outside the archive"
        elif info.flag_bits & 1:
            problem = "refused: encrypted"
        elif inside in seen:
            problem = "refused: a second member of this name"
        elif size := _refused_size(info):
            problem = f"refused: {size}"
        seen.add(inside)
        if problem:
            findings.append(Finding("error", problem, UNPACK, file.name))
        elif file.suffix == ".zip" and nested:
            findings.append(Finding("error", "an archive in an archive in an archive is not read", UNPACK, file.name))
        elif file.suffix == ".zip":
            try:
                with zipfile.ZipFile(BytesIO(file.read())) as inner:
                    members, problems = _members(file.name, inner, partial(_read, file), nested=True)
                found += members
                findings += problems
            except Exception as error:
                findings.append(Finding("error", f"a damaged archive ({error})", "download it again", file.name))
        elif file.suffix in READ:
            found.append(file)
        else:
            findings.append(_not_read(file.name))
    return found, findings


def _unpacked(read: Callable[[zipfile.ZipInfo], bytes], info: zipfile.ZipInfo, name: str) -> bytes:
    """Read a member, or say in one sentence why it cannot be had."""
    try:
        return read(info)
    except DataError:
        raise
    except Exception as error:  # whatever damaged bytes make the library say
        raise DataError(f"{name}: damaged in its archive ({error}); download it again") from None


def _refused_archive(infos: Iterable[zipfile.ZipInfo]) -> str | None:
    """Why an archive is not opened at all, by its directory."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    if len(ordered) > MEMBERS:
        return f"{len(ordered):,} members, more than {MEMBERS:,}"
    if (total := sum(info.file_size for info in ordered)) > ARCHIVE_BYTES:
        return f"{_size(total)} when unpacked, more than {_size(ARCHIVE_BYTES)}"
    for info, following in pairwise(ordered):
        if info.header_offset + 30 + info.compress_size > following.header_offset:
            return "members that overlap"
    return None


def _refused_size(info: zipfile.ZipInfo) -> str | None:
    """Why a member is not unpacked, by its directory entry."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "packed by a method that is not read"
    if info.file_size > MEMBER_BYTES:
        return f"{_size(info.file_size)} when unpacked, more than {_size(MEMBER_BYTES)}"
    if info.file_size > RATIO_FROM and info.file_size > RATIO * info.compress_size:
        return f"{_size(info.file_size)} packed into {info.compress_size:,} bytes, more than {RATIO} to 1"
    return None


def _size(number: int) -> str:
    return f"{number / 2**30:,.1f} GB" if number > 2**30 else f"{number / 2**20:,.1f} MB"
