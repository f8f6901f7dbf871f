"""Slow work under an attacker's hand: he waits or is refused, and the doors stay open to everybody else."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import httpx
import pytest

from api.materials import BESIDE_OF_ONE
from api.slow import Places
from gateways.inspection import at_once, inspect
from tasks.faces import hear, named, start_face_check
from tasks.office import Office
from tests import life
from tests.doors.conftest import Caller
from tests.doors.family import picture, submitted, uploaded, view
from tests.doors.visitor import Comes
from workflows.access.accounts import sign_in
from workflows.errors import Refused

SHARE = at_once() + BESIDE_OF_ONE
LONG = 60  # seconds: a test that comes to wait for so long has failed


class Hold:
    """Stands in for something slow: whoever comes in stays until he is let go."""

    def __init__(self, then: Any) -> None:
        self._then, self._let_go, self._came = then, threading.Event(), threading.Semaphore(0)
        self._counting, self._inside, self.most = threading.Lock(), 0, 0

    def __call__(self, *args: Any) -> Any:
        with self._counting:
            self._inside += 1
            self.most = max(self.most, self._inside)
        self._came.release()
        assert self._let_go.wait(LONG)
        with self._counting:
            self._inside -= 1
        return self._then(*args)

    def comes(self, number: int) -> None:
        for _ in range(number):
            assert self._came.acquire(timeout=LONG)

    def let_go(self) -> None:
        self._let_go.set()


@contextmanager
def held(patched: pytest.MonkeyPatch, name: str, then: Any) -> Iterator[Hold]:
    hold = Hold(then)
    patched.setattr(name, hold)
    try:
        yield hold
    finally:
        hold.let_go()  # or the threads of a test that fails would never end


@pytest.fixture(params=[("QUEUE", 0), ("PATIENCE", 0.0)], ids=["no queue", "no patience"])
def at_once_refused(request: pytest.FixtureRequest, settings: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    settings.setattr(f"api.materials.{request.param[0]}", request.param[1])
    return settings


def test_uploads_of_one_channel_leave_the_doors_open(at_once_refused: pytest.MonkeyPatch,
                                                     request: pytest.FixtureRequest) -> None:  # fmt: skip
    as_: Caller = request.getfixturevalue("as_")
    alipay, wechat = as_("alipay"), as_("wechat")
    mine, theirs = [submitted(alipay)["id"] for _ in range(45)], submitted(wechat)["id"]
    with ThreadPoolExecutor(50) as pool, held(at_once_refused, "tasks.documents.inspect", inspect) as hold:
        mob = [pool.submit(uploaded, alipay, one, "other") for one in mine]
        hold.comes(SHARE)
        other = pool.submit(uploaded, wechat, theirs, "other")
        hold.comes(1)
        assert wechat.get(f"/v1/bindings/{theirs}").status_code == 200
        assert wechat.get("/readyz").status_code in {200, 503}
        soon = as_completed(mob, LONG)
        refused = [next(soon).result() for _ in range(45 - SHARE)]
        hold.let_go()
        assert [one.result().status_code for one in [*soon, other]] == [201] * (SHARE + 1)
    assert {(one.status_code, view(one)["code"], one.headers["Retry-After"]) for one in refused} == {
        (429, "rate_limited", "5")
    }
    assert hold.most == SHARE + 1
    assert uploaded(alipay, mine[0], "other").status_code == 201  # the places are free again


def test_a_few_uploads_too_many_wait_without_a_thread(settings: pytest.MonkeyPatch,
                                                      request: pytest.FixtureRequest) -> None:  # fmt: skip
    settings.setattr("api.materials.PATIENCE", LONG)
    alipay: httpx.Client = request.getfixturevalue("alipay")
    mine = [submitted(alipay)["id"] for _ in range(SHARE + 4)]
    with ThreadPoolExecutor(SHARE + 4) as pool, held(settings, "tasks.documents.inspect", inspect) as hold:
        all_of_them = [pool.submit(uploaded, alipay, one, "other") for one in mine]
        hold.comes(SHARE)
        assert alipay.get(f"/v1/bindings/{mine[0]}").status_code == 200
        hold.let_go()
        assert [one.result().status_code for one in all_of_them] == [201] * (SHARE + 4)
    assert hold.most <= SHARE


def test_a_family_whose_files_take_long_keeps_no_other_waiting(settings: pytest.MonkeyPatch,
                                                               request: pytest.FixtureRequest) -> None:  # fmt: skip
    """What is laid into one case is looked at one after the other (attack: four small files of twenty seconds each)."""
    settings.setattr("api.materials.PATIENCE", LONG)
    alipay: httpx.Client = request.getfixturevalue("alipay")
    theirs, another = submitted(alipay)["id"], submitted(alipay)["id"]
    with ThreadPoolExecutor(10) as pool, held(settings, "tasks.documents.inspect", inspect) as hold:
        heavy = [pool.submit(uploaded, alipay, theirs, "other") for _ in range(4)]
        hold.comes(1)
        other = pool.submit(uploaded, alipay, another, "other")
        hold.comes(1)
        assert hold.most == 2
        hold.let_go()
        assert {one.result().status_code for one in (*heavy, other)} == {201}


def test_what_waits_in_memory_is_bounded(settings: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Of several cases at once, one channel's uploads filled the memory of a process (attack)."""
    content = picture("PNG", (200, 200))
    settings.setattr("api.materials.IN_MEMORY_OF_ONE", 4 * len(content))  # a form is a little more than its file
    settings.setattr("api.materials.PATIENCE", LONG)
    as_: Caller = request.getfixturevalue("as_")
    alipay, wechat = as_("alipay"), as_("wechat")
    mine, theirs = [submitted(alipay)["id"] for _ in range(2)], submitted(wechat)["id"]
    with ThreadPoolExecutor(12) as pool, held(settings, "tasks.documents.inspect", inspect) as hold:
        mob = [pool.submit(uploaded, alipay, one, "other", content) for one in mine * 5]
        soon = as_completed(mob, LONG)
        refused = [next(soon).result() for _ in range(10 - 3)]
        large = uploaded(alipay, mine[0], "other", bytes(9_000_000))  # refused before it is read, and hears of it
        other = pool.submit(uploaded, wechat, theirs, "other", content)
        hold.comes(1)
        hold.let_go()
        assert [one.result().status_code for one in [*soon, other]] == [201] * (3 + 1)
    assert {(one.status_code, view(one)["code"], one.headers["Retry-After"]) for one in (*refused, large)} == {
        (429, "rate_limited", "5")
    }
    assert uploaded(alipay, mine[0], "other", content).status_code == 201


def test_a_provider_that_is_slow_leaves_the_doors_open(settings: pytest.MonkeyPatch,
                                                       request: pytest.FixtureRequest) -> None:  # fmt: skip
    settings.setattr("api.slow.QUEUE", 0)
    office: Office = request.getfixturevalue("office")
    as_: Caller = request.getfixturevalue("as_")
    alipay, mine = as_("alipay"), life.to_state(office, "face_check", seed=1)
    wechat, theirs = as_("wechat"), life.submit(office, life.a_request(office.desk.book, seed=2), "wechat")
    life.hand_in(office, theirs)
    life.registries_say_yes(office, theirs)

    def begins(client: httpx.Client, binding_id: str) -> httpx.Response:
        return client.post(f"/v1/bindings/{binding_id}/face-checks", json={"subject": "member"})

    with ThreadPoolExecutor(50) as pool, held(settings, "tasks.faces.start_face_check", start_face_check) as hold:
        mob = [pool.submit(begins, alipay, mine) for _ in range(45)]
        hold.comes(12)
        other = pool.submit(begins, wechat, theirs)
        hold.comes(1)
        assert alipay.get(f"/v1/bindings/{mine}").status_code == 200
        soon = as_completed(mob, LONG)
        refused = [next(soon).result() for _ in range(45 - 12)]
        hold.let_go()
        begun = [one.result().status_code for one in soon]
        assert (other.result().status_code, 201 in begun) == (201, True)
    assert {(one.status_code, view(one)["code"], one.headers["Retry-After"]) for one in refused} == {
        (429, "rate_limited", "5")
    }
    assert hold.most == 12 + 1
    assert begins(alipay, mine).status_code == 201


def test_new_endpoints_two_at_a_time(settings: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The name of an address is asked for, and who is asked may take his time."""
    settings.setattr("api.endpoints.QUEUE", 0)
    as_: Caller = request.getfixturevalue("as_")
    alipay, wechat = as_("alipay"), as_("wechat")
    asked = {"url": "http://127.0.0.1:9/"}
    with ThreadPoolExecutor(3) as pool, held(settings, "api.endpoints.allowed_url", lambda _: None) as hold:
        under_way = [pool.submit(alipay.post, "/v1/webhook-endpoints", json=asked) for _ in range(2)]
        hold.comes(2)
        refused = alipay.post("/v1/webhook-endpoints", json=asked)
        under_way.append(pool.submit(wechat.post, "/v1/webhook-endpoints", json=asked))
        hold.comes(1)
        hold.let_go()
        assert [one.result().status_code for one in under_way] == [201] * 3
    assert (refused.status_code, view(refused)["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) > 0
    assert alipay.post("/v1/webhook-endpoints", json=asked).status_code == 201


def test_places_are_counted_in_all_and_given_back() -> None:
    places = Places(2, 2, 1)

    async def taken(*callers: str) -> None:
        async with AsyncExitStack() as open_ends:
            for caller in callers:
                await open_ends.enter_async_context(places.one(caller))

    async def broken() -> None:
        async with places.one("a"):
            raise LookupError

    asyncio.run(taken("a", "b"))
    with pytest.raises(Refused) as no:
        asyncio.run(taken("a", "b", "c"))
    assert (no.value.status, no.value.extra["retry_after"]) == (429, 1)
    for _ in range(3):
        with pytest.raises(LookupError):
            asyncio.run(broken())
    asyncio.run(taken("a", "a"))
    assert not places._held


def test_a_slow_providers_own_calls_leave_the_doors_open(settings: pytest.MonkeyPatch,
                                                         request: pytest.FixtureRequest) -> None:  # fmt: skip
    settings.setattr("api.slow.QUEUE", 0)
    office: Office = request.getfixturevalue("office")
    alipay: httpx.Client = request.getfixturevalue("alipay")
    mine = life.to_state(office, "face_check")
    said = life.faces(office).complete(life.start_face(office, mine)["reference"], "no_match")

    def calls() -> int:
        return alipay.post("/v1/callbacks/face/sandbox", content=said.body, headers=said.headers).status_code

    with ThreadPoolExecutor(45) as pool, held(settings, "tasks.faces.hear", hear) as hold:
        mob = [pool.submit(calls) for _ in range(45)]
        hold.comes(12)
        assert alipay.get(f"/v1/bindings/{mine}").status_code == 200
        hold.let_go()
        assert {one.result() for one in mob} <= {200, 429}
    assert hold.most == 12
    assert calls() == 200


def test_forged_callbacks_leave_the_doors_open(settings: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """To tell that nobody has signed it may take long: the sandbox's provider asks a database for its secret."""
    settings.setattr("api.faces.QUEUE", 2)
    settings.setattr("api.faces.PATIENCE", LONG)
    alipay: httpx.Client = request.getfixturevalue("alipay")
    mine = submitted(alipay)["id"]

    def forges() -> int:
        return httpx.post(f"{alipay.base_url}/v1/callbacks/face/sandbox", content=b"{}", timeout=LONG).status_code

    with ThreadPoolExecutor(45) as pool, held(settings, "tasks.faces.named", named) as hold:
        mob = [pool.submit(forges) for _ in range(45)]
        hold.comes(4)
        assert alipay.get(f"/v1/bindings/{mine}").status_code == 200
        assert alipay.get("/healthz").status_code == 200
        soon = as_completed(mob, LONG)
        refused = {next(soon).result() for _ in range(45 - 4 - 2)}
        hold.let_go()
        assert (refused, {one.result() for one in soon}) == ({429}, {401})
    assert hold.most == 4


def test_guesses_at_the_console_leave_the_doors_open(settings: pytest.MonkeyPatch,
                                                     request: pytest.FixtureRequest) -> None:  # fmt: skip
    """Whoever guesses needs no account, and a hash is costly: forty guesses held all threads (attack)."""
    comes: Comes = request.getfixturevalue("comes")
    alipay: httpx.Client = request.getfixturevalue("alipay")
    mine, guest = submitted(alipay)["id"], comes("")
    guest.get("/sign-in")

    def guesses() -> httpx.Response:
        return guest.http.post("/sign-in", data={"csrf": guest.csrf, "login": "nobody", "password": "wrong"})

    with ThreadPoolExecutor(45) as pool, held(settings, "workflows.access.accounts.sign_in", sign_in) as hold:
        mob = [pool.submit(guesses) for _ in range(45)]
        hold.comes(2)
        assert alipay.get(f"/v1/bindings/{mine}").status_code == 200
        soon = as_completed(mob, LONG)
        refused = [next(soon).result() for _ in range(45 - 2 - 16)]
        hold.let_go()
        assert {one.result().status_code for one in soon} <= {401, 429}  # a few seconds are waited, no more
    assert {(one.status_code, "现在登录的人太多" in one.text) for one in refused} == {(429, True)}
    assert hold.most == 2
    assert guesses().status_code == 401
