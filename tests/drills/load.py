"""Apps that do not give up: every call is repeated until it is answered, and what was answered is remembered."""

import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.doors.family import application, key, picture

GIVEN_UP = 300.0  # seconds for one call, or one state: a worker may die over one family again and again
PAUSE = 0.1


@dataclass
class Told:
    """What the service has answered, to all apps together."""

    versions: dict[str, tuple[int, str]] = field(default_factory=dict)  # of each binding the newest answered, its state
    counted: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0  # seconds until a call was answered
    finished: int = 0


class App(threading.Thread):
    """One app: family after family, from application to the end of the binding, until it is stopped."""

    def __init__(self, base_url: str, told: Told, seeds: range) -> None:
        super().__init__(daemon=True)
        headers = {"Authorization": "Bearer sandbox-alipay", "Accept-Language": "en"}
        self.http = httpx.Client(base_url=base_url, headers=headers, timeout=10, trust_env=False)
        self.told, self.seeds = told, iter(seeds)
        self.stop = threading.Event()
        self.failed: BaseException | None = None

    def run(self) -> None:
        """Live; the family that has begun is seen through."""
        try:
            with self.http:
                while not self.stop.is_set():
                    self.a_life(next(self.seeds))
                    self.told.finished += 1
        except BaseException as fault:  # noqa: BLE001  told to the drill
            self.failed = fault

    def a_life(self, seed: int) -> None:
        """Nine steps and three documents."""
        made = self.say("/v1/bindings", application(seed))
        binding = f"/v1/bindings/{made['id']}"
        for group in made["plan"]["materials"]:
            for kind in group["any_of"][0]:
                page = {"file": ("page.jpg", picture(), "image/jpeg")}
                self.say(f"{binding}/materials", data={"kind": kind}, files=page)
        self.act(binding, "submit_materials", "submitted")
        self.until(binding, "face_check")
        while self.look(binding)["state"] == "face_check":
            session = self.say(f"{binding}/face-checks", {"subject": "member"})
            if "id" in session:
                self.say(f"/v1/sandbox/face-checks/{session['id']}/complete", {"outcome": "passed"})
        self.until(binding, "active")
        self.act(binding, "request_unbind", "active", initiator="holder", method="pay_password")
        self.act(binding, "confirm_unbind", "unbinding", pay_password="123456")
        self.until(binding, "unbound")

    def act(self, binding: str, action: str, state: str, **body: Any) -> None:
        """Say it until the binding is in that state no more."""
        while self.look(binding)["state"] == state:
            self.say(f"{binding}/actions/{action}", body)

    def until(self, binding: str, state: str) -> None:
        """Look until it is there."""
        begun = time.monotonic()
        while (found := self.look(binding)["state"]) != state:
            assert time.monotonic() - begun < GIVEN_UP, f"{binding} is {found}, not {state}"
            time.sleep(PAUSE)

    def look(self, binding: str) -> dict[str, Any]:
        """The view."""
        return self.call("GET", binding)

    def say(self, path: str, body: Any = None, **sent: Any) -> dict[str, Any]:
        """Say something under one idempotency key, as often as it takes."""
        return self.call("POST", path, json=body, headers=key(), **sent)

    def call(self, method: str, path: str, **sent: Any) -> dict[str, Any]:
        """An answer that is one: below 500, and not "the first still runs". A refusal by state is an answer."""
        begun = time.monotonic()
        while time.monotonic() - begun < GIVEN_UP:
            with suppress(httpx.TransportError):
                answer = self.http.request(method, path, **sent)
                self.told.counted[f"answered {answer.status_code}"] += 1
                if answer.status_code < 500:
                    body: dict[str, Any] = answer.json()
                    if body.get("code") != "idempotency_in_progress":
                        self.note(answer, body, time.monotonic() - begun)
                        return body
                    sent["headers"] = key()  # its process died: a new attempt need not wait for the old one's lease
            self.told.counted["not answered"] += 1
            time.sleep(PAUSE)
        raise TimeoutError(path)

    def note(self, answer: httpx.Response, body: dict[str, Any], took: float) -> None:
        """Remember what was said to us: it must be true for ever."""
        self.told.longest = max(self.told.longest, took)
        if answer.is_success and "version" in body and "state" in body:
            self.told.versions[body["id"]] = (body["version"], body["state"])
        elif not answer.is_success:
            self.told.counted[f"refused {body.get('code')}"] += 1
