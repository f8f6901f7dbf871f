"""One binding at the operators' console, and its repair: tried first, by two persons where it is risky; or many."""

import re
from typing import Any

import pytest

from tasks.office import Office
from tasks.repairs import carry_repairs
from tasks.upkeep import keep_up
from tests import life
from tests.browser.scenes import parked_letters, with_endpoint
from tests.doors.test_console_operations import lose_deadlines
from tests.doors.visitor import Comes, Visitor, fields_of, somebody, text_of
from tests.store.invariants import check
from workflows.case import STATES


@pytest.fixture
def operator(comes: Comes) -> Visitor:
    return comes("operator")


def ordered(visitor: Visitor, path: str, **fields: Any) -> str:
    """The path of the repair that a form has made."""
    answer = visitor.post(path, fields={"reason": "看过记录", **fields})
    assert answer.status_code == 303, text_of(answer)
    return answer.headers["location"].removeprefix("/console")


def test_one_binding_is_explained_tried_and_repaired(operator: Visitor, office: Office):
    binding_id = life.to_state(office, "submitted")
    lose_deadlines(office, binding_id)
    page = text_of(operator.get(f"/ops/bindings/{binding_id}"))
    assert "正在等待绑定人提交材料" in page
    assert "停滞原因" in page
    assert "没有期限在走" in page
    assert "这一期限的定时已丢失" in page  # the sentence names no day as if something happened then
    path = ordered(operator, f"/ops/bindings/{binding_id}/repair", repair="rearm", to="face_check")
    tried = operator.get(path)
    assert "提交材料" in text_of(tried)  # the deadline that would be armed
    assert life.events(office, binding_id) == ["submitted"]
    assert fields_of(tried, f"{path}/apply")["csrf"]
    assert operator.post(f"{path}/apply").status_code == 303
    assert "已完成" in text_of(operator.get(path))
    assert life.events(office, binding_id) == ["submitted", "repaired"]
    mended = text_of(operator.get(f"/ops/bindings/{binding_id}"))
    assert ("没有期限在走" in mended, "定时已丢失" in mended) == (False, False)
    again = operator.post(f"{path}/apply")  # the button is gone, and its request refused
    assert (again.status_code, f"{path}/apply" in again.text) == (409, False)
    assert "修复单的状态已变化，现状如下" in text_of(again)  # the answer is the page as it is: nothing to reload
    check(office)


def test_letters_put_aside_are_sent_again_from_the_page(operator: Visitor, office: Office):
    with_endpoint(office)
    binding_id = life.to_state(office, "submitted")
    parked_letters(office, binding_id)
    page = operator.get(f"/ops/bindings/{binding_id}")
    assert "接收方返回 HTTP 503" in text_of(page)
    assert fields_of(page, "/repair")["repair"] == "resend"
    path = ordered(operator, f"/ops/bindings/{binding_id}/repair", repair="resend")
    tried = text_of(operator.get(path))
    assert ("重新推送 将重新推送 1 封" in tried, "写入一条记录：运维修复" in tried) == (True, True)
    assert "只写入一条记录" not in tried
    assert operator.post(f"{path}/apply").status_code == 303
    with office.ledger.connection() as conn:
        states = conn.execute("select distinct state, attempts from deliveries where notice = ''").fetchall()
    assert states == [("pending", 0)]
    assert 'value="resend">\n      <label>' not in operator.get(f"/ops/bindings/{binding_id}").text


def test_letters_of_what_has_ended_are_sent_again_without_a_line(operator: Visitor, office: Office):
    with_endpoint(office)
    ended, going = life.to_state(office, "withdrawn", seed=1), life.to_state(office, "submitted", seed=2)
    for binding_id in (ended, going):
        parked_letters(office, binding_id)
    letters = len(life.events(office, ended)) + len(life.events(office, going))
    path = ordered(operator, "/ops/repairs", reach="ticked", repair="resend", binding_ids=[ended, going])
    while carry_repairs(office):
        pass
    page = operator.get(path)
    assert f"搁置的推送重新推送 ，将重新推送 {letters} 封 2" in text_of(page).replace("推送，", "推送 ，")
    one = re.search(rf"<code>{ended}</code>.*?</dl>", page.text, re.DOTALL)
    assert one
    assert ("办理过程" in one[0], f"将重新推送 {len(life.events(office, ended))} 封" in one[0]) == (False, True)
    operator.post(f"{path}/apply")
    while carry_repairs(office):
        pass
    done = text_of(operator.get(path))
    assert ("搁置的推送重新推送" in done, "将重新推送" in done) == (True, False)


def test_what_cannot_be_done_is_not_offered(comes: Comes, operator: Visitor, office: Office):
    binding_id = life.to_state(office, "submitted")  # no letter of it was put aside
    path = ordered(operator, f"/ops/bindings/{binding_id}/repair", repair="resend")
    page = operator.get(path)
    assert ("没有可执行的业务" in text_of(page), f"{path}/apply" in page.text) == (True, False)
    assert f"{path}/withdraw" in page.text


def test_a_plan_is_made_under_a_pack_of_the_same_product(operator: Visitor, office: Office):
    binding_id = life.to_state(office, "active")
    product = life.look(office, binding_id).application.product
    page = operator.get(f"/ops/bindings/{binding_id}").text
    listed = re.search(r'<select name="version">(.*?)</select>', page, re.DOTALL)
    assert listed
    offered = {one.split()[0] for one in re.findall(r"<option>([^<]+)<", listed[1])}
    assert offered == {one.pack for one in office.desk.book.files if one.product == product}
    assert offered != {one.pack for one in office.desk.book.files}


def test_one_cause_is_told_once_however_often(operator: Visitor, office: Office):
    with_endpoint(office)
    binding_id = life.to_state(office, "active")
    parked_letters(office, binding_id)
    letters = len(life.events(office, binding_id))
    page = operator.get(f"/ops/bindings/{binding_id}")
    assert page.text.count('class="alert"') == 1
    assert text_of(page).count(f"推送已搁置 ×{letters}") == 2  # the chip and the reason
    assert "事件 提交申请" in text_of(page)


def test_no_sentence_speaks_of_a_deadline_that_nobody_has_armed(operator: Visitor, office: Office):
    for seed, state in enumerate(STATES):
        binding_id = life.to_state(office, state, seed=seed * 3 + 1)
        assert "定时已丢失" not in text_of(operator.get(f"/ops/bindings/{binding_id}")), state


def test_a_history_has_people_and_words(comes: Comes, operator: Visitor, office: Office):
    somebody(comes, office, ["reviewer"], ["000000"])
    with office.ledger.connection() as conn:
        conn.execute("update principals set name = '周敏' where id = 'sandbox-operator'")
    binding_id = life.to_state(office, "agency_review")
    path = ordered(operator, f"/ops/bindings/{binding_id}/repair", repair="reassign", staff="sandbox-reviewer-2")
    operator.get(path)
    operator.post(f"{path}/apply")
    page = text_of(operator.get(f"/ops/bindings/{binding_id}"))
    assert "运维修复 · 改派 运维 周敏" in page
    assert f"修复单 {path.rpartition('/')[2]}（改派）。提出：周敏。原因：看过记录" in page
    assert "asked by" not in page
    assert "运维 周敏" in text_of(comes("reviewer").get(f"/reviews/{binding_id}/sheet"))


def test_a_repair_that_is_refused_is_open_again_with_why(operator: Visitor, office: Office):
    binding_id = life.to_state(office, "agency_review")
    operator.get(f"/ops/bindings/{binding_id}")
    path = f"/ops/bindings/{binding_id}/repair"
    nowhere = operator.post(path, repair="reassign", agency="999999", staff="", reason="改到苏州")
    assert (nowhere.status_code, "经办机构：该修复操作的参数无效" in text_of(nowhere)) == (422, True)
    assert ('value="999999"' in nowhere.text, ">改到苏州</textarea>" in nowhere.text) == (True, True)
    assert '<option value="reassign" selected>' in nowhere.text
    assert operator.post(path, repair="reassign", agency="320500", staff="", reason="改到苏州").status_code == 303


def test_what_is_stuck_alike_has_its_name(operator: Visitor, office: Office):
    with_endpoint(office)
    lost, letters = life.to_state(office, "face_check", seed=1), life.to_state(office, "active", seed=2)
    lose_deadlines(office, lost)
    parked_letters(office, letters)
    tokens = re.findall(r'<a class="token"[^>]*>(.*?)</a>', operator.get("/ops/stuck").text, re.DOTALL)
    told = {" ".join(re.sub(r"<[^>]+>", " ", one).split()) for one in tokens}
    alike = "支付宝 channel.invalid 接收方返回 HTTP 503"
    assert told == {"没有期限在走 · 人脸核验 1", f"推送已搁置 · {alike} 1"}  # bindings, not letters
    asked = {"f.cause": "delivery_parked", "f.fingerprint": "delivery_parked:whe_alipay:http_503"}
    order = text_of(operator.get(ordered(operator, "/ops/repairs", reach="all", repair="resend", **asked)))
    assert (f"同类 推送已搁置 · {alike}" in order, "whe_" in order, "http_503" in order) == (True, False, False)


def test_letters_to_several_addresses_are_told_apart(operator: Visitor, office: Office):
    with_endpoint(office)
    with office.ledger.connection() as conn:
        conn.execute(
            "insert into webhook_endpoints (id, channel, url, secrets, created_at)"
            " values ('whe_2', 'alipay', 'https://u:p@second.invalid:8443/h?k=1', '', kinbind_now())"
        )
    binding_id = life.to_state(office, "submitted")
    parked_letters(office, binding_id)
    page = text_of(operator.get(f"/ops/bindings/{binding_id}"))
    assert ("支付宝 · channel.invalid" in page, "支付宝 · second.invalid:8443" in page) == (True, True)
    assert ("u:p" in page, "k=1" in page) == (False, False)


def test_a_risky_repair_needs_another_person(comes: Comes, operator: Visitor, office: Office):
    binding_id = life.to_state(office, "active")
    path = ordered(operator, f"/ops/bindings/{binding_id}/repair", repair="suspend")
    operator.post(f"{path}/apply")
    page = operator.get(path)
    assert "此项须由主管批准，且不能是提出人本人" in text_of(page)
    assert f"{path}/approve" not in page.text
    assert operator.post(f"{path}/approve").status_code == 403
    both = somebody(comes, office, ["operator", "supervisor"], ["000000"])
    own = ordered(both, f"/ops/bindings/{binding_id}/repair", repair="end")
    assert both.post(f"{own}/apply").status_code == 303
    assert f"{own}/approve" not in both.get(own).text
    assert both.post(f"{own}/approve").status_code == 409
    supervisor = comes("supervisor")
    assert "修复单 2" in text_of(supervisor.get("/supervision"))
    assert f"{path}/approve" in supervisor.get(path).text
    assert f"{path}/apply" not in supervisor.get(path).text
    assert supervisor.post(f"{path}/apply").status_code == 403
    assert supervisor.post(f"{path}/approve").status_code == 303
    assert life.look(office, binding_id).state == "suspended"
    undone = operator.post(f"{path}/undo", reason="误操作")  # a suspension is lifted by a supervisor only
    assert (undone.status_code, f"{path}/undo" in operator.get(path).text) == (403, False)
    supervisor.get(path)
    assert supervisor.post(f"{path}/undo", reason="误操作").status_code == 303
    assert life.look(office, binding_id).state == "active"
    check(office)


def test_a_repair_that_nobody_approves_is_declined_or_withdrawn(comes: Comes, operator: Visitor, office: Office):
    binding_id = life.to_state(office, "active")
    supervisor = comes("supervisor")
    for visitor, word in ((supervisor, "不予批准"), (operator, "撤回修复单")):
        operator.get("/ops")
        path = ordered(operator, f"/ops/bindings/{binding_id}/repair", repair="suspend")
        operator.post(f"{path}/apply")
        page = visitor.get(path)
        assert word in text_of(page)
        assert "修复单 1" in text_of(supervisor.get("/supervision"))
        visitor.get(path)
        assert visitor.post(f"{path}/withdraw", reason=" ").status_code == 422
        assert visitor.post(f"{path}/withdraw", reason="证据不足").status_code == 303
        gone = visitor.get(path)
        assert ("已撤回" in text_of(gone), "：证据不足" in text_of(gone)) == (True, True)
        assert (f"{path}/withdraw" in gone.text, f"{path}/approve" in gone.text) == (False, False)
        assert visitor.post(f"{path}/withdraw", reason="再次").status_code == 409
        assert "修复单 0" in text_of(supervisor.get("/supervision"))
    assert life.look(office, binding_id).state == "active"
    tried = ordered(operator, f"/ops/bindings/{binding_id}/repair", repair="suspend")
    life.skip(office, days=8)
    keep_up(office)
    assert "系统已自动撤回" in text_of(operator.get(tried))


def test_many_are_repaired_by_ticks_or_by_what_the_list_asks_for(operator: Visitor, office: Office):
    ids = [life.to_state(office, "submitted", seed=seed) for seed in range(1, 5)]
    lose_deadlines(office, *ids)
    page = operator.get("/ops/stuck?cause=no_deadline")
    assert fields_of(page, "/ops/repairs") | {"csrf": ""} == {"csrf": "", "f.cause": "no_deadline"}
    unsaid = operator.post("/ops/repairs", reach="ticked", repair="rearm", reason=" ", binding_ids=ids[:2])
    assert (unsaid.status_code, "原因：必填" in text_of(unsaid), "2 件业务" in text_of(unsaid)) == (422, True, True)
    assert re.findall(r'name="binding_ids" value="(bnd_\w+)"', unsaid.text) == ids[:2]  # and may be sent again
    unsaid = operator.post("/ops/repairs", reach="all", repair="rearm", reason="", fields={"f.cause": "no_deadline"})
    again = fields_of(unsaid, "/ops/repairs")
    assert (again["reach"], again["f.cause"], again["f.region"]) == ("all", "no_deadline", "")
    bogus = operator.post("/ops/repairs", reach="all", repair="rearm", reason="看过", **{"f.cause": "bogus"})
    assert bogus.status_code == 422
    nothing = operator.post("/ops/repairs", reach="ticked", repair="rearm", reason="看过")
    assert (nothing.status_code, "请至少勾选一项" in text_of(nothing)) == (422, True)
    ticked = ordered(operator, "/ops/repairs", reach="ticked", repair="rearm", binding_ids=ids[:1])
    everything = ordered(operator, "/ops/repairs", reach="all", repair="rearm", **{"f.cause": "no_deadline"})
    while carry_repairs(office):
        pass
    assert [len(set(re.findall(r"<code>(bnd_\w+)</code>", operator.get(path).text))) for path in (ticked, everything)] \
        == [1, 4]  # fmt: skip
    for path in (ticked, everything):
        operator.get(path)
        operator.post(f"{path}/apply")
        while carry_repairs(office):
            pass
    assert "没有停滞的业务" in text_of(operator.get("/ops"))
    assert "不可执行" in text_of(operator.get(everything))  # the one that had been repaired meanwhile
    check(office)


def test_a_binding_whose_plan_cannot_be_read_is_shown_all_the_same(operator: Visitor, office: Office):
    binding_id = life.to_state(office, "submitted")
    with office.ledger.connection() as conn:
        conn.execute("insert into plans values ('broken', '{\"pack\": \"CN-national\"}')")
        conn.execute("update bindings set plan = 'broken'")
    page = operator.get(f"/ops/bindings/{binding_id}")
    assert (page.status_code, "办理方案不可执行" in text_of(page)) == (200, True)
    assert 'value="replan"' in page.text
    listed = operator.get("/ops/stuck?cause=plan_impossible")
    assert (listed.status_code, binding_id in listed.text) == (200, True)
