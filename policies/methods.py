"""Which methods of naming the member are open: by his document, age and relationship (F10, F11, F22, F47)."""

from __future__ import annotations

from datetime import date

from policies.ages import age_group
from policies.pack import MethodRule, Pack
from policies.plan import AgeGroup
from policies.refusals import NotAllowed
from policies.words import Method


def method_rule(pack: Pack, method: str, id_type: str, born: date | None, day: date) -> MethodRule:
    """Return the rule of a method for a member with such a document.

    Raises `NotAllowed("method_not_allowed")`, with the `methods` that would fit: by his age too, where `born` is known.
    """
    if method not in pack.methods or id_type not in pack.method(method).id_types:
        raise _not_allowed(pack, id_type, born, day)
    return pack.method(method)


def group_under(pack: Pack, rule: MethodRule, id_type: str, born: date, day: date) -> AgeGroup:
    """Return the branch of the rule in which the member stands on `day`. Raises as `method_rule` does."""
    group = _branch(pack, rule, born, day)
    if group is None:  # a method for newborns alone takes no adults
        raise _not_allowed(pack, id_type, born, day)
    return group


def check_relation(rule: MethodRule, relationship: str) -> None:
    """Refuse a relationship that the method is not for: by a birth certificate no mother binds her husband (F22).

    Raises `NotAllowed("relation_not_allowed")`.
    """
    if rule.relations is not None and relationship not in rule.relations:
        raise NotAllowed("relation_not_allowed", "/relationship")


def _branch(pack: Pack, rule: MethodRule, born: date, day: date) -> AgeGroup | None:
    group: AgeGroup = age_group(pack.age.rule, born, day)
    if group == "minor" and "newborn" in rule.branches:
        group = "newborn"
    return group if group in rule.branches else None


def _not_allowed(pack: Pack, id_type: str, born: date | None, day: date) -> NotAllowed:
    fit: list[Method] = [
        name
        for name, rule in pack.methods.items()
        if id_type in rule.id_types and (born is None or _branch(pack, rule, born, day))
    ]
    return NotAllowed("method_not_allowed", "/method", extra={"methods": fit})
