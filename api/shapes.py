"""The shapes of what is sent: strict, bounded, nothing unknown in them. What they mean is judged elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from policies.words import Authentication, IdType, Initiator, Kind, Method, Product, Relationship, Subject
from workflows.case import STATES
from workflows.texts import holds_citizens_number, is_blank, names_somebody
from workflows.views.cursors import MOST

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# RFC 3339 bounds no fraction of a second; a microsecond is the last that we keep.
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-5][0-9])"
)


def _day(value: Any) -> Any:
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("not_a_date", "YYYY-MM-DD")


def _time(value: Any) -> Any:
    if isinstance(value, str) and (told := _TIME.fullmatch(value)):
        second, fraction, zone = told.groups(default="")
        try:
            return datetime.fromisoformat(f"{second}{fraction[:7]}{zone}".upper())
        except ValueError:
            pass
    raise PydanticCustomError("not_a_time", "RFC 3339")


def _not_blank(value: str) -> str:
    if is_blank(value):
        raise PydanticCustomError("blank", "only spaces")
    return value


def _names_nobody(value: str) -> str:
    if names_somebody(value):
        raise PydanticCustomError("number_in_text", "eleven digits or more")
    return value


def _holds_no_id(value: str) -> str:
    if holds_citizens_number(value):
        raise PydanticCustomError("id_number_in_text", "a citizen's number")
    return value


def _digits(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch("[0-9]{1,9}", value):
        raise PydanticCustomError("int_parsing", "not a number")
    return value


Day = Annotated[date, BeforeValidator(_day)]
Moment = Annotated[datetime, BeforeValidator(_time)]
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_not_blank)]
Number = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_not_blank)]
Region = Annotated[str, Field(pattern=r"^[0-9]{6}$", examples=["440100"])]
# what somebody writes is kept in clear, for good
Reason = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_not_blank), AfterValidator(_holds_no_id)]
ToldReason = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_not_blank),
                       AfterValidator(_names_nobody)]  # other channels read it  # fmt: skip
Note = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_not_blank), AfterValidator(_holds_no_id)]
Reference = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_not_blank)]
Limit = Annotated[int, BeforeValidator(_digits), Query(ge=1, le=100)]
Behind = Annotated[str | None, Query(max_length=MOST)]  # the `cursor` of a list


@dataclass(frozen=True, slots=True)
class OneOf:
    """Marks a text as one of these words, also in the document: a `Literal` of a list that another file holds."""

    words: tuple[str, ...]

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        """What pydantic checks, and shows."""
        return core_schema.literal_schema(list(self.words))


State = Annotated[str, OneOf(STATES)]


class Body(BaseModel):
    """What every body of ours is: nothing unknown, no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


def example(**values: Any) -> ConfigDict:
    """The settings of a body with an example for the documentation."""
    return ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, json_schema_extra={"examples": [values]})


_ACTING = {"id_number": "440106198503072316", "purpose": "self_service"}


class ActingFor(Body):
    """The person whom the channel has signed in."""

    id_number: Number
    purpose: Literal["self_service", "customer_service"] = "self_service"


class Nothing(Body):
    """No fields."""


class Acting(Body):
    """An action that needs no more than who acts."""

    model_config = example(acting_for=_ACTING)
    acting_for: ActingFor | None = None


# -- applications ----------------------------------------------------------------------------------------------


class Party(Body):
    """A party as the applicant names it; a newborn may have no number yet."""

    name: Name
    id_type: IdType
    id_number: Number | None = None
    insured_region: Region
    birth_date: Day | None = None


class Consent(Body):
    """A notice accepted, in its version."""

    notice: Annotated[str, Field(min_length=1, max_length=100)]
    version: Annotated[str, Field(min_length=1, max_length=50)]
    accepted_at: Moment


class BirthCertificate(Body):
    """The newborn method's own facts."""

    number: Number
    mother_name: Name
    mother_id_number: Number


class Application(Body):
    """A whole application."""

    model_config = example(
        product="family_account",
        method="id_number",
        relationship="PARENT",
        initiator="holder",
        holder={"name": "张三", "id_type": "resident_id", "id_number": "440106198503072316",
                "insured_region": "440100"},
        member={"name": "张大山", "id_type": "resident_id", "id_number": "440106195706124215",
                "insured_region": "440100"},
        consents=[{"notice": notice, "version": f"2026-11-{day}", "accepted_at": "2026-11-21T08:00:00Z"}
                  for notice, day in (("adding_member", "01"), ("identity_check", "02"), ("face", "01"),
                                      ("materials_storage", "01"), ("agency_sharing", "01"))],
        channel_reference="A-20261121-0001",
    )  # fmt: skip
    product: Product
    method: Method
    holder: Party
    member: Party
    relationship: Relationship
    initiator: Initiator
    consents: Annotated[list[Consent], Field(max_length=50)]
    channel_reference: Reference | None = None
    birth_certificate: BirthCertificate | None = None


class HolderAsked(Body):
    """Where the holder is insured."""

    insured_region: Region


class MemberAsked(Body):
    """What of the member decides the plan: where he is insured and how old he is."""

    insured_region: Region
    birth_date: Day | None = None
    id_number: Number | None = None
    id_type: IdType = "resident_id"


class RequirementsAsked(Body):
    """An application in outline."""

    model_config = example(
        product="family_account",
        method="id_number",
        relationship="CHILD",
        holder={"insured_region": "440100"},
        member={"insured_region": "440100", "birth_date": "2019-06-01", "id_type": "resident_id"},
    )
    product: Product
    method: Method
    relationship: Relationship
    holder: HolderAsked
    member: MemberAsked


class Search(Body):
    """What to look for; all conditions must hold."""

    model_config = example(acting_for=_ACTING, states=["active"], limit=20)
    acting_for: ActingFor | None = None
    holder_id_number: Number | None = None
    member_id_number: Number | None = None
    states: Annotated[list[State], Field(max_length=len(STATES))] | None = None
    channel_reference: Reference | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(max_length=MOST)] | None = None


# -- actions -----------------------------------------------------------------------------------------------------


class ChooseOffline(Acting):
    """To the counter, by one's own choice."""

    model_config = example(reason="declines_face")
    reason: Literal["declines_face", "member_elsewhere", "cannot_pass", "other"]


class WithdrawConsent(Acting):
    """A consent taken back."""

    model_config = example(notice="face")
    notice: Annotated[str, Field(min_length=1, max_length=100)]


class RequestUnbind(Acting):
    """Who asks for the end, and how he will show that it is he."""

    model_config = example(initiator="holder", method="pay_password", reason="no_longer_needed")
    initiator: Initiator
    method: Authentication
    reason: ToldReason | None = None


class ConfirmUnbind(Acting):
    """The payment password of the one who asked."""

    model_config = example(pay_password="123456")  # noqa: S106 - the sandbox's own
    pay_password: Annotated[str, Field(min_length=1, max_length=64)]


class ReportChange(Acting):
    """What has changed in a party's life."""

    model_config = example(what="insured_region", value="440300")
    what: Literal["name", "id_number", "insured_region", "relationship_ended", "insurance_ended", "death"]
    value: Annotated[str | None, Field(min_length=1, max_length=200), AfterValidator(_not_blank)] = None


class StartFace(Acting):
    """Whose face is checked."""

    model_config = example(subject="member")
    subject: Subject


class Upload(Body):
    """The fields of an upload beside the file."""

    kind: Kind


# -- for the documentation ---------------------------------------------------------------------------------------

Extra = dict[str, Any]


def takes(shape: type[BaseModel], **responses: Any) -> Extra:
    """What a route is declared with, so that the OpenAPI document knows its body; the body is read by `Call`."""
    schema = {"$ref": f"#/components/schemas/{shape.__name__}"}
    required = any(field.is_required() for field in shape.model_fields.values())
    body = {"required": required, "content": {"application/json": {"schema": schema}}}
    return {"openapi_extra": {"requestBody": body}, **responses}


def every_shape(root: type[BaseModel] = Body) -> list[type[BaseModel]]:
    """All bodies that have been declared, also by other doors."""
    found: list[type[BaseModel]] = []
    for shape in root.__subclasses__():
        found += [shape, *every_shape(shape)]
    return found
