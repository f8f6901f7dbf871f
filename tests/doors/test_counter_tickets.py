"""The counter's tickets: what they say, where they may go, whole applications, and who finishes first."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from policies.ages import birthday_in
from policies.book import lawbook
from policies.calendar import shanghai_day
from tasks.office import Office
from tests import life
from tests.doors.conftest import Caller
from tests.doors.family import act, application, key, with_materials
from tests.wire import NO_AUTHORITIES
from workflows.access import principals
from workflows.case import ACTIVE, OFFLINE_FALLBACK

TICKETS = "/v1/counter/tickets"
CLEARED = {"name": "惠州市医保服务中心三号厅", "address": "惠州市惠城区一号路一号"}
Clerks = Callable[[str], httpx.Client]


@pytest.fixture
def packs(settings: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A pack that names an agency of its own, with its address."""
    folder = tmp_path / "packs"
    folder.mkdir()
    (folder / "CN-4413.family_account.yaml").write_text(
        'pack: CN-4413\nversion: "1"\neffective_from: 2025-01-01\nregion: "4413"\n'
        "inherits: CN-national/family_account\nproduct: family_account\n"
        "title: {zh: 惠州, en: Huizhou}\nsources: [S2]\nfacts: {agencies: [§B.7]}\n"
        f'agencies: {{"441300": {{name: {CLEARED["name"]}, address: {CLEARED["address"]}}}}}\n',
        encoding="utf-8",
    )
    settings.setenv("KINBIND_PACKS", str(folder))
    lawbook.cache_clear()
    yield
    lawbook.cache_clear()


@pytest.fixture
def clerk_of(base_url: str, office: Office) -> Iterator[Clerks]:
    """`clerk_of("330100")`: a new clerk of that agency, and of no other."""
    with ExitStack() as clients:

        def clerk(region: str) -> httpx.Client:
            _, key = principals.create_staff(office.ledger, "somebody", ["counter"], [region])
            told = {"Authorization": f"Bearer {key}", "Accept-Language": "en"}
            return clients.enter_context(
                httpx.Client(base_url=base_url, headers=told, timeout=30, verify=NO_AUTHORITIES)
            )

        yield clerk


@pytest.fixture
def ticket(office: Office) -> str:
    return life.to_state(office, OFFLINE_FALLBACK)


def said(client: httpx.Client, binding_id: str, what: str, **body: Any) -> httpx.Response:
    return client.post(f"{TICKETS}/{binding_id}/{what}", json=body)


def told(client: httpx.Client, binding_id: str) -> dict[str, Any]:
    """The ticket as the family's channel shows it."""
    found: dict[str, Any] = client.get(f"/v1/bindings/{binding_id}").json()["counter_ticket"]
    return found


def handed_over(client: httpx.Client, binding_id: str, agency: str) -> tuple[int, str | None]:
    answer = said(client, binding_id, "hand-over", agency=agency)
    return answer.status_code, answer.json().get("code")


# -- what a ticket says, and where it may go ----------------------------------------------------------------------


def test_a_ticket_says_where_to_go_and_what_to_bring(alipay: httpx.Client, ticket: str) -> None:
    shown = told(alipay, ticket)
    assert len(shown["code"]) == 8
    assert (shown["agency"], shown["agency_name"]) == ("440100", "广州市医疗保障经办机构")
    assert shown["address"] == "广州市医疗保障局经办大厅"
    assert shown["bring"][0] == "双方有效身份证件原件"
    assert {"个人承诺书", "户口簿"} <= set(shown["bring"])


def test_a_pack_gives_an_agency_its_own_name_and_address(
    packs: None, as_: Caller, office: Office, alipay: httpx.Client
) -> None:
    own = life.to_state(office, OFFLINE_FALLBACK, region="441300")
    other = life.to_state(office, OFFLINE_FALLBACK, region="440100", seed=2)
    assert handed_over(as_("counter"), other, "441300") == (200, None)
    for one in (own, other):
        shown = told(alipay, one)
        assert {"name": shown["agency_name"], "address": shown["address"]} == CLEARED


def test_a_handed_over_ticket_leads_to_the_new_agency_in_the_same_time(
    as_: Caller, alipay: httpx.Client, ticket: str, clerk_of: Clerks
) -> None:
    counter, shenzhen = as_("counter"), clerk_of("440300")
    before, until = told(alipay, ticket), alipay.get(f"/v1/bindings/{ticket}").json()["waiting_on"]["until"]
    assert alipay.post("/v1/sandbox/clock/advance", json={"seconds": 86_400}).status_code == 200
    assert handed_over(counter, ticket, "440300") == (200, None)
    after = told(alipay, ticket)
    assert (after["agency"], after["agency_name"], after["address"]) == (
        "440300", "深圳市医疗保障经办机构", "深圳市医疗保障局经办大厅",
    )  # fmt: skip
    assert (after["code"], after["bring"]) == (before["code"], before["bring"])
    assert alipay.get(f"/v1/bindings/{ticket}").json()["waiting_on"]["until"] == until
    assert shenzhen.get(TICKETS).json()["items"][0]["due_at"] == until
    assert handed_over(shenzhen, ticket, "440100") == (200, None)  # and back again
    assert told(alipay, ticket) == before


def test_it_goes_only_to_an_agency_that_there_is(as_: Caller, ticket: str, clerk_of: Clerks) -> None:
    counter = as_("counter")  # granted the whole country
    before = counter.get(f"/v1/bindings/{ticket}").json()["version"]
    assert handed_over(counter, ticket, "44") == (422, "request_invalid")
    assert handed_over(counter, ticket, "999900") == (422, "request_invalid")
    # no city of Guangdong, and one that the book does not know and nobody works for
    assert handed_over(counter, ticket, "449900") == (409, "agency_unserved")
    assert handed_over(counter, ticket, "339900") == (409, "agency_unserved")
    assert counter.get(f"/v1/bindings/{ticket}").json()["version"] == before
    provincial = clerk_of("339900")  # a pool right below the province has no name either
    assert handed_over(counter, ticket, "339900") == (200, None)
    assert provincial.get(TICKETS).json()["items"][0]["counter_ticket"]["agency_name"].startswith("浙江省（339900）")


def test_it_does_not_go_to_where_it_is(as_: Caller, alipay: httpx.Client, ticket: str) -> None:
    before = alipay.get(f"/v1/bindings/{ticket}").json()
    assert handed_over(as_("counter"), ticket, before["counter_ticket"]["agency"]) == (409, "agency_unchanged")
    assert alipay.get(f"/v1/bindings/{ticket}").json() == before


def test_it_goes_only_where_somebody_would_find_it(office: Office, ticket: str, clerk_of: Clerks) -> None:
    guangzhou = clerk_of("440100")
    for everywhere in ("sandbox-counter", "sandbox-counter-2"):
        principals.revoke(office.ledger, everywhere)
    assert handed_over(guangzhou, ticket, "440300") == (409, "agency_unserved")
    shenzhen = clerk_of("440300")
    stale = guangzhou.post(f"{TICKETS}/{ticket}/hand-over", json={"agency": "440300"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert handed_over(shenzhen, ticket, "440300")[0] == 404  # not his to take
    assert handed_over(guangzhou, ticket, "440300") == (200, None)
    assert said(shenzhen, ticket, "verify", method="compared_by_eye").json()["state"] == ACTIVE


# -- a whole application -------------------------------------------------------------------------------------------


def test_an_application_goes_all_its_way_at_the_counter(as_: Caller, alipay: httpx.Client) -> None:
    counter = as_("counter")
    made = counter.post(TICKETS, json=application(), headers={"Idempotency-Key": "one"}).json()
    refused = act(counter, made["id"], "submit_materials")
    assert (refused.status_code, refused.json()["code"]) == (409, "material_incomplete")
    with_materials(counter, made)
    assert act(counter, made["id"], "submit_materials").status_code == 200
    assert alipay.post("/v1/sandbox/clock/advance", json={"seconds": 1}).status_code == 200
    (item,) = counter.get(TICKETS).json()["items"]
    assert (item["binding_id"], item["reason"], item["registry_answered"]) == (made["id"], "applied_at_counter", True)
    done = said(counter, made["id"], "verify", method="document_reader", subjects=["member", "holder"])
    assert (done.json()["state"], done.json()["channel"]) == (ACTIVE, "counter")


def test_a_sharing_taken_at_the_counter_still_goes_to_the_reviewer(as_: Caller, alipay: httpx.Client) -> None:
    counter, reviewer = as_("counter"), as_("reviewer")
    body = application(product="account_sharing")
    made = counter.post(TICKETS, json=body, headers={"Idempotency-Key": "one"}).json()
    with_materials(counter, made)
    assert act(counter, made["id"], "submit_materials").status_code == 200
    assert alipay.post("/v1/sandbox/clock/advance", json={"seconds": 1}).status_code == 200
    assert [one["binding_id"] for one in reviewer.get("/v1/reviews").json()["items"]] == [made["id"]]
    for what in ("claim", "approve"):
        assert reviewer.post(f"/v1/reviews/{made['id']}/{what}", json={}).status_code == 200
    assert counter.get(f"/v1/bindings/{made['id']}").json()["state"] == ACTIVE


# -- online and at the counter at once -----------------------------------------------------------------------------


def begun_and_offline(alipay: httpx.Client, office: Office) -> tuple[str, str]:
    """A case with a face attempt under way, whose family went to the counter; its id and the attempt's."""
    binding_id = life.to_state(office, "face_check")
    begun = alipay.post(f"/v1/bindings/{binding_id}/face-checks", json={"subject": "member"})
    assert begun.status_code == 201
    assert act(alipay, binding_id, "choose_offline", reason="cannot_pass").status_code == 200
    return binding_id, begun.json()["id"]


def passes(alipay: httpx.Client, attempt: str) -> httpx.Response:
    return alipay.post(f"/v1/sandbox/face-checks/{attempt}/complete", json={"outcome": "passed"})


def test_the_counter_first_and_the_pass_is_noted_on_its_attempt(
    as_: Caller, alipay: httpx.Client, office: Office
) -> None:
    binding_id, attempt = begun_and_offline(alipay, office)
    assert said(as_("counter"), binding_id, "refuse", reason="relation_unproven").json()["state"] == "rejected"
    before = alipay.get(f"/v1/bindings/{binding_id}").json()
    assert passes(alipay, attempt).status_code == 200
    assert alipay.get(f"/v1/bindings/{binding_id}").json() == before
    (noted,) = alipay.get(f"/v1/bindings/{binding_id}/face-checks").json()["items"]
    assert (noted["id"], noted["status"]) == (attempt, "passed")


def test_the_pass_first_and_the_clerk_is_told(as_: Caller, alipay: httpx.Client, office: Office) -> None:
    counter, (binding_id, attempt) = as_("counter"), begun_and_offline(alipay, office)
    assert passes(alipay, attempt).status_code == 200
    assert counter.get(TICKETS).json()["items"] == []
    late = said(counter, binding_id, "verify", method="document_reader")
    assert (late.status_code, late.json()["code"], late.json()["state"]) == (409, "action_not_available", ACTIVE)


def test_both_at_once_make_one_step(as_: Caller, alipay: httpx.Client, office: Office) -> None:
    counter, (binding_id, attempt) = as_("counter"), begun_and_offline(alipay, office)
    with ThreadPoolExecutor(2) as pool:
        at_counter = pool.submit(said, counter, binding_id, "refuse", reason="relation_unproven")
        online = pool.submit(passes, alipay, attempt)
        clerk, provider = at_counter.result(), online.result()
    assert provider.status_code == 200
    events = life.events(office, binding_id)
    assert len({"face_check_passed", "counter_refused"} & set(events)) == 1
    won = "counter_refused" in events
    assert clerk.status_code == (200 if won else 409)
    assert alipay.get(f"/v1/bindings/{binding_id}").json()["state"] == ("rejected" if won else ACTIVE)
    (noted,) = alipay.get(f"/v1/bindings/{binding_id}/face-checks").json()["items"]
    assert noted["status"] == "passed"


def test_at_the_window_nobody_must_agree_to_a_camera(as_: Caller, office: Office):
    """Whoever declines it is sent there by the notice itself, which promises that nothing comes of it (§C.11)."""
    body = application()
    body["consents"] = [one for one in body["consents"] if one["notice"] != "face"]
    at_home = as_("alipay").post("/v1/bindings", json=body, headers=key()).json()
    assert (at_home["code"], at_home["missing"]) == ("consent_missing", ["face"])
    taken = as_("counter").post(TICKETS, json=body, headers=key())
    assert taken.status_code == 201, taken.text
    kept = as_("counter").get(f"/v1/bindings/{taken.json()['id']}/consents").json()["items"]
    assert "face" not in {one["notice"] for one in kept}
    clerk = as_("counter")
    with_materials(clerk, taken.json())
    assert act(clerk, taken.json()["id"], "submit_materials").status_code == 200
    life.registries_say_yes(office, taken.json()["id"])
    assert life.look(office, taken.json()["id"]).state == OFFLINE_FALLBACK  # a clerk looks, no camera


def test_a_ticket_in_force_is_its_agencys_and_the_binding_still_the_holders_windows(
    clerk_of: Clerks, office: Office
) -> None:
    """A clerk where the holder is insured served the binding before, and does; he settles no ticket of another's."""
    soon = shanghai_day(office.ledger.now()) + timedelta(days=10)
    born = birthday_in(soon, soon.year - 16)
    binding_id = life.to_state(office, "active", relationship="CHILD", member_born=born, member_region="320500")
    life.advance(office, days=11)
    guangzhou, suzhou = clerk_of("440100"), clerk_of("320500")
    seen = guangzhou.get(f"/v1/bindings/{binding_id}").json()
    assert (seen["counter_ticket"]["agency"], seen["available_actions"]) == ("320500", ["unbind", "report_change"])
    where, said = f"{TICKETS}/{binding_id}/verify", {"method": "compared_by_eye", "subjects": ["member"]}
    assert guangzhou.post(where, json=said).json()["code"] == "action_not_available"
    assert suzhou.post(where, json=said).json()["state"] == "active"


@pytest.mark.parametrize("days", [11, 45], ids=["in force", "suspended"])
def test_who_must_verify_again_may_do_so_where_he_lives_now(clerk_of: Clerks, office: Office, days: int) -> None:
    soon = shanghai_day(office.ledger.now()) + timedelta(days=10)
    born = birthday_in(soon, soon.year - 16)
    binding_id = life.to_state(office, "active", relationship="CHILD", member_born=born, member_region="320500")
    life.advance(office, days=days)
    guangzhou, suzhou, shenzhen = clerk_of("440100"), clerk_of("320500"), clerk_of("440300")
    assert handed_over(guangzhou, binding_id, "440300")[1] == ("action_not_available" if days == 11 else "not_found")
    (before,) = suzhou.get(TICKETS).json()["items"]
    assert "hand_over" in before["available_actions"]
    assert handed_over(suzhou, binding_id, "440300") == (200, None)
    (after,) = shenzhen.get(TICKETS).json()["items"]
    assert suzhou.get(TICKETS).json()["items"] == []
    assert [after[one] for one in ("code", "due_at")] == [before[one] for one in ("code", "due_at")]
    seen = said(shenzhen, binding_id, "verify", method="compared_by_eye", subjects=["member"])
    assert seen.json()["state"] == "active"


def test_a_ticket_in_force_may_be_given_to_another_agency(as_: Caller, office: Office) -> None:
    soon = shanghai_day(office.ledger.now()) + timedelta(days=10)
    binding_id = life.to_state(office, "active", member_born=birthday_in(soon, soon.year - 16))
    life.advance(office, days=11)
    wish = {"repair": "reassign", "reason": "搬家", "agency": "320500"}
    repaired = as_("operator").post(f"/v1/ops/bindings/{binding_id}/repair", json=wish, headers={"If-Match": '"1"'})
    assert (repaired.status_code, repaired.json()["code"]) == (412, "stale_version")
    repaired = as_("operator").post(f"/v1/ops/bindings/{binding_id}/repair", json=wish, headers=key())
    assert repaired.json()["state"] == "done", repaired.text
    ticket = as_("counter").get(f"/v1/bindings/{binding_id}").json()["counter_ticket"]
    assert ticket["agency"] == "320500"
