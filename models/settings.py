"""What the environment says."""

from __future__ import annotations

import os


def given(name: str) -> str | None:
    """A setting, without the white space that comes along where a Secret is made with `echo`; an empty one is none."""
    return os.environ.get(name, "").strip() or None
