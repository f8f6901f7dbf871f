"""The supervisors' rooms over HTTP: workload, sampling, suspensions, staff, keys shown once, policies explained."""

import re

import httpx
import pytest

from models import keyring
from models.keyring import Keyring
from policies.calendar import shanghai_day
from tasks.office import Office
from tests import life
from tests.browser.scenes import SANDBOX
from tests.doors.conftest import Caller
from tests.doors.visitor import Comes, Visitor, fields_of, in_review, somebody, text_of, with_pictures
from tests.store.invariants import check
from workflows import beside
from workflows.access import principals
from workflows.case import Actor
from workflows.engine import Desk
from workflows.repairs import orders
from workflows.repairs.orders import Wish
from workflows.views import reason_words, supervising

PAGES = (
    "",
    "/escalated",
    "/sampling",
    "/suspended",
    "/staff",
    "/channels",
    "/packs",
    "/packs/CN-national/family_account",
)


@pytest.fixture
def supervisor(comes: Comes) -> Visitor:
    return comes("supervisor")


def decided(office: Office, staff: str, said: str, seed: int, **facts: str) -> str:
    binding_id, reviewer = in_review(office, seed=seed), Actor("reviewer", staff, regions=("000000",))
    life.claim(office, binding_id, reviewer)
    life.say(office, said, binding_id, reviewer, **facts)
    return binding_id


def row_of(page: str, name: str) -> list[str]:
    found = re.search(rf'<th scope="row">{name}</th>(.*?)</tr>', page, re.DOTALL)
    assert found is not None
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", found[1], re.DOTALL)]


def test_who_decides_how_much(supervisor: Visitor, office: Office):
    for seed in range(1, 4):
        decided(office, SANDBOX[0], "approve", seed)
    decided(office, SANDBOX[1], "reject", 4, reason="relation_unproven")
    life.claim(office, in_review(office, seed=5), Actor("reviewer", SANDBOX[1], regions=("000000",)))
    page = supervisor.get("/supervision").text
    _, held, today, all_of_them, shares, _ = row_of(page, SANDBOX[0])
    assert (held, today, all_of_them, shares) == ("0", "3", "3", "3/0/0")
    assert row_of(page, SANDBOX[1])[1:5] == ["1", "1", "1", "0/0/1"]
    life.skip(office, days=1)
    assert row_of(supervisor.get("/supervision").text, SANDBOX[0])[2:4] == ["0", "3"]
    life.skip(office, days=7)
    assert row_of(supervisor.get("/supervision").text, SANDBOX[0])[2:4] == ["0", "0"]


def test_the_draw_is_the_same_all_day_and_another_the_next(supervisor: Visitor, office: Office):
    for seed in range(1, 31):
        decided(office, SANDBOX[seed % 2], "approve", seed)

    def drawn() -> list[str]:
        return re.findall(r'/ops/bindings/(bnd_\w+)"', supervisor.get("/supervision/sampling").text)

    assert drawn() == []  # what is decided today may be drawn from tomorrow on
    life.skip(office, days=1)
    first = drawn()
    assert len(first) == 12
    for seed in range(31, 35):
        decided(office, SANDBOX[0], "approve", seed)
    found = supervising._look_for_samples(office.ledger, (("000000",), shanghai_day(office.ledger.now()), "salt"))
    assert len(found["drawn"]) == 12
    assert not {row["at"] for row in found["drawn"] if shanghai_day(row["at"]) == shanghai_day(office.ledger.now())}
    assert drawn() == first
    life.skip(office, days=1)
    assert len(drawn()) == 12
    assert drawn() != first
    assert supervisor.get(f"/ops/bindings/{first[0]}").status_code == 200


def test_the_draw_is_foreseen_by_nobody_without_the_keyring(office: Office):
    for seed in range(1, 31):
        decided(office, SANDBOX[0], "approve", seed)
    life.skip(office, days=1)
    looker = principals.Principal("sup", "staff", "主管", roles=("supervisor",), regions=("000000",))
    keyrings = [office.desk.keys, keyring.read(keyring.keys_file())]
    keyrings += [Keyring({"k001": bytes(32)}, "k001", bytes([index]) * 32) for index in range(2)]
    found = [supervising.sampling(Desk(office.ledger, office.desk.book, keys), looker, office.ledger.now())["drawn"]
             for keys in keyrings]  # fmt: skip
    ids = [[row["binding_id"] for row in drawn] for drawn in found]
    assert ids[0] == ids[1], "the same in every process that has the same keyring"
    assert len({tuple(drawn) for drawn in ids[1:]}) == 3


def test_a_sample_is_looked_at_with_its_documents_and_marked(supervisor: Visitor, comes: Comes, office: Office):
    binding_id = decided(office, SANDBOX[0], "approve", 1)
    with_pictures(office, binding_id)
    beside.note(office.desk, binding_id, Actor("reviewer", SANDBOX[1], regions=("000000",)), "同事的话")
    life.skip(office, days=1)
    assert "未复核" in text_of(supervisor.get("/supervision/sampling"))  # a colleague's word is no second look
    path = f"/ops/bindings/{binding_id}"
    page = supervisor.get(path)
    material = life.look(office, binding_id).materials[0]["id"]
    assert f'src="/console/cases/{binding_id}/materials/{material}"' in page.text
    assert supervisor.get(f"/cases/{binding_id}/materials/{material}").headers["content-type"] == "image/jpeg"
    assert "登记机构已核对" in text_of(page)
    assert "同事的话" in text_of(page)
    assert supervisor.post(f"{path}/look", body=" ").status_code == 422
    assert supervisor.post(f"{path}/look", body="材料齐全，同意").status_code == 303
    listed = text_of(supervisor.get("/supervision/sampling"))
    assert "sandbox-supervisor" in listed.partition("未复核")[0]
    assert ("已复核" in listed, "材料齐全，同意" in listed, "未复核" in listed) == (True, True, False)
    operator = comes("operator")  # he mends what is stuck; what the family sent is not his
    assert ("/materials/" in operator.get(path).text, operator.post(f"{path}/look", body="x").status_code) \
        == (False, 403)  # fmt: skip
    suzhou = somebody(comes, office, ["supervisor"], ["320500"])
    assert suzhou.post(f"{path}/look", body="x").status_code == 404


def test_nobody_marks_his_own_decision_as_looked_at(comes: Comes, office: Office):
    both = somebody(comes, office, ["reviewer", "supervisor"], ["000000"])
    with office.ledger.connection() as conn:
        own = conn.execute("select id from principals where name = '某人'").fetchone()
    assert own is not None
    binding_id = decided(office, own[0], "approve", 1)
    life.skip(office, days=1)
    path = f"/ops/bindings/{binding_id}"
    page = both.get(path)
    assert ("须由其他主管复核" in text_of(page), f'{path}/look"' in page.text) == (True, False)
    refused = both.post(f"{path}/look", body="很好")
    assert (refused.status_code, "须由其他主管复核" in text_of(refused)) == (409, True)
    assert "未复核" in text_of(both.get("/supervision/sampling"))
    assert comes("supervisor").post(f"{path}/look", body="很好").status_code == 303
    assert "未复核" not in text_of(both.get("/supervision/sampling"))


def test_nor_under_another_key_that_names_him(supervisor: Visitor, comes: Comes, office: Office):
    binding_id = decided(office, SANDBOX[0], "approve", 1)
    life.skip(office, days=1)
    path = f"/ops/bindings/{binding_id}"
    assert supervisor.post(f"{path}/look", body="很好").status_code == 303  # so far nobody knows that he is the same
    assert "未复核" not in text_of(supervisor.get("/supervision/sampling"))
    with office.ledger.connection() as conn:
        conn.execute("update principals set person = 'his' where id = any(%s)", ([SANDBOX[0], "sandbox-supervisor"],))
    page = supervisor.get(path)
    assert ("须由其他主管复核" in text_of(page), f'{path}/look"' in page.text) == (True, False)
    assert supervisor.post(f"{path}/look", body="很好").status_code == 409
    assert "未复核" in text_of(supervisor.get("/supervision/sampling"))
    assert comes("supervisor-2").post(f"{path}/look", body="很好").status_code == 303
    assert "未复核" not in text_of(supervisor.get("/supervision/sampling"))


def test_a_suspension_is_seen_and_lifted(supervisor: Visitor, office: Office):
    binding_id = life.to_state(office, "suspended")
    assert binding_id in supervisor.get("/supervision/suspended").text
    path = f"/ops/bindings/{binding_id}"
    page = supervisor.get(path)
    assert 'name="action" value="resume"' in page.text
    assert 'name="action" value="suspend"' not in page.text
    assert f"{path}/repair" not in page.text  # repairs are the operators'
    version = fields_of(page, "/decide")["version"]
    sure = {"sure": "yes", "version": version}
    hidden = supervisor.post(f"{path}/decide", action="suspend", reason="suspected_fraud", fields=sure)
    assert hidden.status_code == 409
    unsaid = supervisor.post(f"{path}/decide", action="resume", fields=sure)
    assert unsaid.status_code == 422
    rash = supervisor.post(f"{path}/decide", action="resume", version=version, reason="cleared")
    assert (rash.status_code, "请勾选确认" in text_of(rash), 'value="cleared" selected' in rash.text) == (
        422,
        True,
        True,
    )
    stale = supervisor.post(f"{path}/decide", action="resume", reason="cleared", fields=sure | {"version": "1"})
    assert (stale.status_code, "已有新的进展" in text_of(stale)) == (412, True)
    assert life.look(office, binding_id).state == "suspended"
    assert supervisor.post(f"{path}/decide", action="resume", reason="cleared", fields=sure).status_code == 303
    assert life.look(office, binding_id).state == "active"
    assert binding_id not in supervisor.get("/supervision/suspended").text
    check(office)


def test_the_family_reads_a_code_and_staff_what_was_noted(supervisor: Visitor, as_: Caller, office: Office):
    binding_id = life.to_state(office, "active")
    path = f"/ops/bindings/{binding_id}"
    page = supervisor.get(path)
    assert ("原因（当事人可见）" in text_of(page), "涉嫌冒用，转人工核查" in text_of(page)) == (True, True)
    said = {
        "action": "suspend",
        "sure": "yes",
        "version": fields_of(page, "/decide")["version"],
        "note": "邻居王某举报",
    }
    free = supervisor.post(f"{path}/decide", fields=said | {"reason": "王某举报"})
    assert (free.status_code, "不在可选值之内" in text_of(free), "邻居王某举报" in free.text) == (422, True, True)
    assert (
        supervisor.post(f"{path}/decide", fields=said | {"reason": "cleared"}).status_code == 422
    )  # a word of resuming
    assert supervisor.post(f"{path}/decide", fields=said | {"reason": "suspected_fraud"}).status_code == 303
    assert "邻居王某举报" in text_of(supervisor.get(path))
    alipay = as_("alipay")
    assert alipay.get(f"/v1/bindings/{binding_id}").json()["reason"] == "suspected_fraud"
    lines = alipay.get(f"/v1/bindings/{binding_id}/timeline")
    assert ("举报" in lines.text, lines.json()["items"][-1]["reason"]) == (False, "suspected_fraud")


def test_each_word_has_its_own_reasons_and_keeps_what_was_chosen(supervisor: Visitor, office: Office):
    path = f"/ops/bindings/{life.to_state(office, 'active')}"
    page = supervisor.get(path)

    def form(answer: httpx.Response, word: str) -> str:
        found = re.search(rf'<details class="said"[^>]*><summary>{word}</summary>.*?</details>', answer.text, re.DOTALL)
        assert found
        return found[0]

    for word in ("suspend", "unbind"):
        said = form(page, {"suspend": "暂停", "unbind": "解除绑定"}[word])
        codes = re.findall(r'<option value="(\w+)"', said)
        assert codes == list(dict.fromkeys(reason_words.SUPERVISED[{"suspend": "suspend", "unbind": "end"}[word]]))
    version = fields_of(page, "/decide")["version"]
    rash = supervisor.post(f"{path}/decide", action="unbind", reason="death", note="户籍已注销", version=version)
    assert " open" in form(rash, "解除绑定")[:30]
    assert ('value="death" selected' in form(rash, "解除绑定"), "户籍已注销" in form(rash, "解除绑定")) == (True, True)
    assert ("户籍已注销" in form(rash, "暂停"), "selected" in form(rash, "暂停")) == (False, False)


def test_an_operator_says_no_supervisors_word(comes: Comes, office: Office):
    operator, binding_id = comes("operator"), life.to_state(office, "active")
    assert "/decide" not in operator.get(f"/ops/bindings/{binding_id}").text
    answer = operator.post(f"/ops/bindings/{binding_id}/decide", action="suspend", version="1", reason="x")
    assert (answer.status_code, life.look(office, binding_id).state) == (403, "active")


def test_a_key_is_shown_once_and_taken_back(supervisor: Visitor, office: Office, base_url: str):
    supervisor.get("/supervision/channels")
    asked = {"channel": "wechat", "name": "微信小程序 2026", "once": "one_1"}
    made = supervisor.post("/supervision/channels", fields=asked)
    found = re.search(r'class="secret">([^<]+)<', made.text)
    assert found is not None
    key = {"Authorization": f"Bearer {found[1]}"}
    with httpx.Client(base_url=base_url, headers=key) as channel:
        assert channel.get("/v1/events").status_code == 200
        reloaded = supervisor.post("/supervision/channels", fields=asked)
        assert ("该密钥已经创建" in text_of(reloaded), "secret" in reloaded.text) == (True, False)
        again = supervisor.get("/supervision/channels").text
        assert again.count("<strong>微信小程序 2026</strong>") == 1
        assert '吊销<span class="hidden"> （微信小程序 2026）</span></summary>' in again  # heard alone, it says which
        assert fields_of(supervisor.get("/supervision/channels"), "/channels")["once"] != asked["once"]
        assert (found[1] in again, "微信小程序 2026" in again) == (False, True)
        made_id = re.search(r"微信小程序 2026</strong> <code>(prn_\w+)<", again)
        assert made_id is not None
        path = f"/supervision/channels/{made_id[1]}/revoke"
        assert supervisor.post(path).status_code == 422  # without a word why
        assert supervisor.post(path, reason="人员离岗").status_code == 303
        assert supervisor.post(path, reason="人员离岗").status_code == 404
    assert "已吊销" in text_of(supervisor.get("/supervision/channels"))
    with office.ledger.connection() as conn:
        acts = conn.execute("select act, purpose from access_log where principal = 'sandbox-supervisor' order by id")
        assert acts.fetchall() == [
            (f"key_made:{made_id[1]}", "微信小程序 2026"),
            (f"key_revoked:{made_id[1]}", "人员离岗"),
        ]


def test_keys_are_no_matter_of_one_city(comes: Comes, office: Office):
    suzhou = somebody(comes, office, ["supervisor"], ["320500"])
    page = suzhou.get("/supervision/channels")
    assert "由全国主管创建与吊销" in text_of(page)
    assert 'action="/console/supervision/channels' not in page.text
    assert suzhou.post("/supervision/channels", channel="wechat", name="x", once="y").status_code == 403
    assert suzhou.post("/supervision/channels/sandbox-alipay/revoke", reason="x").status_code == 403


def test_a_supervisor_sees_the_staff_of_his_regions(comes: Comes, supervisor: Visitor, office: Office):
    somebody(comes, office, ["counter"], ["440100"])
    suzhou = somebody(comes, office, ["supervisor"], ["320500"])
    everybody, theirs = (text_of(one.get("/supervision/staff")) for one in (supervisor, suzhou))
    assert "广州市" in everybody
    assert ("广州市" in theirs, "sandbox-reviewer-suzhou" in theirs) == (False, True)


def test_the_number_of_repairs_is_that_of_his_page(comes: Comes, supervisor: Visitor, office: Office):
    suzhou = somebody(comes, office, ["supervisor"], ["320500"])
    for regions in (["320500"], ["000000"], ["440100"]):
        asker = principals.create_staff(office.ledger, "某人", ["operator"], regions)[0]
        orders.make(office.ledger, asker, Wish("end", "x", {"states": ["submitted"]}, {}))
    with office.ledger.connection() as conn:
        conn.execute("update repairs set state = 'awaiting_approval'")
    for visitor, number in ((supervisor, 3), (suzhou, 1)):
        page = visitor.get("/supervision")
        assert f"修复单 {number} " in text_of(page), text_of(page)[:400]
        assert f"{number} 张修复单等待批准" in text_of(page)
        assert visitor.get("/ops/repairs").text.count("/console/ops/repairs/rep_") == number


def test_the_plan_of_a_policy_is_explained(supervisor: Visitor):
    listed = supervisor.get("/supervision/packs")
    path = "/supervision/packs/CN-national/family_account"
    assert f'href="/console{path}"' in listed.text
    page = supervisor.get(path)
    assert "face.subjects" in page.text
    assert ("30 周岁" in text_of(page), "24 小时" in text_of(page)) == (True, True)  # a spouse, and no child of 17
    assert "is reached on" not in text_of(page)
    assert "CN-national" in text_of(page)
    newborn = supervisor.get(f"{path}?method=birth_certificate&relationship=CHILD&age=newborn").text
    assert "registry.birth_certificate" in newborn
    assert page.text != newborn
    refused = supervisor.get(f"{path}?method=birth_certificate&relationship=CHILD&age=adult")
    assert (refused.status_code, "不予受理" in text_of(refused)) == (200, True)
    assert supervisor.get(f"{path}?method=nothing").status_code == 422
    assert supervisor.get("/supervision/packs/CN-nowhere/family_account").status_code == 404


@pytest.mark.parametrize("name", ["reviewer", "counter", "operator"])
def test_the_supervisors_rooms_are_theirs(comes: Comes, name: str):
    visitor = comes(name)
    for path in PAGES:
        assert visitor.get(f"/supervision{path}").status_code == 403, path
    assert visitor.post("/supervision/channels", channel="wechat", name="x", once="y").status_code == 403
    assert visitor.post("/supervision/channels/sandbox-alipay/revoke", reason="x").status_code == 403


def test_in_english_too(supervisor: Visitor):
    supervisor.get("/supervision")
    supervisor.post("/language", to="en", back="/supervision")
    for path in PAGES:
        assert supervisor.get(f"/supervision{path}").status_code == 200, path
    assert "Workload" in text_of(supervisor.get("/supervision"))


def test_what_is_escalated_reaches_a_supervisor_who_may_return_it(supervisor: Visitor, office: Office):
    binding_id = life.to_state(office, "returned")
    life.hand_in(office, binding_id)
    life.registries_say_yes(office, binding_id)
    life.claim(office, binding_id)
    assert binding_id not in supervisor.get("/supervision/escalated").text
    life.say(office, "escalate", binding_id, life.REVIEWER, note="一次性告知时遗漏")
    assert 'href="/console/supervision/escalated"' in supervisor.get("/supervision").text
    assert binding_id in supervisor.get("/supervision/escalated").text
    with life.unreadable(office, binding_id, "sealed"):  # one that is broken hides no other
        assert binding_id in supervisor.get("/supervision/escalated").text
    path = f"/ops/bindings/{binding_id}"
    assert "给审核员的备注" in text_of(supervisor.get(path))  # what was returned before is not what he is asked about
    version = fields_of(supervisor.get(path), "/return")["version"]
    told = {"version": version, "sure": "yes", "reason": "material_unreadable", "note": "户口簿首页看不清，请重拍"}
    assert supervisor.post(f"{path}/return", fields=told).status_code == 422  # which documents?
    assert supervisor.post(f"{path}/return", tick="no_such", fields=told).status_code == 422
    rash = supervisor.post(f"{path}/return", tick="household_register_first_page", fields=told | {"sure": ""})
    assert re.search(r'value="household_register_first_page" checked', rash.text)
    assert ("户口簿首页看不清" in rash.text, 'value="material_unreadable" selected' in rash.text) == (True, True)
    assert supervisor.post(f"{path}/return", tick="household_register_first_page", fields=told).status_code == 303
    case = life.look(office, binding_id)
    assert case.progress.correction is not None
    assert (case.state, case.progress.correction.note) == ("returned", told["note"])
    assert "/return" not in supervisor.get(path).text
