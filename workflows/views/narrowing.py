"""A `Part` of the ledger as SQL: the grants, a region, a product, a channel, asked of the application."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import TextClause

from workflows.access.principals import EVERYWHERE
from workflows.access.scopes import patterns
from workflows.case import region_prefix

_PART = """and exists (select from applications a where a.binding_id = {}
  and a.region like any(:granted) and a.region like :region
  and (cast(:product as text) is null or a.product = :product)
  and (cast(:channel_asked as text) is null or a.channel = :channel_asked))"""


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of the ledger: within the grants, a region, a product, a channel."""

    granted: Collection[str]
    region: str | None = None
    product: str | None = None
    channel: str | None = None


EVERYTHING = Part((EVERYWHERE,))


class Place(NamedTuple):
    """Where an application belongs."""

    region: str
    product: str
    channel: str


def whole(part: Part) -> bool:
    """Whether nothing is left out: everything is granted, and no condition is asked."""
    return EVERYWHERE in part.granted and not (part.region or part.product or part.channel)


def narrowed(part: Part, column: str) -> str:
    """The condition on a binding's id; empty where everything is asked for, so that no application is read."""
    return "" if whole(part) else _PART.format(column)


def within(part: Part) -> Callable[[Place], bool]:
    """A test whether a place belongs to the part: as `narrowed`, but for what has been read already."""
    granted = tuple(map(region_prefix, part.granted))
    asked = region_prefix(part.region) if part.region else ""

    def of_it(place: Place) -> bool:
        return (
            place.region.startswith(granted)
            and place.region.startswith(asked)
            and part.product in {None, place.product}
            and part.channel in {None, place.channel}
        )

    return of_it


def asked_of(part: Part, query: TextClause, **more: Any) -> dict[str, Any]:
    """The parameters that this query asks for: those of the part, and `more`."""
    told = more | {
        "granted": patterns(part.granted), "region": patterns([part.region])[0] if part.region else "%",
        "product": part.product, "channel_asked": part.channel,
    }  # fmt: skip
    return asked_by(query, told)


def asked_by(query: TextClause, told: Mapping[str, Any]) -> dict[str, Any]:
    """Of all that could be told to queries, the parameters that this one asks for."""
    return {name: told[name] for name in query.compile().params}
