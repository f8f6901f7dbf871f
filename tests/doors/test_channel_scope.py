"""Who sees what, and in which order a request is judged."""

from typing import Any

import httpx

from tasks.office import Office
from tests import life
from tests.doors.family import act, application, key, picture, submitted, uploaded, view


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, view(answer)["code"]


def acting(person: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"acting_for": {"id_number": person["id_number"], **more}}


def test_another_channel_sees_nothing(alipay: httpx.Client, wechat: httpx.Client) -> None:
    made = submitted(alipay)
    where = f"/v1/bindings/{made['id']}"
    nowhere = "/v1/bindings/bnd_00000000000000000000000000"
    for method, path, sent in (
        ("GET", "", None), ("GET", "/timeline", None), ("GET", "/materials", None), ("GET", "/face-checks", None),
        ("POST", "/actions/withdraw", {}), ("POST", "/actions/choose_offline", {"reason": "nonsense"}),
        ("POST", "/actions/withdraw_consent", {"notice": "face"}), ("POST", "/actions/confirm_unbind", {}),
        ("POST", "/face-checks", {"subject": "nobody"}), ("DELETE", "/materials/mat_1", None),
    ):  # fmt: skip
        hidden = wechat.request(method, where + path, json=sent)
        absent = wechat.request(method, nowhere + path, json=sent)
        assert code(hidden) == code(absent) == (404, "not_found"), path
        assert hidden.content.replace(made["id"].encode(), b"bnd_00000000000000000000000000") == absent.content
    assert code(uploaded(wechat, made["id"], "other")) == (404, "not_found")
    assert view(wechat.post("/v1/bindings/search", json={}))["items"] == []


def test_the_order_of_checks(alipay: httpx.Client, wechat: httpx.Client, as_: Any, office: Office) -> None:
    binding_id = life.to_state(office, "active", seed=520)
    where = f"/v1/bindings/{binding_id}/actions/choose_offline"
    unreadable, stale = b"{", {"If-Match": '"1"', "Content-Type": "application/json"}
    unknown = httpx.Client(base_url=alipay.base_url)
    assert code(unknown.post(where, content=unreadable, headers=stale))[0] == 401
    assert code(as_("reviewer").post(where, content=unreadable, headers=stale)) == (403, "role_required")
    assert code(wechat.post(where, content=unreadable, headers=stale)) == (404, "not_found")
    assert code(alipay.post(where, content=unreadable, headers=stale)) == (400, "request_unreadable")
    assert code(alipay.post(where, json={"reason": "x"}, headers=stale)) == (422, "request_invalid")
    assert code(alipay.post(where, json={"reason": "other"}, headers={"If-Match": '"1"'})) == (412, "stale_version")
    assert code(alipay.post(where, json={"reason": "other"})) == (409, "action_not_available")
    unknown.close()


def test_if_match_lets_only_the_newest_pass(alipay: httpx.Client) -> None:
    made = submitted(alipay)
    where = f"/v1/bindings/{made['id']}/actions/withdraw"
    stale = alipay.post(where, headers={"If-Match": '"7"'})
    assert code(stale) == (412, "stale_version")
    assert view(stale)["version"] == 1
    assert alipay.post(where, headers={"If-Match": 'W/"1"'}).status_code == 200
    assert alipay.get(f"/v1/bindings/{made['id']}").headers["etag"] == '"2"'


def test_who_acts_for_a_party_sees_and_ends_it_anywhere(alipay: httpx.Client, wechat: httpx.Client) -> None:
    body = application()
    made = submitted(alipay, body)
    found = wechat.post("/v1/bindings/search", json=acting(body["member"]))
    assert [one["id"] for one in view(found)["items"]] == [made["id"]]
    listed = [one for one in made["available_actions"] if one != "upload_material"]  # its door names nobody
    assert view(found)["items"][0]["available_actions"] == listed
    stranger = application()["holder"]
    assert code(act(wechat, made["id"], "withdraw", **acting(stranger))) == (404, "not_found")
    # a person signed in who is no party may not end it at the channel that submitted it either
    assert code(act(alipay, made["id"], "withdraw", **acting(stranger))) == (404, "not_found")
    ended = act(wechat, made["id"], "withdraw", **acting(body["member"], purpose="customer_service"))
    assert (ended.status_code, view(ended)["state"]) == (200, "withdrawn")
    last = view(alipay.get(f"/v1/bindings/{made['id']}/timeline"))["items"][-1]
    assert (last["actor"], last["reason"]) == ("channel:wechat", "refused_by_member")


def test_each_look_for_a_person_is_logged(alipay: httpx.Client, wechat: httpx.Client, office: Office) -> None:
    body = application()
    made = submitted(alipay, body)
    wechat.post("/v1/bindings/search", json=acting(body["holder"], purpose="customer_service"))
    act(wechat, made["id"], "submit_materials", **acting(body["holder"]))
    with office.ledger.connection() as conn:
        looks = conn.execute(
            "select principal, act, binding_id, purpose, person from access_log order by id"
        ).fetchall()
        channels = conn.execute("select person, channel from person_channels").fetchall()
    holder = office.desk.look(made["id"])[0].application.holder
    assert looks == [
        ("sandbox-wechat", "search", None, "customer_service", holder),
        ("sandbox-wechat", "submit_materials", made["id"], "self_service", holder),
    ]
    assert (holder, "wechat") in channels


def test_a_search_finds_nothing_by_what_the_view_hides(
    alipay: httpx.Client, wechat: httpx.Client, office: Office
) -> None:
    """Number by number, the other party of another channel's binding could be tried out, and its reference (attack)."""
    body = application() | {"channel_reference": "R-42"}
    made, member, other = submitted(alipay, body), acting(body["member"]), body["holder"]["id_number"]

    def found(channel: httpx.Client, **asked: Any) -> list[str]:
        return [one["id"] for one in view(channel.post("/v1/bindings/search", json=member | asked))["items"]]

    assert found(wechat, holder_id_number=other) == []
    assert found(wechat, channel_reference="R-42") == []
    assert found(wechat, member_id_number=body["member"]["id_number"]) == [made["id"]]
    assert found(wechat, holder_id_number=body["member"]["id_number"]) == []
    assert found(alipay, holder_id_number=other, channel_reference="R-42") == [made["id"]]
    holder = office.desk.look(made["id"])[0].application.holder
    with office.ledger.connection() as conn:
        looks = conn.execute("select principal from access_log where person = %s order by id", (holder,)).fetchall()
        acted = conn.execute("select channel from person_channels where person = %s", (holder,)).fetchall()
    assert looks == [("sandbox-wechat",), ("sandbox-alipay",)]
    assert acted == [("alipay",)]  # he applied there; who only looked for him learns nothing of him


def test_a_number_from_before_1999(alipay: httpx.Client) -> None:
    body = application()
    made = submitted(alipay, body)
    number = body["holder"]["id_number"]
    found = alipay.post("/v1/bindings/search", json={"holder_id_number": number[:6] + number[8:17]})
    assert [one["id"] for one in view(found)["items"]] == [made["id"]]


def test_searching(alipay: httpx.Client, office: Office) -> None:
    bodies = [application() | {"channel_reference": f"R-{n}"} for n in range(5)]
    ids = [submitted(alipay, body)["id"] for body in bodies]
    act(alipay, ids[0], "withdraw")

    def found(**asked: Any) -> list[str]:
        return [one["id"] for one in view(alipay.post("/v1/bindings/search", json=asked))["items"]]

    assert found() == ids[::-1]
    assert found(states=["withdrawn"]) == ids[:1]
    assert found(states=[]) == []
    assert found(channel_reference="R-3") == [ids[3]]
    assert found(member_id_number=bodies[2]["member"]["id_number"].lower()) == [ids[2]]
    assert found(holder_id_number=bodies[1]["holder"]["id_number"], states=["active"]) == []
    assert found(holder_id_number=application()["holder"]["id_number"]) == []
    seen, cursor = [], None
    while True:
        page = view(alipay.post("/v1/bindings/search", json={"limit": 2} | ({"cursor": cursor} if cursor else {})))
        seen += [one["id"] for one in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
        submitted(alipay)  # what comes meanwhile does not shift the pages
    assert seen == ids[::-1]


def test_what_may_be_a_passport_or_a_permit(alipay: httpx.Client, wechat: httpx.Client) -> None:
    body = application(method="other_document")
    made = submitted(alipay, body)
    found = wechat.post("/v1/bindings/search", json=acting(body["member"]))
    assert [one["id"] for one in view(found)["items"]] == [made["id"]]
    assert act(wechat, made["id"], "withdraw", **acting(body["member"])).status_code == 200


def test_staff_see_their_regions(as_: Any, office: Office) -> None:
    binding_id = life.to_state(office, "agency_review", seed=521, region="440100")
    seen = as_("reviewer").get(f"/v1/bindings/{binding_id}")
    assert seen.status_code == 200
    assert "start_face_check" not in view(seen)["available_actions"]
    assert as_("reviewer-suzhou").get(f"/v1/bindings/{binding_id}").status_code == 404
    lines = view(as_("reviewer").get(f"/v1/bindings/{binding_id}/timeline"))["items"]
    assert "note" in lines[0]


def test_staff_of_several_roles_see_by_each(base_url: str, office: Office) -> None:
    from workflows.access import principals

    binding_id = life.to_state(office, "offline_fallback", seed=524, region="440100", member_region="110100")
    _, secret = principals.create_staff(office.ledger, "two hats", ["counter", "reviewer"], ["440100"])
    told = {"Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{base_url}/v1/bindings/{binding_id}", headers=told).status_code == 200
    _, elsewhere = principals.create_staff(office.ledger, "far away", ["counter", "reviewer"], ["320000"])
    told = {"Authorization": f"Bearer {elsewhere}"}
    assert httpx.get(f"{base_url}/v1/bindings/{binding_id}", headers=told).status_code == 404


def test_channels_do_not_learn_which_reviewer_it_was(as_: Any, office: Office) -> None:
    binding_id = life.to_state(office, "returned", seed=522)
    lines = view(as_("yueyibao_alipay").get(f"/v1/bindings/{binding_id}/timeline"))["items"]
    assert lines[-1]["actor"] == "agency"
    assert "note" not in lines[-1]


def test_a_revoked_key_opens_nothing_for_long(alipay: httpx.Client, office: Office) -> None:
    from workflows.access import principals

    made, secret = principals.create_channel(office.ledger, "wechat")
    assert secret not in repr(made)
    told = {"Authorization": f"Bearer {secret}"}
    assert httpx.post(f"{alipay.base_url}/v1/bindings/search", json={}, headers=told).status_code == 200
    assert principals.revoke(office.ledger, made.id)
    assert not principals.revoke(office.ledger, made.id)
    assert principals.find(office.ledger, secret, sandbox=True) is None


def test_the_counter_brings_papers_for_its_own_tickets(as_: Any, office: Office) -> None:
    binding_id = life.to_state(office, "offline_fallback", seed=523)
    clerk = as_("counter")
    assert uploaded(clerk, binding_id, "guardianship_proof", picture("PNG")).status_code == 201
    assert view(clerk.get(f"/v1/bindings/{binding_id}/materials"))["items"]
    assert clerk.post("/v1/bindings", json=application(), headers=key()).status_code == 403
