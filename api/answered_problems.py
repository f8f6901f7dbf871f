"""What refusals look like (RFC 9457), with everything that some codes add."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from api.answered import OF_WORDS, Action, Answer, CorrectionItem, Group, without_defaults
from policies.words import ChannelName, Method, Subject

_Absent = SkipJsonSchema[None]  # left out where it says nothing, and never null

_CODE = {
    "anyOf": [{OF_WORDS: "FieldCode"}, {"type": "string"}],
    "description": "what is wrong with the field, or the code of the problem itself",
}


class Fault(Answer):
    """What is wrong with one field; `allowed` where there is a list of values."""

    pointer: Annotated[
        str,
        Field(description="a JSON pointer (RFC 6901); of a parameter `/` and its name, of the whole request nothing"),
    ]
    code: Annotated[str, WithJsonSchema(_CODE)]
    message: str
    allowed: list[str] | _Absent = None


class Problem(BaseModel):
    """RFC 9457. Each call lists its codes by status; what a code adds stands in the optional members."""

    model_config = ConfigDict(json_schema_extra=without_defaults)
    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: list[Fault] | _Absent = None
    cause: Annotated[str | _Absent, Field(description="what is behind the code: `product_not_offered`")] = None
    retry_after: Annotated[int | _Absent, Field(description="seconds, as in `Retry-After`")] = None
    state: Annotated[str | _Absent, Field(description="where the binding, or the repair, stands")] = None
    available_actions: Annotated[list[Action] | _Absent, Field(description="what this caller may do instead")] = None
    version: Annotated[int | _Absent, Field(description="of the binding, as it is now")] = None
    # what would be right instead
    missing: Annotated[
        list[Group | str] | _Absent,
        Field(description="groups of `plan.materials` that are not met, or notices that are not accepted"),
    ] = None
    uncorrected: Annotated[
        list[CorrectionItem] | _Absent, Field(description="items of a return that nothing new answers")
    ] = None
    overlooked: Annotated[
        list[CorrectionItem] | _Absent, Field(description="items that could be seen when it was returned before")
    ] = None
    methods: Annotated[list[Method] | _Absent, Field(description="those that would fit the member")] = None
    reasons: Annotated[list[str] | _Absent, Field(description="those of the plan for this decision")] = None
    channels: Annotated[
        list[ChannelName] | _Absent, Field(description="those that are open at the holder's insured place")
    ] = None
    notices: Annotated[list[str] | _Absent, Field(description="those that the plan has")] = None
    allowed: Annotated[list[str] | _Absent, Field(description="what could be said here now")] = None
    subject: Annotated[Subject | _Absent, Field(description="whose face it is now")] = None
    subjects: Annotated[list[Subject] | _Absent, Field(description="who is still to come to the window")] = None
    # when
    not_before: Annotated[datetime | _Absent, Field(description="when it may be ended")] = None
    next_retry_at: Annotated[datetime | _Absent, Field(description="when the next attempt may begin")] = None
    until: Annotated[datetime | _Absent, Field(description="how long the payment password is locked")] = None
    # how many
    attempts_left: Annotated[int | _Absent, Field(description="wrong payment passwords until it is locked")] = None
    most: Annotated[int | _Absent, Field(description="endpoints of a channel")] = None
    max_bytes: Annotated[int | _Absent, Field(description="of the request, or of the file")] = None
    max_files: Annotated[int | _Absent, Field(description="of a case")] = None
    max_pages: Annotated[int | _Absent, Field(description="of a document")] = None
    max_megapixels: Annotated[float | _Absent, Field(description="of a document")] = None
    without_person: Annotated[
        list[str] | _Absent, Field(description="keys that name nobody, and so prove no second person")
    ] = None
