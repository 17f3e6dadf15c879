"""Where things are, seen from the project root; nothing depends on the current directory."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FACTS = ROOT / "data" / "facts"
PUBLISHED = ROOT / "data" / "published"
CALIBRATION = ROOT / "data" / "calibration"
PANELS = ROOT / "data" / "panels"
POLICY_TEXTS = ROOT / "data" / "policy_texts"
RAW = ROOT / "data" / "raw"
NOTEBOOKS = ROOT / "notebooks"
PAGES = ROOT / "book" / "studies"
ACROSS = ROOT / "book" / "across"  # pages about all studies
BUILD = ROOT / "_build"
