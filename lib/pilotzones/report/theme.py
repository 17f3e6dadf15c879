"""One look for all figures: colour-blind-safe, byte-identical, with Chinese labels."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import seaborn as sns
from matplotlib import font_manager

# after Okabe and Ito, told apart under the common colour deficiencies; some are darker than theirs, so that every one
# has a contrast of 3 to 1 with white paper, dimmed or not, and with the dark mode's background
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#0072B2", "#C27E00", "#009E73", "#C2410C", "#C26A9C", "#666666"
PALE = "#8A8A8A"  # the faintest grey that still has that contrast with white
# eight colours are too many to tell apart: every batch has a shape of its own, too
BATCH_COLOURS = {1: "#440154", 2: RED, 3: ORANGE, 4: GREEN, 5: BLUE, 6: "#3E8FC4", 7: PURPLE, 8: "#8C6D31", 0: PALE}
MARKERS = ("o", "s", "^", "D", "v", "P")  # in the order of the colours, for those who do not tell these apart
BATCH_SHAPES = {1: "*", 2: "s", 3: "o", 4: "^", 5: "D", 6: "v", 7: "P", 8: "X", 0: "."}
FONT = Path(__file__).parent / "fonts" / "NotoSansSC-subset.otf"


def apply() -> None:
    """Set the theme for every figure drawn afterwards."""
    sns.set_theme(context="notebook", style="whitegrid", palette=[BLUE, ORANGE, GREEN, RED, PURPLE, GREY])
    font_manager.fontManager.addfont(FONT)
    mpl.rcParams.update(
        {
            "font.family": ["DejaVu Sans", font_manager.FontProperties(fname=FONT).get_name()],
            "svg.hashsalt": "pilotzones",  # otherwise every build draws new element ids
            "figure.dpi": 100,
            "savefig.bbox": None,
            "figure.constrained_layout.use": True,
            "axes.titlesize": "medium",
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
