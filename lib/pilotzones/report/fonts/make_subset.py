"""Cut the font of the figures' Chinese labels out of Noto Sans CJK; see README.md."""

import string
import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

FAMILY = "Noto Sans SC Subset"  # a name of its own, so that an installed Noto Sans SC is never taken for it
POSTSCRIPT = "NotoSansSCSubset-Regular"
FONTS = Path(__file__).resolve().parent
ROOT = FONTS.parents[3]

texts = [*ROOT.glob("data/[fp]*/*.csv"), *ROOT.glob("lib/pilotzones/studies/*/study.py"), *ROOT.glob("book/**/*.md")]
latin = [*range(0xA0, 0x180), *range(0x391, 0x3CA), *range(0x2010, 0x2028), *range(0x3000, 0x3018)]
characters = string.printable + "".join(map(chr, latin)) + "−√∑≈≠≤≥←↑→↓（），：；？！％～〔〕￥"
characters += "".join(path.read_text(encoding="utf-8") for path in texts)

font = TTFont(sys.argv[1], fontNumber=2, recalcTimestamp=False)  # face 2 of the collection: Simplified Chinese
cutter = subset.Subsetter(subset.Options(layout_features=["kern", "mark"], name_IDs=[0, 1, 2, 3, 4, 5, 6, 7, 13, 14]))
cutter.populate(text=characters)
cutter.subset(font)

font["name"].names = [record for record in font["name"].names if record.langID == 0x409]
for name_id, value in {1: FAMILY, 3: f"2.004;{POSTSCRIPT}", 4: FAMILY, 6: POSTSCRIPT}.items():
    font["name"].setName(value, name_id, 3, 1, 0x409)
cff = font["CFF "].cff
cff.fontNames = [POSTSCRIPT]
cff.topDictIndex[0].FullName = cff.topDictIndex[0].FamilyName = FAMILY
font.save(FONTS / "NotoSansSC-subset.otf")
