"""The small parts of a pack that plans keep in a shape of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from policies.languages import Words
from policies.plan import AgeRule, Limits, LimitScope, Span
from policies.relations import RELATIONSHIPS
from policies.words import Feb29, ReachedOn

Some = Annotated[int, Field(ge=1)]
# Lengths that can be added to a time: finite, a number, and no more than a century.
Hours = Annotated[float, Field(ge=0, le=876_600, allow_inf_nan=False)]
Minutes = Annotated[float, Field(ge=0, le=52_596_000, allow_inf_nan=False)]
Days = Annotated[float, Field(ge=0, le=36_525, allow_inf_nan=False)]
WholeDays = Annotated[int, Field(ge=0, le=36_525)]
SomeDays = Annotated[WholeDays, Field(ge=1)]
Window = Literal["at_once", "calendar_month"] | SomeDays  # at the same time, in a month of Shanghai, in so many days


def known_relations(names: Iterable[str]) -> None:
    """Raise `ValueError` for a word that is no relationship of API.md."""
    unknown = set(names) - set(RELATIONSHIPS)
    if unknown:
        raise ValueError(f"no such relationship: {', '.join(sorted(unknown))}")


class Part(BaseModel):
    """A part of a pack: unknown keys are errors, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# YAML folds a line break into a space, which Chinese does not have.
_FOLDED = re.compile(r"(?<=[\u3001-\u9fff\uff01-\uff60“”]) (?=[\u3001-\u9fff\uff01-\uff60“”])")


class Text(Part):
    """A text for people, Chinese first."""

    zh: Annotated[str, AfterValidator(lambda text: _FOLDED.sub("", text))]
    en: str

    @property
    def words(self) -> Words:
        """The same as it is said everywhere else."""
        return self.zh, self.en


class Term(Part):
    """A length of time: exactly one of minutes, hours, days (of the clock) and working days."""

    minutes: Minutes | None = None
    hours: Hours | None = None
    days: Days | None = None
    working_days: WholeDays | None = None

    @model_validator(mode="after")
    def _one(self) -> Term:
        if len(self.model_fields_set) != 1:
            raise ValueError("exactly one of minutes, hours, days and working_days")
        return self

    @property
    def span(self) -> Span:
        """The same as plans write it."""
        if self.working_days is not None:
            return Span(working_days=self.working_days)
        return Span(hours=(self.minutes or 0) / 60 + (self.hours or 0) + (self.days or 0) * 24)


class Age(Part):
    """The border between minor and adult, and the day on which an age is reached (C1, §C.7)."""

    minor_max_exclusive: int | None = None
    minor_max_inclusive: int | None = None
    reached_on: ReachedOn
    feb29_in_common_year: Feb29

    @model_validator(mode="after")
    def _one(self) -> Age:
        if (self.minor_max_exclusive is None) == (self.minor_max_inclusive is None):
            raise ValueError("exactly one of minor_max_exclusive and minor_max_inclusive (C1)")
        return self

    @cached_property
    def rule(self) -> AgeRule:
        """The same as plans keep it."""
        return AgeRule(**self.model_dump())


class LimitRule(Part):
    """Number limits; null is unlimited (C10-C12)."""

    members_per_holder: Some | None
    holder_scope: LimitScope
    holder_window: Window = "at_once"
    holder_count_ended: bool = True
    binders_per_member: Some | None
    member_scope: LimitScope = "all_channels"
    member_window: Window
    count_ended: bool
    per_relation: dict[str, Some] = {}

    @model_validator(mode="after")
    def _known(self) -> LimitRule:
        known_relations(self.per_relation)
        return self

    @property
    def limits(self) -> Limits:
        """The same as plans keep it."""
        return Limits(**self.model_dump())
