"""What no text that is kept may hold, whichever door it came through."""

from __future__ import annotations

import re

from policies.people import is_citizens_number, normalise_name

# Control characters but tabs and ends of lines, half a character, and a mark that only says how bytes are ordered.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")

_BETWEEN_DIGITS = re.compile(r"(?<=\d)[ .-](?=\d)")  # as such numbers are written to be read
_LONG_NUMBER = re.compile(r"\d{11}")
_EIGHTEEN = re.compile(r"(?=(\d{17}[\dXx]))")  # wherever such a number may begin


def unfit(text: str) -> bool:
    """Whether a text holds a character that no text of ours may hold."""
    return _UNFIT.search(text) is not None


def is_blank(text: str) -> bool:
    """Whether nothing can be seen of a text: only spaces and invisible characters."""
    return not normalise_name(text)


def names_somebody(text: str) -> bool:
    """Whether a text that others will read holds what may be a document's number or a telephone's."""
    return _LONG_NUMBER.search(_joined(text)) is not None


def holds_citizens_number(text: str) -> bool:
    """Whether a text holds a citizen's whole number; an order's or a case file's hardly ever looks like one."""
    return any(is_citizens_number(number) for number in _EIGHTEEN.findall(_joined(text)))


def _joined(text: str) -> str:
    return _BETWEEN_DIGITS.sub("", normalise_name(text))
