"""The two languages in which everything is said to people: Chinese first, English beside it."""

from __future__ import annotations

from typing import Literal

Language = Literal["zh", "en"]
Words = tuple[str, str]  # Chinese, English
