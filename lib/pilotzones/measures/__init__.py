"""Indices computed from records; each module knows its formula and no study."""
