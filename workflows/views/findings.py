"""What the checks have found out about a case so far, one line each, for those who decide by them.

A finding has a `name`, whether it is `good`, `open`, `watch` (worth a second look) or `none` (not asked), and the
`facts` that the door's words are filled with. No name, no number.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from policies.ages import age_on
from policies.calendar import shanghai_day
from policies.people import parse_identity
from policies.refusals import NotAllowed
from policies.regions import place_name
from workflows.case import FINAL, Case

_SAME_AGE = 14  # fewer years than this between parent and child are odd
_DESCENT = {"CHILD": 1, "PARENT": -1, "GRANDCHILD": 1, "GRANDPARENT": -1}  # 1: the member is the younger


def of(case: Case, now: datetime) -> list[dict[str, Any]]:
    """All findings of a case, in the order in which a reviewer asks for them."""
    return [_materials(case), _registries(case), _faces(case), *_people(case, now), _regions(case)]


def _finding(name: str, found: str, **facts: Any) -> dict[str, Any]:
    return {"name": name, "found": found, "facts": facts}


def _materials(case: Case) -> dict[str, Any]:
    groups, missing = len(case.plan.materials), len(case.missing)
    if not groups:
        return _finding("materials", "none")
    return _finding("materials", "open" if missing else "good", met=groups - missing, of=groups)


def _registries(case: Case) -> dict[str, Any]:
    if case.progress.objection is not None:
        if case.progress.registry_by_hand:
            return _finding("registries_overruled", "watch")
        ended = case.state in FINAL
        return _finding("registries_refused", "watch") if ended else _finding("registries_object", "open")
    if case.progress.registry_by_hand:
        return _finding("registries_by_hand", "watch")
    return _finding("registries", "good" if case.progress.registry_answered else "open")


def _faces(case: Case) -> dict[str, Any]:
    subjects, passed = case.subjects, case.progress.passed
    if not subjects:
        return _finding("faces", "none")
    if case.progress.counter_decided:
        return _finding("faces_at_counter", "good", how=case.progress.checked_how)
    done = sum(who in passed for who in subjects)
    return _finding("faces", "good" if done == len(subjects) else "open", passed=done, of=len(subjects))


def _people(case: Case, now: datetime) -> list[dict[str, Any]]:
    """Ages and sexes by the ID numbers, compared with the relationship that was stated."""
    today, parties, said = shanghai_day(now), case.application.parties, case.application.relationship
    born = {role: _born(parties[role]) for role in ("holder", "member")}
    found = []
    holder, member = born["holder"], born["member"]
    if holder and member:
        ages = {
            f"{role}_age": age_on(case.plan.age, day, today) for role, day in (("holder", holder), ("member", member))
        }
        found.append(_finding("ages", "watch" if _odd(said, holder, member) else "good", **ages))
    sexes = [_sex(parties[role], today) for role in ("holder", "member")]
    if said == "SPOUSE" and sexes[0] is not None and sexes[0] == sexes[1]:
        found.append(_finding("spouses_of_one_sex", "watch"))
    return found


def _odd(said: str, holder: date, member: date) -> bool:
    """Whether the years between the two are too few for parent and child, or the wrong way round."""
    way = _DESCENT.get(said)
    return way is not None and (member - holder).days * way < _SAME_AGE * 365


def _born(party: dict[str, Any]) -> date | None:
    return date.fromisoformat(party["birth_date"]) if party.get("birth_date") else None


def _sex(party: dict[str, Any], today: date) -> str | None:
    try:
        return parse_identity(party["id_type"], party["id_number"] or "", _born(party), today).sex
    except NotAllowed:
        return None


def _regions(case: Case) -> dict[str, Any]:
    holder, member = (case.application.parties[role]["insured_region"] for role in ("holder", "member"))
    same = holder[:4] == member[:4]
    return _finding("regions", "good" if same else "watch", holder=place_name(holder), member=place_name(member))
