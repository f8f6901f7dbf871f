"""Many at once through the clerk: one batch, several processes, and always the same few places."""

import asyncio
import copy
import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from api.clerk import Clerk, ClerkGone
from tasks.office import Office
from tests import life
from tests.doors.conftest import serving
from tests.doors.family import act, application, key, submitted, view
from workflows.commands import Command
from workflows.submission import Request


def relatives(count: int, first: int) -> list[dict[str, Any]]:
    """Applications of one holder for as many members."""
    return [application(seed=first + n, holder_seed=first) for n in range(count)]


def test_ten_apply_for_the_fifth_place(base_url: str, alipay: httpx.Client) -> None:
    bodies = relatives(14, 600)
    for body in bodies[:4]:
        submitted(alipay, body)
    with serving() as second, ThreadPoolExecutor(10) as threads:
        addresses = itertools.cycle([base_url, second])

        def send(asked: tuple[dict[str, Any], str]) -> httpx.Response:
            body, address = asked
            return httpx.post(f"{address}/v1/bindings", json=body, headers=key() | dict(alipay.headers), timeout=30)

        answers = list(threads.map(send, zip(bodies[4:], addresses, strict=False)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 9}
    assert {view(answer)["code"] for answer in answers if answer.status_code == 409} == {"holder_limit"}


def test_five_at_once_for_an_empty_holder_all_get_a_place(alipay: httpx.Client) -> None:
    bodies = relatives(5, 620)
    with ThreadPoolExecutor(5) as threads:
        answers = list(threads.map(lambda body: alipay.post("/v1/bindings", json=body, headers=key()), bodies))
    assert [answer.status_code for answer in answers] == [201] * 5


def test_the_same_pair_at_once_is_one_binding(alipay: httpx.Client, wechat: httpx.Client) -> None:
    body = application()
    with ThreadPoolExecutor(6) as threads:
        answers = list(
            threads.map(
                lambda n: (alipay, wechat)[n % 2].post("/v1/bindings", json=copy.copy(body), headers=key()), range(6)
            )
        )
    codes = Counter(view(answer).get("code", "made") for answer in answers)
    assert codes == {"made": 1, "duplicate_binding": 5}


def test_withdrawn_by_many_at_once(alipay: httpx.Client, office: Office) -> None:
    made = submitted(alipay)
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: act(alipay, made["id"], "withdraw"), range(6)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 5}
    assert life.events(office, made["id"]) == ["submitted", "withdrawn"]


def test_what_was_accepted_is_listed_and_a_full_table_is_served(alipay: httpx.Client) -> None:
    """More than a batch at once, of people who have nothing to do with each other."""
    bodies = [application() for _ in range(80)]
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda body: alipay.post("/v1/bindings", json=body, headers=key()), bodies))
    assert {answer.status_code for answer in answers} == {201}
    assert len({view(answer)["id"] for answer in answers}) == 80


# -- the clerk himself ---------------------------------------------------------------------------------------------


def request_for(office: Office, seed: int) -> Request:
    return life.a_request(office.desk.book, seed=seed)


def command(office: Office, clerk: Clerk, seed: int) -> Command:
    facts = {"request": request_for(office, seed), "channel": "alipay"}
    return Command("submit", clerk.new_id("bnd"), life.channel(), facts)


def test_a_command_that_cannot_be_carried_out_fails_alone(office: Office) -> None:
    clerk = Clerk(office.desk)
    bad = Command("submit", clerk.new_id("bnd"), life.channel(), {"request": None, "channel": "alipay"})

    async def day() -> list[Any]:
        said = [clerk.say(one) for one in (command(office, clerk, 640), bad, command(office, clerk, 641))]
        waiting = [asyncio.ensure_future(one) for one in said]
        await asyncio.sleep(0)  # all lie on the table before the clerk sits down: one batch
        clerk.start()
        return await asyncio.gather(*waiting)

    good, broken, also_good = asyncio.run(day())
    clerk.stop()
    assert [good.refused, also_good.refused] == [None, None]
    assert isinstance(broken.refused, AttributeError)


def test_who_hangs_up_does_not_disturb(office: Office) -> None:
    clerk = Clerk(office.desk)

    async def day() -> Any:
        hung_up = asyncio.ensure_future(clerk.say(command(office, clerk, 642)))
        other = asyncio.ensure_future(clerk.say(command(office, clerk, 643)))
        await asyncio.sleep(0)
        hung_up.cancel()
        clerk.start()
        return await other

    assert asyncio.run(day()).refused is None
    clerk.stop()


def test_at_the_end_the_table_is_served_and_then_closed(office: Office) -> None:
    clerk = Clerk(office.desk)

    async def day() -> Any:
        last = asyncio.ensure_future(clerk.say(command(office, clerk, 644)))
        await asyncio.sleep(0)
        clerk.start()
        await asyncio.to_thread(clerk.stop)
        with pytest.raises(ClerkGone):
            await clerk.say(command(office, clerk, 645))
        return await last

    assert asyncio.run(day()).refused is None
