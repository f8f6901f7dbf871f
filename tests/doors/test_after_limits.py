"""How many, through the door: exact however many ask at once, and silent about who the others are."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import httpx

from tests.doors.family import act, application, view
from tests.doors.town import Town, View

CHILD = date(2019, 5, 1)


def at_once(town: Town, bodies: list[View]) -> list[httpx.Response]:
    """Applications sent at the same time, through two channels in turns."""
    channels = [("alipay", "wechat")[place % 2] for place in range(len(bodies))]
    for channel in set(channels):
        town.at(channel)
    with ThreadPoolExecutor(len(bodies)) as threads:
        return list(threads.map(town.applied, channels, bodies))


def test_ten_at_once_for_five_places(town: Town) -> None:
    answers = at_once(town, [application(holder_seed=980, member_seed=700 + n) for n in range(10)])
    codes = Counter(view(answer).get("code") for answer in answers)
    assert codes == {None: 5, "holder_limit": 5}
    made = next(view(answer) for answer in answers if answer.status_code == 201)
    assert act(town.at(made["channel"]), made["id"], "withdraw").status_code == 200
    again = at_once(town, [application(holder_seed=980, member_seed=720 + n) for n in range(4)])
    assert Counter(view(answer).get("code") for answer in again) == {None: 1, "holder_limit": 3}


def test_four_at_once_for_the_two_places_of_a_members_month(town: Town) -> None:
    """Four clerks verify the same member for four holders at the same moment: two come into force."""
    bodies = [application(holder_seed=740 + n, member_seed=740, region="320500") for n in range(4)]
    cases = [town.checked("alipay", body) for body in bodies]
    for seen in cases:
        assert act(town.at("alipay"), seen["id"], "choose_offline", reason="cannot_pass").status_code == 200
    clerk = town.at("counter")

    def verify(seen: View) -> View:
        said = {"method": "document_reader", "subjects": ["member"]}
        return view(clerk.post(f"/v1/counter/tickets/{seen['id']}/verify", json=said))

    with ThreadPoolExecutor(len(cases)) as threads:
        ends = list(threads.map(verify, cases))
    found = Counter((seen["state"], seen["reason"]) for seen in ends)
    assert found == {("active", None): 2, ("rejected", "member_binder_limit"): 2}
    uses = [town.use("alipay", body, "show_code")[0] for body in bodies]
    assert sorted(uses) == [False, False, True, True]
    # he who was refused sees why, and nobody else's name, number or binding
    (refused, *_), in_force = [[one for one in ends if one["state"] == state] for state in ("rejected", "active")]
    told = town.at("alipay").get(f"/v1/bindings/{refused['id']}/timeline").text + str(refused)
    for place, seen in enumerate(ends):
        if seen in in_force:
            assert seen["id"] not in told
            assert bodies[place]["holder"]["id_number"] not in told


def test_a_refusal_says_nothing_of_the_others(town: Town) -> None:
    secrets: list[str] = []
    for holder in (750, 751):
        seen, body = town.active("wechat", holder_seed=holder, member_seed=750, member_born=CHILD, region="320500")
        secrets += [seen["id"], body["holder"]["id_number"], seen["holder"]["id_number"], "wechat"]
    refused = town.applied("alipay", application(holder_seed=752, member_seed=750, member_born=CHILD, region="320500"))
    assert (refused.status_code, refused.json()["code"]) == (409, "member_binder_limit")
    assert refused.json().keys() == {"type", "title", "status", "detail", "instance", "code"}
    told = refused.text + str(dict(refused.headers))
    assert [secret for secret in secrets if secret in told] == []
