"""The dry run of a repair: its command decided on a copy of the case, and the difference that it would make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from policies.calendar import Due
from policies.compare import differences
from workflows import engine
from workflows.case import Case
from workflows.commands import Command
from workflows.deadlines import DEADLINES_BY_NAME, armed
from workflows.repairs.verbs import Looked
from workflows.writing import instant

Change = dict[str, Any]
NOTHING = "no difference but the line"


@dataclass(frozen=True, slots=True)
class Tried:
    """A case after a command that nobody has carried out, the events it would write, and the rows it would rearm."""

    case: Case
    events: list[str]
    rearmed: list[str]


def tried(looked: Looked, command: Command) -> Tried:
    """Decide a command without carrying it out. Raises `Refused` as the desk would."""
    cursor = engine.tried(looked.case, looked.now, command.said, command.actor, command.facts)
    rearmed = [row["name"] for row in cursor.changes.get("armed", [])]
    return Tried(cursor.case, [line.event for line in cursor.lines], rearmed)


def change(looked: Looked, after: Tried, *, aligned: bool) -> Change:
    """What would be different: state, plan, agency, deadlines (from what the table has); and the events.

    `aligned`: the verb brings every row of the table in line with what is derived.
    """
    case, then = looked.case, after.case
    found: Change = {"events": after.events}
    if case.state != then.state:
        found["state"] = [case.state, then.state]
    if case.plan.hash != then.plan.hash:
        found["policy"] = [f"{plan.pack} {plan.version}" for plan in (case.plan, then.plan)]
        found["plan"] = [{"part": one.part, "old": one.old, "new": one.new}
                         for one in differences(case.plan, then.plan)]  # fmt: skip
    if case.review_agency != then.review_agency or case.counter_agency != then.counter_agency:
        found["agency"] = [case.counter_agency if then.progress.offline else case.review_agency,
                           then.counter_agency if then.progress.offline else then.review_agency]  # fmt: skip
    if deadlines := _deadlines(looked, after, aligned=aligned):
        found["deadlines"] = deadlines
    return found


def _deadlines(looked: Looked, after: Tried, *, aligned: bool) -> dict[str, list[str | None]]:
    """By name, when due before and after. Before is as the table says, which may be what is wrong; None: not armed."""
    rows, before, then = looked.deadlines, _armed(looked.case), armed(after.case)
    found: dict[str, list[str | None]] = {}
    for name in sorted(rows.keys() | before.keys() | then.keys()):
        old, parked = rows.get(name, (None, None))
        new = then[name].at if name in then else None
        # the hands have moved a watch on: it differs from what is derived, and stays
        runs_on = name in rows and name in then and DEADLINES_BY_NAME[name].watch
        wrong = parked is not None or (old != new and not runs_on)
        if (aligned and wrong) or name in after.rearmed or (before.get(name) != then.get(name) and wrong):
            found[name] = [instant(old) if old else None, instant(new) if new else None]
    return found


def _armed(case: Case) -> dict[str, Due]:
    try:
        return armed(case)
    except KeyError:  # the plan lacks a length: this is what `replan` mends
        return {}


def summary(found: Change) -> str:
    """The difference in one line, the same for all bindings to which the same would happen."""
    parts = [f"{name} {found[name][0]} → {found[name][1]}" for name in ("state", "policy", "agency") if name in found]
    moved = [f"{name} {_how(*ends)}" for name, ends in found.get("deadlines", {}).items()]
    return "; ".join((*parts, *moved)) or NOTHING


def _how(old: str | None, new: str | None) -> str:
    if old is None:
        return "armed"
    if new is None:
        return "disarmed"
    return "later" if new > old else "earlier" if new < old else "unparked"
