"""What the environment says."""

from __future__ import annotations

import os

PRODUCTION = "production"


class SettingWrong(ValueError):
    """A setting says what it cannot say; the message names it, and what may stand there."""


def given(name: str) -> str | None:
    """A setting, without the white space that comes along where a Secret is made with `echo`; an empty one is none."""
    return os.environ.get(name, "").strip() or None


def in_production() -> bool:
    """Whether `KINBIND_ENV` says so. Raises `SettingWrong`."""
    return _one_of("KINBIND_ENV", PRODUCTION) == PRODUCTION


def sandbox() -> bool:
    """Whether this process runs in the sandbox, which is never for production. Raises `SettingWrong`."""
    on, production = _one_of("KINBIND_SANDBOX", "0", "1") == "1", in_production()
    if on and production:
        raise SettingWrong("the sandbox is never for production: KINBIND_SANDBOX=1 and KINBIND_ENV=production are set")
    return on


def _one_of(name: str, *words: str) -> str | None:
    """A switch's word: one that nobody knows is refused, for misspelt it would switch nothing, and not say so."""
    word = given(name)
    if word not in (None, *words):
        raise SettingWrong(f"{name} is {' or '.join(words)}, or is not set; it says something else")
    return word
