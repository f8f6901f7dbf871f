"""Everybody whom a story may need: apps by channel, the staff, the registries and the clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from cli.demo.channel_app import Caller, ChannelApp, Otherwise, View
from cli.demo.families import Somebody, somebody, years_old
from cli.demo.receiver import Receiver
from policies.calendar import shanghai_day
from workflows.access.principals import CHANNELS


@dataclass(frozen=True, slots=True)
class Ending:
    """How one application must stand when the day is over: a binding in `state`, or a refusal at the door."""

    who: str
    app: Caller
    binding_id: str | None = None
    state: str = ""
    refusal: str = ""  # "409 holder_limit", where there is no binding


@dataclass
class Town:
    """The service at `base`, and those who use it."""

    base: str
    receiver: Receiver
    apps: dict[str, ChannelApp] = field(init=False)
    today: date = field(init=False)

    def __post_init__(self) -> None:
        """Open the apps, and let each be told by webhook of what happens to its bindings."""
        self.apps = {channel: ChannelApp(self.base, channel) for channel in CHANNELS}
        self.reviewer = Caller(self.base, "sandbox-reviewer")
        self.second_reviewer = Caller(self.base, "sandbox-reviewer-2")
        self.suzhou_reviewer = Caller(self.base, "sandbox-reviewer-suzhou")
        self.clerk = Caller(self.base, "sandbox-counter")
        self.operator = Caller(self.base, "sandbox-operator")
        self.supervisor = Caller(self.base, "sandbox-supervisor")
        self.today = shanghai_day(datetime.fromisoformat(self.anyone.get("/v1/sandbox/clock")["now"]))
        for channel, app in self.apps.items():
            made = app.post("/v1/webhook-endpoints", {"url": self.receiver.url(channel)})
            self.receiver.secrets[channel] = made["secret"]

    @property
    def anyone(self) -> ChannelApp:
        """Any app: the sandbox's own calls are for all."""
        return self.apps["alipay"]

    def adult(self, name: str, age: int, region: str) -> Somebody:
        """A citizen of this age, insured in this region."""
        return somebody(name, years_old(age, self.today), region)

    def registries_know(self, person: Somebody, **told: Any) -> None:
        """Tell the sandbox's registries something of a person; all others are insured where they say."""
        answer = self.anyone.http.put("/v1/sandbox/persons", json={"id_number": person.id_number, **told})
        if answer.is_error:
            raise Otherwise(f"PUT /v1/sandbox/persons answered {answer.status_code} {answer.text}")

    def certified(self, baby: Somebody, mother: Somebody, number: str) -> dict[str, Any]:
        """What an application for this baby has besides: a birth certificate that the registry knows."""
        certificate = {"number": number, "mother_name": mother.name, "mother_id_number": mother.id_number}
        child = {"child_name": baby.name, "child_birth_date": baby.born.isoformat()}
        self.registries_know(mother, birth_certificates=[certificate | child])
        return {"method": "birth_certificate", "birth_certificate": certificate}

    def let_pass(self, *, hours: float) -> None:
        """Move the clock of the whole service; the answer comes after all that fell due meanwhile has run."""
        self.anyone.post("/v1/sandbox/clock/advance", {"seconds": int(hours * 3600)})

    def verify_at_counter(self, view: View, note: str) -> None:
        """The clerk finds the ticket, compares the person with the document, and says so."""
        tickets = self.clerk.get("/v1/counter/tickets", limit=100)["items"]
        require(any(view["id"] in str(ticket) for ticket in tickets), "the ticket is not among the clerk's")
        body = {"method": "document_reader", "note": note}
        self.clerk.post(f"/v1/counter/tickets/{view['id']}/verify", body)


def require(holds: object, otherwise: str) -> None:
    """Stop the story unless this holds."""
    if not holds:
        raise Otherwise(otherwise)
