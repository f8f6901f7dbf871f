"""Asked at the moment of use, and what was used."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import httpx
import orjson
import pytest

from api.texts import TEXTS
from models.ledger import Ledger
from tasks.office import Office
from tests import life
from tests.doors.conftest import Caller
from tests.doors.family import key
from workflows import answers, entitlements
from workflows.case import ACTIVE, AGENCY_REVIEW
from workflows.entitlements import REASONS, Use

CHILD = date(2019, 1, 1)


@pytest.fixture
def active(office: Office) -> str:
    return life.to_state(office, ACTIVE, member_born=CHILD)


def numbers(office: Office, binding_id: str) -> dict[str, str]:
    parties = life.look(office, binding_id).application.parties
    return {f"{role}_id_number": parties[role]["id_number"] for role in ("holder", "member")}


def check(client: httpx.Client, people: dict[str, str], purpose: str = "show_code", **more: Any) -> dict[str, Any]:
    answer = client.post("/v1/entitlements/check", json={**people, "purpose": purpose, **more})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_an_allowed_use_is_recorded(alipay: httpx.Client, wechat: httpx.Client, active: str, office: Office) -> None:
    people = numbers(office, active)
    assert check(alipay, people) == {"allowed": True, "reason": None, "binding_id": active}
    assert check(wechat, people, "query_usage", region="440100", patient="member")["allowed"] is True
    page = alipay.get(f"/v1/bindings/{active}/usage", params={"limit": 1}).json()
    assert [(one["purpose"], one["channel"], one["region"]) for one in page["items"]] == [
        ("query_usage", "wechat", "440100")
    ]
    rest = alipay.get(f"/v1/bindings/{active}/usage", params={"cursor": page["next_cursor"]}).json()
    assert [one["purpose"] for one in rest["items"]] == ["show_code"]
    assert rest["next_cursor"] is None
    assert wechat.get(f"/v1/bindings/{active}/usage").status_code == 404


def test_a_binding_that_ends_while_it_is_asked_about_allows_nothing(
    active: str, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    application, look = life.look(office, active).application, office.desk.look_many

    def ends_meanwhile(ids: list[str]) -> Any:
        looked = look(ids)
        life.say(office, "end", active, life.SUPERVISOR, reason="suspected_fraud")
        return looked

    monkeypatch.setattr(office.desk, "look_many", ends_meanwhile)
    use = Use([application.holder], [application.member], "show_code", "alipay", "sandbox-alipay")
    told = orjson.loads(entitlements.check(office.desk, use, office.ledger.now(), None).body)
    assert told == {"allowed": False, "reason": "not_active", "binding_id": None}
    assert entitlements.uses(office.desk, active, 9, None)["items"] == []


def test_a_key_records_one_use(alipay: httpx.Client, active: str, office: Office) -> None:
    """Copies at once, and one that comes after its first was cut off with the use recorded: one use, one answer."""
    asked, told = numbers(office, active) | {"purpose": "show_code"}, key()

    def send(_: int) -> httpx.Response:
        return alipay.post("/v1/entitlements/check", json=asked, headers=told)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, range(8)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert len(alipay.get(f"/v1/bindings/{active}/usage").json()["items"]) == 1


def test_a_use_and_the_answer_to_it_are_one_commit(
    alipay: httpx.Client, active: str, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, told = numbers(office, active) | {"purpose": "show_code"}, key()

    def dies(*_: Any) -> None:
        raise OSError

    with monkeypatch.context() as cut_off:
        cut_off.setattr(answers, "complete", dies)  # what comes after the commit
        assert alipay.post("/v1/entitlements/check", json=asked, headers=told).status_code == 500
    again = alipay.post("/v1/entitlements/check", json=asked, headers=told)
    assert (again.json()["allowed"], again.headers["idempotency-replayed"]) == (True, "true")
    assert len(alipay.get(f"/v1/bindings/{active}/usage").json()["items"]) == 1


def test_every_reason_has_its_text() -> None:
    assert set(REASONS) <= TEXTS.keys()


def test_the_time_is_asked_for_once(
    alipay: httpx.Client, active: str, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, asked, now = numbers(office, active), [], Ledger.now

    def counted(ledger: Ledger) -> Any:
        asked.append(ledger)
        return now(ledger)

    monkeypatch.setattr(Ledger, "now", counted)
    assert check(alipay, people)["allowed"] is True
    assert len(asked) == 1


def test_what_is_not_allowed_is_not_recorded(alipay: httpx.Client, active: str, office: Office) -> None:
    people = numbers(office, active)
    wrong = {"allowed": False, "binding_id": active}
    assert check(alipay, people, "pay_from_account") == {**wrong, "reason": "wrong_product"}
    assert check(alipay, people, patient="holder") == {**wrong, "reason": "not_own_code"}
    assert alipay.get(f"/v1/bindings/{active}/usage").json()["items"] == []


def test_nothing_is_said_of_anybody_else(alipay: httpx.Client, active: str, office: Office) -> None:
    people = numbers(office, active)
    nothing = {"allowed": False, "reason": "not_active", "binding_id": None}
    turned = {"holder_id_number": people["member_id_number"], "member_id_number": people["holder_id_number"]}
    assert check(alipay, turned) == nothing
    stranger = {**people, "holder_id_number": life.number(date(1980, 1, 1), 5)}
    assert check(alipay, stranger) == nothing


def test_a_channel_of_neither_learns_nothing_and_leaves_a_trace(
    as_: Caller, alipay: httpx.Client, active: str, office: Office
) -> None:
    """A purpose that is always refused told, untraced, whether a number was that of the other party (attack)."""
    application, people = life.look(office, active).application, numbers(office, active)
    stranger, nothing = as_("suzhou_yibao_oa"), {"allowed": False, "reason": "not_active", "binding_id": None}

    def noted() -> list[Any]:
        with office.ledger.connection() as conn:
            return conn.execute("select principal, act, person, purpose from access_log order by id").fetchall()

    assert check(stranger, people, "pay_from_account") == nothing
    assert check(stranger, {**people, "holder_id_number": life.number(date(1980, 1, 1), 5)}) == nothing
    both, traces = [application.holder, application.member], noted()
    assert len(traces) == 4
    assert traces[:2] == [("sandbox-suzhou_yibao_oa", "entitlement_check", one, "pay_from_account") for one in both]
    assert traces[3] == ("sandbox-suzhou_yibao_oa", "entitlement_check", application.member, "show_code")
    assert check(stranger, people)["allowed"] is True  # as in any channel
    assert len(noted()) == 6
    assert check(alipay, people, "pay_from_account")["reason"] == "wrong_product"
    stranger.post("/v1/bindings/search", json={"acting_for": {"id_number": people["member_id_number"]}})
    assert check(stranger, people, "pay_from_account")["reason"] == "wrong_product"  # his own user's
    assert len(noted()) == 7  # the search


def test_only_what_is_in_force(as_: Caller, alipay: httpx.Client, active: str, office: Office) -> None:
    people = numbers(office, active)
    ask: dict[str, Any] = {"initiator": "holder", "method": "pay_password"}
    life.say(office, "request_unbind", active, **ask)
    assert check(alipay, people)["allowed"] is True  # in force until it is confirmed
    life.say(office, "cancel_unbind", active)
    life.say(office, "suspend", active, life.SUPERVISOR, reason="suspected_fraud")
    assert check(alipay, people) == {"allowed": False, "reason": "suspended", "binding_id": active}
    life.say(office, "request_unbind", active, **ask)
    assert check(alipay, people)["allowed"] is False
    life.say(office, "confirm_unbind", active)
    assert check(alipay, people)["reason"] == "not_active"


def test_shared_money_in_its_area(as_: Caller, office: Office) -> None:
    sharing = life.to_state(office, AGENCY_REVIEW, product="account_sharing", region="440100")
    people, yueyibao = numbers(office, sharing), as_("yueyibao_alipay")
    assert check(yueyibao, people, "pay_from_account")["reason"] == "not_active"
    life.claim(office, sharing)
    life.say(office, "approve", sharing, life.REVIEWER)
    assert check(yueyibao, people, "pay_from_account", region="440100")["allowed"] is True
    far = check(yueyibao, people, "pay_from_account", region="320500")
    assert (far["allowed"], far["reason"]) == (False, "region_not_allowed")


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"purpose": "gamble"}, "/purpose"),
        ({"holder_id_number": "123"}, "/holder_id_number"),
        ({"member_id_number": "440106195706124211"}, "/member_id_number"),
        ({"patient": "mother"}, "/patient"),
        ({"region": "44"}, "/region"),
    ],
)
def test_wrong_questions(alipay: httpx.Client, wrong: dict[str, Any], pointer: str) -> None:
    people = {"holder_id_number": life.number(date(1985, 6, 1)), "member_id_number": life.number(CHILD)}
    refused = alipay.post("/v1/entitlements/check", json={**people, "purpose": "show_code", **wrong})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)


def test_a_repeated_question_is_recorded_once(alipay: httpx.Client, active: str, office: Office) -> None:
    asked: dict[str, Any] = {
        "json": {**numbers(office, active), "purpose": "show_code"},
        "headers": {"Idempotency-Key": "one"},
    }
    first = alipay.post("/v1/entitlements/check", **asked)
    assert alipay.post("/v1/entitlements/check", **asked).content == first.content
    assert len(alipay.get(f"/v1/bindings/{active}/usage").json()["items"]) == 1


def test_staff_do_not_ask(as_: Caller, active: str, office: Office) -> None:
    refused = as_("counter").post("/v1/entitlements/check", json={**numbers(office, active), "purpose": "show_code"})
    assert refused.status_code == 403
    assert as_("operator").get(f"/v1/bindings/{active}/usage").status_code == 200
    assert as_("reviewer-suzhou").get(f"/v1/bindings/{active}/usage").status_code == 404


def test_a_sharing_that_rests_is_not_to_be_made_anew(alipay: httpx.Client, office: Office) -> None:
    """A code to be shown stands on it: told is that it rests, and which it is."""
    sharing = life.to_state(office, AGENCY_REVIEW)
    life.claim(office, sharing)
    life.say(office, "approve", sharing, life.REVIEWER)
    code = life.submit(office, life.a_request(office.desk.book, product="code_display"))
    life.registries_say_yes(office, code)
    for subject in ("member", "holder"):
        life.pass_face(office, code, subject)
    life.say(office, "confirm_authorisation", code)
    people = numbers(office, code)
    assert check(alipay, people, "pay_from_account")["allowed"] is True
    life.say(office, "suspend", sharing, life.SUPERVISOR, reason="suspected_fraud")
    told = check(alipay, people, "pay_from_account")
    assert (told["allowed"], told["reason"], told["binding_id"]) == (False, "suspended", sharing)
