"""The end by payment password: five wrong ones a day, wherever they are typed; guesses sent at once are five too."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import httpx
import pytest

from tasks.office import Office
from tasks.unbinding import confirm_unbind
from tests import life
from tests.doors.family import act, key, view
from workflows.commands import Command


def unbinding(office: Office, seed: int, **options: object) -> str:
    return life.to_state(office, "unbinding", seed=seed, **options)


def number_of(office: Office, binding_id: str, role: str = "holder") -> str:
    number: str = office.desk.look(binding_id)[0].application.parties[role]["id_number"]
    return number


def test_attempts_are_counted_and_locked_until_midnight(
    alipay: httpx.Client, wechat: httpx.Client, office: Office
) -> None:
    binding_id = unbinding(office, 540)
    holder = {"acting_for": {"id_number": number_of(office, binding_id)}}
    for left, client in zip((4, 3, 2, 1, 0), (alipay, wechat, alipay, wechat, alipay), strict=True):
        wrong = act(client, binding_id, "confirm_unbind", pay_password="000000", **holder)
        assert (wrong.status_code, view(wrong)["code"]) == (422, "pay_password_wrong")
        assert view(wrong)["attempts_left"] == left
        assert view(wrong)["errors"][0]["pointer"] == "/pay_password"
        assert "000000" not in wrong.text
    for client in (alipay, wechat):
        locked = act(client, binding_id, "confirm_unbind", pay_password="123456", **holder)
        assert (locked.status_code, view(locked)["code"]) == (409, "pay_password_locked")
        assert view(locked)["until"].endswith("T16:00:00Z")
    assert view(alipay.get(f"/v1/bindings/{binding_id}"))["state"] == "unbinding"
    act(alipay, binding_id, "cancel_unbind", **holder)
    anew = view(act(alipay, binding_id, "request_unbind", initiator="holder", method="pay_password", **holder))
    assert "cancel_unbind" in anew["available_actions"]  # and the other would be refused
    assert "confirm_unbind" not in anew["available_actions"]


@pytest.mark.parametrize(
    "number", ["１３８００１３８０００", "138 0013 8000", "440106-19580307-1234", "138\u200b00138000"]
)
def test_a_reason_that_others_read_names_nobody(alipay: httpx.Client, office: Office, number: str) -> None:
    binding_id = life.to_state(office, "active", seed=546)
    asked = {"initiator": "holder", "method": "pay_password", "reason": f"張大山 {number}"}
    refused = act(alipay, binding_id, "request_unbind", **asked)
    assert [(one["pointer"], one["code"]) for one in view(refused)["errors"]] == [("/reason", "number_in_text")]
    assert (
        act(alipay, binding_id, "request_unbind", **asked | {"reason": "2026-11-30 18:30 起不再需要"}).status_code
        == 200
    )


def test_the_next_day_is_another_day(alipay: httpx.Client, office: Office) -> None:
    binding_id = unbinding(office, 541)
    for _ in range(5):
        act(alipay, binding_id, "confirm_unbind", pay_password="000000")
    life.skip(office, days=1)  # the deadline of the unbinding is another matter: nobody has swept yet
    assert view(act(alipay, binding_id, "confirm_unbind", pay_password="123456"))["state"] == "unbound"


def test_guesses_sent_at_once_are_five(alipay: httpx.Client, office: Office) -> None:
    binding_id = unbinding(office, 542)
    with ThreadPoolExecutor(12) as threads:
        answers = list(
            threads.map(lambda n: act(alipay, binding_id, "confirm_unbind", pay_password=f"00000{n}"), range(12))
        )
    assert Counter(view(answer)["code"] for answer in answers) == {"pay_password_wrong": 5, "pay_password_locked": 7}


def test_a_wrong_one_is_not_kept_under_the_key_and_the_right_one_is(alipay: httpx.Client, office: Office) -> None:
    binding_id, told = unbinding(office, 543), key()
    where = f"/v1/bindings/{binding_id}/actions/confirm_unbind"
    assert alipay.post(where, json={"pay_password": "1"}, headers=told).status_code == 422
    first = alipay.post(where, json={"pay_password": "123456"}, headers=told)
    again = alipay.post(where, json={"pay_password": "123456"}, headers=told)
    assert (first.status_code, again.content) == (200, first.content)
    assert again.headers["idempotency-replayed"] == "true"


def test_only_who_asked_confirms(alipay: httpx.Client, office: Office) -> None:
    binding_id = unbinding(office, 544)
    member = {"acting_for": {"id_number": number_of(office, binding_id, "member")}}
    refused = act(alipay, binding_id, "confirm_unbind", pay_password="123456", **member)
    assert (refused.status_code, view(refused)["code"]) == (409, "action_not_available")
    with office.ledger.connection() as conn:
        assert conn.execute("select from password_failures").rowcount == 0


def test_the_members_own_password_ends_it_for_the_member(
    alipay: httpx.Client, wechat: httpx.Client, office: Office
) -> None:
    binding_id = life.to_state(office, "active", seed=545)
    number = number_of(office, binding_id, "member")
    life.registries(office).put_person(number, {"pay_password": "654321"})
    member = {"acting_for": {"id_number": number}}
    asked = act(wechat, binding_id, "request_unbind", initiator="member", method="pay_password", **member)
    assert view(asked)["waiting_on"]["party"] == "member"
    assert act(wechat, binding_id, "confirm_unbind", pay_password="123456", **member).status_code == 422
    ended = act(wechat, binding_id, "confirm_unbind", pay_password="654321", **member)
    assert (view(ended)["state"], view(ended)["reason"]) == ("unbound", "by_member")


def test_a_registry_that_does_not_answer_costs_no_attempt(alipay: httpx.Client, office: Office) -> None:
    binding_id = unbinding(office, 546)
    life.registries(office).set_mode("down")
    down = act(alipay, binding_id, "confirm_unbind", pay_password="123456")
    assert (down.status_code, view(down)["code"]) == (503, "pay_password_unavailable")
    life.registries(office).set_mode("up")
    assert view(act(alipay, binding_id, "confirm_unbind", pay_password="1"))["attempts_left"] == 4


def test_a_registry_that_breaks_costs_no_attempt_either(
    alipay: httpx.Client, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: str) -> bool:
        raise ValueError("a page in place of an answer")

    binding_id = unbinding(office, 553)
    monkeypatch.setattr(life.registries(office), "pay_password_right", broken)
    for _ in range(5):
        with pytest.raises(ValueError, match="a page"):
            confirm_unbind(office, Command("confirm_unbind", binding_id, life.channel()), "123456")
    assert view(act(alipay, binding_id, "confirm_unbind", pay_password="1"))["attempts_left"] == 4


def test_by_face_there_is_no_password(alipay: httpx.Client, office: Office) -> None:
    binding_id = life.to_state(office, "active", seed=547)
    asked = act(alipay, binding_id, "request_unbind", initiator="holder", method="face")
    assert "confirm_unbind" not in view(asked)["available_actions"]
    refused = act(alipay, binding_id, "confirm_unbind", pay_password="123456")
    assert view(refused)["code"] == "action_not_available"
    started = alipay.post(f"/v1/bindings/{binding_id}/face-checks", json={"subject": "holder"})
    assert started.status_code == 201, started.text
    life.end_face(office, life.sessions(office, binding_id)[-1])
    assert view(alipay.get(f"/v1/bindings/{binding_id}"))["state"] == "unbound"


def test_no_childs_face_is_asked_for_the_end(alipay: httpx.Client, office: Office) -> None:
    """Not for the binding, nor for its end (F15): the payment password, or the guardian's face."""
    child, grown = (life.to_state(office, "active", seed=seed, member_born=born)
                    for seed, born in ((551, date(2016, 5, 1)), (552, date(1958, 3, 7))))  # fmt: skip
    for binding_id, method, status in ((child, "face", 422), (child, "pay_password", 200), (grown, "face", 200)):
        who = {"acting_for": {"id_number": number_of(office, binding_id, "member")}}
        asked = act(alipay, binding_id, "request_unbind", initiator="member", method=method, **who)
        assert asked.status_code == status, asked.text
        assert view(asked).get("code") == ("method_not_allowed" if status == 422 else None)
