"""The one way in which the law book says no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class NotAllowed(Exception):
    """An application, a person or a document that the law does not let pass.

    `code` is the stable word of API.md, `pointer` the JSON pointer of the field at fault ("" for the request
    as a whole), `status` 422 for what can never be granted as it stands and 409 for what the world as it is
    forbids; `extra` goes into the problem document as it is. Carries no name and no number, so that it may be logged.
    """

    def __init__(self, code: str, pointer: str = "", status: int = 422, extra: Mapping[str, Any] | None = None) -> None:
        """Say which rule refuses (`code`), where (`pointer`) and for how long (`status`)."""
        super().__init__(f"{code} at {pointer or '/'}")
        self.code = code
        self.pointer = pointer
        self.status = status
        self.extra = dict(extra or {})
