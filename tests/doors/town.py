"""A town that lives through HTTP alone: one service for a whole module of tests, and the steps of a family in it."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date, datetime
from typing import Any

import httpx

from policies.calendar import shanghai_day
from tests.doors.family import act, application, key, view, with_materials
from tests.wire import NO_AUTHORITIES

View = dict[str, Any]
USUAL = {"family_account": "alipay", "account_sharing": "yueyibao_alipay", "code_display": "alipay"}


class Town:
    """Everything is said and seen at the doors; people are new for each application unless a test names them."""

    def __init__(self, base_url: str, open_clients: ExitStack) -> None:
        self._base_url, self._open = base_url, open_clients
        self._clients: dict[tuple[str, str], httpx.Client] = {}

    def at(self, name: str, language: str = "zh") -> httpx.Client:
        """The client of a channel or a member of staff."""
        if (name, language) not in self._clients:
            told = {"Authorization": f"Bearer sandbox-{name}", "Accept-Language": language}
            client = httpx.Client(base_url=self._base_url, headers=told, timeout=30, verify=NO_AUTHORITIES)
            self._clients[name, language] = self._open.enter_context(client)
        return self._clients[name, language]

    # -- before an application --

    def today(self) -> date:
        """The day in Shanghai by the service's clock."""
        now = view(self.at("alipay").get("/v1/sandbox/clock"))["now"]
        return shanghai_day(datetime.fromisoformat(now))

    def asked(self, channel: str | None = None, language: str = "zh", **outline: Any) -> httpx.Response:
        """The answer to a question about requirements: of a parent in Beijing, save what a test says."""
        product = outline.get("product", "family_account")
        region = outline.get("region", "110100")
        member = {"insured_region": outline.get("member_region", region),
                  "birth_date": outline.get("born", "1958-03-07"),
                  "id_type": outline.get("id_type", "resident_id")}  # fmt: skip
        body = {"product": product, "method": outline.get("method", "id_number"),
                "relationship": outline.get("relationship", "PARENT"),
                "holder": {"insured_region": region}, "member": member}  # fmt: skip
        return self.at(channel or USUAL[product], language).post("/v1/requirements", json=body)

    def told(self, channel: str | None = None, language: str = "zh", **outline: Any) -> View:
        """What is required, where it is allowed at all."""
        answer = self.asked(channel, language, **outline)
        assert answer.status_code == 200, answer.text
        return view(answer)

    def knows(self, id_number: str, **fields: Any) -> None:
        """Tell the registries something about a person."""
        answer = self.at("alipay").put("/v1/sandbox/persons", json={"id_number": id_number, **fields})
        assert answer.status_code == 200, answer.text

    def advance(self, **days_or_seconds: float) -> None:
        """Let time go by, and what falls due happen."""
        seconds = int(days_or_seconds.get("days", 0) * 86_400 + days_or_seconds.get("seconds", 0))
        assert self.at("alipay").post("/v1/sandbox/clock/advance", json={"seconds": seconds}).status_code == 200

    # -- an application and its way --

    def applied(self, channel: str, body: View) -> httpx.Response:
        """The answer to an application."""
        return self.at(channel).post("/v1/bindings", json=body, headers=key())

    def submitted(self, channel: str, body: View) -> View:
        """The view of an application that was accepted."""
        answer = self.applied(channel, body)
        assert answer.status_code == 201, answer.text
        return view(answer)

    def checked(self, channel: str, body: View) -> View:
        """The view once materials were handed in and the registries have answered."""
        made = self.submitted(channel, body)
        if made["state"] == "submitted":
            with_materials(self.at(channel), made)
            handed_in = act(self.at(channel), made["id"], "submit_materials")
            assert handed_in.status_code == 200, handed_in.text
        self.advance(seconds=1)
        return self.seen(channel, made["id"])

    def active(self, channel: str | None = None, body: View | None = None, **options: Any) -> tuple[View, View]:
        """A binding that went all its way, and its application; `options` as for `family.application`."""
        body = body or application(**options)
        channel = channel or USUAL[body["product"]]
        seen = self.through(channel, self.checked(channel, body))
        assert seen["state"] == "active", seen
        return seen, body

    def through(self, channel: str, seen: View) -> View:
        """Do all that is still asked: the faces in their order, the authorisation, the agency's review."""
        while seen["state"] in ("materials_uploaded", "face_check", "agency_review"):
            asked = seen["waiting_on"]["for"]
            if asked == "face_check":
                assert self.face(channel, seen, seen["waiting_on"]["party"])["status"] == "passed"
            elif asked == "review":
                self.approved(seen["id"])
            else:
                said = {"authorisation": "confirm_authorisation", "registry_confirmation": "confirm_registry_record"}
                assert act(self.at(channel), seen["id"], said[asked]).status_code == 200
            seen = self.seen(channel, seen["id"])
        return seen

    def face(self, channel: str, seen: View, subject: str, outcome: str = "passed") -> View:
        """Begin an attempt and end it; the attempt as it then stands."""
        begun = self.at(channel).post(f"/v1/bindings/{seen['id']}/face-checks", json={"subject": subject})
        assert begun.status_code == 201, begun.text
        where = f"/v1/sandbox/face-checks/{view(begun)['id']}/complete"
        return view(self.at(channel).post(where, json={"outcome": outcome}))

    def approved(self, binding_id: str) -> None:
        """A reviewer takes the case and approves."""
        for said in ("claim", "approve"):
            answer = self.at("reviewer").post(f"/v1/reviews/{binding_id}/{said}", json={})
            assert answer.status_code == 200, answer.text

    def seen(self, channel: str, binding_id: str) -> View:
        """The view, now."""
        return view(self.at(channel).get(f"/v1/bindings/{binding_id}"))

    def events(self, channel: str, binding_id: str) -> list[str]:
        """The events of the history, in order."""
        lines = view(self.at(channel).get(f"/v1/bindings/{binding_id}/timeline"))["items"]
        return [line["event"] for line in lines]

    def heard(self, channel: str, binding_id: str) -> list[View]:
        """What a channel's feed has told of a binding, in order."""
        events: list[View] = []
        after: dict[str, str] = {}
        while (page := view(self.at(channel).get("/v1/events", params=after)))["items"]:
            events += [one for one in page["items"] if one["data"]["binding"]["id"] == binding_id]
            after = {"after": page["next_cursor"]}
        return events

    def signed_in(self, channel: str, body: View, role: str = "member") -> list[View]:
        """The bindings that a channel sees for a party of an application whom it has signed in."""
        items: list[View] = view(self.at(channel).post("/v1/bindings/search", json=acting(body, role)))["items"]
        return items

    def use(self, channel: str, body: View, purpose: str, **more: Any) -> tuple[bool, str | None]:
        """Whether a use is allowed now between the two people of an application, and why not."""
        people = {f"{role}_id_number": body[role]["id_number"] for role in ("holder", "member")}
        asked = people | {"purpose": purpose} | more
        answer = view(self.at(channel).post("/v1/entitlements/check", json=asked))
        return answer["allowed"], answer["reason"]


def acting(body: View, role: str) -> View:
    """The party of an application whom a channel has signed in."""
    return {"acting_for": {"id_number": body[role]["id_number"], "purpose": "self_service"}}
