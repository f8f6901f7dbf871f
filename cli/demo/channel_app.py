"""Apps and people at their desks as small HTTP clients: what a channel developer writes in an afternoon."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import httpx

from cli.demo.families import Somebody
from cli.demo.papers import document

PATIENCE = 30.0  # seconds for one answer, and for a state to be reached: worker and beat look every second
GLANCE = 0.15  # seconds between two looks
View = dict[str, Any]


class Otherwise(Exception):
    """A story went another way than it should; the message says how."""


class Caller:
    """Somebody with a key. Answers are JSON; every refusal is `Otherwise` unless it was asked for."""

    def __init__(self, base: str, key: str) -> None:
        """Call the service at `base` with this key."""
        self.key = key
        headers = {"Authorization": f"Bearer {key}", "Accept-Language": "en"}
        self.http = httpx.Client(base_url=base, headers=headers, timeout=PATIENCE, trust_env=False)

    def get(self, path: str, **query: Any) -> Any:
        """GET, and the answer's JSON."""
        return _fine(self.http.get(path, params=query))

    def post(self, path: str, body: Mapping[str, Any] | None = None, **headers: str) -> Any:
        """POST under a key of idempotency of its own, and the answer's JSON; headers as `if_match="…"`."""
        return _fine(self.send(path, body, **headers))

    def refused(self, code: str, path: str, body: Mapping[str, Any] | None = None, **headers: str) -> str:
        """POST what must be refused with this code; the refusal as it stands in the table."""
        answer = self.send(path, body, **headers)
        problem = answer.json() if answer.is_error else {}
        if problem.get("code") != code:
            raise Otherwise(f"{path} answered {answer.status_code} {problem.get('code', '')}, expected {code}")
        return f"{answer.status_code} {code}"

    def send(self, path: str, body: Mapping[str, Any] | None = None, **headers: str) -> httpx.Response:
        """POST, and whatever comes back."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(path, json=body or {}, headers={"idempotency-key": str(uuid4())} | named)

    # -- what both channels and clerks do with a binding -----------------------------------------------------------

    def view(self, binding_id: str) -> View:
        """The binding as it is now."""
        view: View = self.get(f"/v1/bindings/{binding_id}")
        return view

    def act(self, view: View, action: str, **body: Any) -> View:
        """Say an action of what was seen: with its version, so that nobody acts on what has changed meanwhile."""
        if action not in view["available_actions"]:
            raise Otherwise(f"{action} is not among {', '.join(view['available_actions'])} in {view['state']}")
        after: View = self.post(f"/v1/bindings/{view['id']}/actions/{action}", body, if_match=f'"{view["version"]}"')
        return after

    def bring(self, view: View, which: int = 0) -> View:
        """Upload one document of each kind that the plan asks for (its `which`-th alternative, else the last)."""
        groups = [group["any_of"] for group in view["plan"]["materials"]]
        kinds = dict.fromkeys(itertools.chain(*(ways[min(which, len(ways) - 1)] for ways in groups)))
        for kind in kinds:
            self.upload(view["id"], kind)
        return self.view(view["id"])

    def upload(self, binding_id: str, kind: str) -> None:
        """Send one real file, JPEG or PDF."""
        path, key = f"/v1/bindings/{binding_id}/materials", {"idempotency-key": str(uuid4())}
        _fine(self.http.post(path, data={"kind": kind}, files={"file": document(kind)}, headers=key))

    def hand_in(self, view: View, which: int = 0) -> View:
        """Bring what is asked for and submit it, where the plan asks for anything."""
        if view["state"] not in ("submitted", "returned"):
            return view
        return self.act(self.bring(view, which), "submit_materials")

    def wait(self, view: View, *states: str, party: str | None = None) -> View:
        """Look until the binding is in one of the states (and waits on `party`); the view then.

        Raises `Otherwise` when it does not get there in time, or has ended elsewhere.
        """
        until = time.monotonic() + PATIENCE
        while view["state"] not in states or (party and (view["waiting_on"] or {}).get("party") != party):
            if time.monotonic() > until or view["state"] in ("rejected", "expired", "withdrawn", "unbound"):
                raise Otherwise(f"{view['id']} is {view['state']} ({view['reason']}), expected {' or '.join(states)}")
            time.sleep(GLANCE)
            view = self.view(view["id"])
        return view


class ChannelApp(Caller):
    """One channel's app."""

    def __init__(self, base: str, channel: str) -> None:
        """Use the sandbox's key of the channel."""
        super().__init__(base, f"sandbox-{channel}")
        self.channel = channel

    def application(
        self,
        holder: Somebody,
        member: Somebody,
        relationship: str,
        product: str = "family_account",
        method: str = "id_number",
        **more: Any,
    ) -> View:
        """An application with every notice of its plan accepted: the plan is asked for first, as an app would."""
        asked = {"product": product, "method": method, "relationship": relationship}
        told = self.post(
            "/v1/requirements", asked | {"holder": {"insured_region": holder.region}, "member": member.outline()}
        )
        accepted_at = self.get("/v1/sandbox/clock")["now"]
        consents = [
            {"notice": shown["notice"], "version": shown["version"], "accepted_at": accepted_at}
            for shown in told["notices"]
        ]
        people = {"holder": holder.party(), "member": member.party()}
        return asked | people | {"initiator": "holder", "consents": consents} | more

    def apply(self, holder: Somebody, member: Somebody, relationship: str, **more: Any) -> View:
        """Make the application; the binding's view."""
        view: View = self.post("/v1/bindings", self.application(holder, member, relationship, **more))
        return view

    def face(self, view: View, subject: str, *outcomes: str) -> View:
        """Let somebody try before the camera, once for each outcome; the view after the last."""
        for outcome in outcomes:
            begun = self.post(f"/v1/bindings/{view['id']}/face-checks", {"subject": subject})
            self.post(f"/v1/sandbox/face-checks/{begun['id']}/complete", {"outcome": outcome})
        return self.view(view["id"])

    def acting_for(self, person: Somebody, view: View) -> View:
        """The same binding as this app may see it with the person signed in: found by search, whatever its channel."""
        body = {"acting_for": {"id_number": person.id_number, "purpose": "self_service"}}
        found = self.post("/v1/bindings/search", body)["items"]
        mine: Sequence[View] = [one for one in found if one["id"] == view["id"]]
        if not mine:
            raise Otherwise(f"{view['id']} is not among the bindings of a person who is a party")
        return mine[0]


def _fine(answer: httpx.Response) -> Any:
    if answer.is_error:
        kind = answer.headers.get("content-type", "")
        problem = answer.json() if "json" in kind else {}
        request = f"{answer.request.method} {answer.request.url.path}"
        said = [problem.get("code", ""), problem.get("detail", ""), str(problem.get("errors") or "")]
        raise Otherwise(f"{request} answered {answer.status_code} {' '.join(said)}".strip())
    return answer.json() if answer.content else None
