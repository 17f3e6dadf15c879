"""Sphinx search in English and Chinese: English words are stemmed, runs of Chinese are cut into pairs of characters.

Chinese text has no spaces, so a word is found by the overlapping pairs it consists of: 电商平台 is indexed as
电商, 商平 and 平台, and a query is cut the same way in the browser. Single characters are indexed too.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.search import languages
from sphinx.search.en import SearchEnglish

_CHINESE = re.compile(r"([\u3400-\u4dbf\u4e00-\u9fff]+)")


class SearchEnglishChinese(SearchEnglish):
    """English search that finds Chinese words as well."""

    lang = "en-zh"
    language_name = "English and Chinese"
    js_splitter_code = r"""
var splitQuery = (query) => query
  .split(/[^\p{Letter}\p{Number}_\p{Emoji_Presentation}]+/gu)
  .flatMap((word) => word.split(/([\u3400-\u4dbf\u4e00-\u9fff]+)/u))
  .filter((part) => part)
  .flatMap((part) => /^[\u3400-\u4dbf\u4e00-\u9fff]{3,}$/u.test(part)
    ? Array.from({length: part.length - 1}, (_, i) => part.slice(i, i + 2))
    : [part]);
"""

    def split(self, input: str) -> list[str]:
        """Return the words of a text as they go into the index."""
        parts = (part for word in super().split(input) for part in _CHINESE.split(word) if part)
        return [term for part in parts for term in (_terms(part) if _CHINESE.fullmatch(part) else [part])]

    def word_filter(self, word: str) -> bool:
        """Return whether a word goes into the index; English drops what is shorter than three letters."""
        return bool(_CHINESE.fullmatch(word)) or super().word_filter(word)


def _terms(chinese: str) -> list[str]:
    return [*chinese, *(chinese[i : i + 2] for i in range(len(chinese) - 1))]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the language; ``html_search_language: en-zh`` selects it."""
    languages["en-zh"] = SearchEnglishChinese
    return {"parallel_read_safe": True, "parallel_write_safe": True}
