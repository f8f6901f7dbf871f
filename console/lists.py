"""A list, page by page: how long a page is, and what its address may ask for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from workflows.views.cursors import MOST

PAGE = 50  # rows
Behind = Annotated[str | None, Query(max_length=MOST)]  # the cursor behind which it goes on
Word = Annotated[str, Query(max_length=200)]
Narrow = Annotated[str, Query(max_length=40)]
