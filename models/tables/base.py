"""What all tables share: the names of their constraints, and the columns that many have."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    MetaData,
    Text,
    text,
)
from sqlalchemy.types import UserDefinedType

STATES = (
    "submitted",
    "materials_uploaded",
    "face_check",
    "offline_fallback",
    "agency_review",
    "returned",
    "active",
    "suspended",
    "unbinding",
    "unbound",
    "rejected",
    "withdrawn",
    "expired",
)
FACE_STATUSES = ("pending", "passed", "failed", "expired", "error")
DELIVERY_STATES = ("pending", "delivered", "parked")

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ck": "%(table_name)s_%(constraint_name)s",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in SQL."""
        return "xid8"


def id_(name: str = "id", **options: object) -> Column[str]:
    # byte order: ids are not sorted for people, and a locale's order would slow every comparison
    return Column(name, Text(collation="C"), **options)  # type: ignore[arg-type]


def binding_id(*, primary_key: bool = False) -> Column[str]:
    return Column("binding_id", Text(collation="C"), ForeignKey("bindings.id"), primary_key=primary_key, nullable=False)


def time_(name: str, *, nullable: bool = False, default: str | None = None) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=text(default) if default else None)


def one_of(column: str, values: tuple[str, ...], name: str) -> CheckConstraint:
    return CheckConstraint(f"{column} in ({', '.join(repr(value) for value in values)})", name=name)
