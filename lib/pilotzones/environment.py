"""``environment.yml`` from ``requirements.lock``: the same pins without hashes, for conda and Binder."""

from __future__ import annotations

import re

from pilotzones.io import write_atomically
from pilotzones.paths import ROOT

_HEAD = """\
# Generated from requirements.lock by `make lock`; do not edit.
name: pilotzones
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def environment() -> str:
    """Return the text of ``environment.yml``."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = re.findall(r"^([a-z0-9][^\\\n]*?)\s*\\?$", lock, flags=re.MULTILINE)
    # a marker may hold both kinds of quotes; YAML doubles the single ones
    lines = [f"      - '{pin.replace(chr(39), chr(39) * 2)}'\n" for pin in [*pins, "-e ."]]
    return _HEAD + "".join(lines)


if __name__ == "__main__":
    write_atomically(ROOT / "environment.yml", lambda path: path.write_text(environment(), encoding="utf-8"))
