"""How the desk says no."""

from __future__ import annotations

from typing import Any

from policies.refusals import NotAllowed


class Refused(Exception):
    """A command that the desk does not carry out; nothing was changed.

    `code` is the stable word of API.md and `status` its HTTP number; `pointer` names the field at fault, `extra`
    goes into the problem document as it is. Carries ids and codes, never a name or a number of a person.
    """

    def __init__(self, code: str, status: int = 409, pointer: str | None = None, **extra: Any) -> None:
        """Refuse with `code`; 409 where the world forbids it, 422 where it can never be granted as it stands."""
        super().__init__(code)
        self.code = code
        self.status = status
        self.pointer = pointer
        self.extra = extra


class Malformed(Refused):
    """What was sent does not have the shape that it must have; `errors` are `{pointer, code, allowed?}`."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        """Refuse with every fault found, so that all can be mended at once."""
        super().__init__("request_invalid", 422, errors=errors)


def by_law(no: NotAllowed, pointer: str | None = None) -> Refused:
    """The law's no as the desk says it; at `pointer`, where that is what was sent."""
    return Refused(no.code, no.status, no.pointer if pointer is None else pointer, **no.extra)


def not_found() -> Refused:
    """Outside the caller's scope, or nowhere: the same answer, without a hint."""
    return Refused("not_found", 404)


def undecided(fault: Exception | None) -> bool:
    """Whether nothing was decided, as others kept moving the case: what was said may be said again."""
    return isinstance(fault, Refused) and fault.code == "busy"


def out_of_turn(**instead: Any) -> Refused:
    """The move does not fit the moment; the desk tells what may be said `instead` (`views.public`)."""
    return Refused("action_not_available", **instead)
