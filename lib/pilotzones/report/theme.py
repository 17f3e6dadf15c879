"""One look for all figures: colour-blind-safe, byte-identical, with Chinese labels."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import seaborn as sns
from matplotlib import font_manager

# Okabe and Ito: distinguishable under the common colour deficiencies and in grey
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#666666"
BATCH_COLOURS = {
    1: "#440154",
    2: RED,
    3: ORANGE,
    4: GREEN,
    5: BLUE,
    6: "#56B4E9",
    7: PURPLE,
    8: "#8C6D31",
    0: "#BBBBBB",
}
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
