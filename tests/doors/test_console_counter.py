"""The agency's window at the console: a ticket by its code, the outcome, whole applications, paper."""

import re
from datetime import date
from typing import Any

import httpx
import pytest

from tasks.office import Office
from tests import life
from tests.doors.conftest import Caller
from tests.doors.family import application, picture
from tests.doors.repairing import approved, repaired
from tests.doors.visitor import Comes, Visitor, fields_of, text_of
from workflows.access import principals
from workflows.case import ACTIVE, OFFLINE_FALLBACK, REJECTED, SUSPENDED, WITHDRAWN


@pytest.fixture
def clerk(comes: Comes) -> Visitor:
    return comes("counter")


@pytest.fixture
def ticket(office: Office) -> str:
    return life.to_state(office, OFFLINE_FALLBACK)


def say(clerk: Visitor, office: Office, binding_id: str, what: str, **fields: Any) -> Any:
    return clerk.post(f"/counter/{binding_id}/{what}", version=str(life.look(office, binding_id).version), **fields)


def test_a_ticket_is_found_by_its_code_however_written(clerk: Visitor, ticket: str, office: Office) -> None:
    life.to_state(office, OFFLINE_FALLBACK, seed=2)
    assert clerk.get("/counter").text.count("data-row") == 2
    offline = life.look(office, ticket).progress.offline
    assert offline is not None
    written = f"{offline.code[:4]}-{offline.code[4:]}".lower().replace("0", "o").replace("1", "l")
    found = clerk.post("/counter/find", code=written)
    assert found.headers["location"] == f"/console/counter/{ticket}"
    page = text_of(clerk.follow(found))
    assert "请家庭成员本人到场" in page
    assert "核对已上传的 3 份材料" in page
    missed = clerk.follow(clerk.post("/counter/find", code="NOTHING1")).text
    assert ("没有找到" in missed, 'autofocus aria-invalid="true" aria-describedby="missed"' in missed) == (True, True)
    assert clerk.post("/counter/find", code=" ").headers["location"] == "/console/counter"


def test_what_was_taken_at_the_window_is_found_again_by_its_slip_or_by_the_person(
    clerk: Visitor, office: Office
) -> None:
    binding_id = life.to_state(office, "submitted", seed=7)  # no ticket: it stands in no list
    assert clerk.get("/counter").text.count("data-row") == 0
    assert clerk.post("/counter/find", code=binding_id).headers["location"] == f"/console/counter/{binding_id}"
    number = life.number(date(1985, 6, 1), 7)
    found = clerk.follow(clerk.post("/counter/find", code=number))
    assert (found.status_code, f'href="/console/counter/{binding_id}"' in found.text) == (200, True)
    assert number not in found.text
    for nothing in ("bnd_" + "0" * 26, life.number(date(1985, 6, 1), 9), "?"):
        missed = clerk.follow(clerk.post("/counter/find", code=nothing))
        assert (missed.status_code, "没有找到" in text_of(missed)) == (404, True), nothing
    with office.ledger.connection() as conn:
        conn.execute("update principals set regions = '{320500}' where id = 'sandbox-counter'")
        looks = conn.execute("select act, purpose from access_log where principal = 'sandbox-counter'").fetchall()
    assert looks == [("search", "counter")] * 2
    for elsewhere in (binding_id, number):  # another agency's is not there
        assert clerk.follow(clerk.post("/counter/find", code=elsewhere)).status_code == 404


def test_verified_it_goes_on(clerk: Visitor, ticket: str, office: Office) -> None:
    incomplete = say(clerk, office, ticket, "verify")
    assert (incomplete.status_code, "必填" in text_of(incomplete)) == (422, True)
    done = say(clerk, office, ticket, "verify", method="document_reader", subjects=["member"], note="本人到场")
    assert done.headers["location"] == f"/console/counter/{ticket}"
    case = life.look(office, ticket)
    assert (case.state, case.progress.checked_how, case.progress.present) == (ACTIVE, "document_reader", ["member"])
    page = text_of(clerk.follow(done))
    assert "窗口已核验通过" in page
    assert "请核对" not in page
    assert "须携带" not in page
    assert "没有待办理" in text_of(clerk.get("/counter"))


def test_who_verified_is_named(clerk: Visitor, ticket: str, office: Office) -> None:
    with office.ledger.connection() as conn:
        conn.execute("update principals set name = '何静' where id = 'sandbox-counter'")
    assert say(clerk, office, ticket, "verify", method="document_reader", subjects="member").status_code == 303
    page = text_of(clerk.get(f"/counter/{ticket}"))
    assert (page.count("窗口 何静"), "sandbox-counter" in page) == (2, False)  # the notice and the history


def test_verifying_waits_for_the_registries_or_the_clerks_own_check(clerk: Visitor, office: Office) -> None:
    binding_id = life.to_state(office, "materials_uploaded")
    life.say(office, "route_offline", binding_id, reason="declines_face")
    assert "登记机构尚未答复" in text_of(clerk.get(f"/counter/{binding_id}"))
    refused = say(clerk, office, binding_id, "verify", method="compared_by_eye", subjects=["member"])
    assert (refused.status_code, "登记机构尚未答复" in text_of(refused)) == (409, True)
    assert 'name="subjects" value="member" checked' in refused.text  # what was ticked stays ticked, and nothing before
    assert 'name="subjects" value="member" checked' not in clerk.get(f"/counter/{binding_id}").text
    checked = {"method": "compared_by_eye", "registry_checked": "yes"}
    for nobody in ({}, {"subjects": ["mother"]}, {"subjects": ["holder"]}):
        assert say(clerk, office, binding_id, "verify", **checked, **nobody).status_code == 422
    say(clerk, office, binding_id, "verify", **checked, subjects=["member"])
    assert life.look(office, binding_id).state == ACTIVE


def test_whoever_was_not_ticked_is_named(clerk: Visitor, ticket: str, office: Office) -> None:
    page = text_of(say(clerk, office, ticket, "verify", method="compared_by_eye"))
    assert "应到场的人员没有全部勾选" in page
    assert "未勾选：家庭成员" in page
    assert "未到场" not in page  # he may stand before the clerk


def test_refused_for_a_reason_of_the_list(clerk: Visitor, ticket: str, office: Office) -> None:
    assert "不在可选范围" in text_of(say(clerk, office, ticket, "refuse", reason="because", sure="yes"))
    rash = say(clerk, office, ticket, "refuse", reason="relation_unproven", note="不能证明")
    kept = ">不能证明</textarea>" in rash.text and 'value="relation_unproven" selected' in rash.text
    assert (rash.status_code, "请勾选确认" in text_of(rash), kept) == (422, True, True)
    say(clerk, office, ticket, "refuse", reason="relation_unproven", note="不能证明", sure="yes")
    assert life.look(office, ticket).state == REJECTED


def test_handed_over_and_withdrawn(clerk: Visitor, ticket: str, office: Office) -> None:
    refused = say(clerk, office, ticket, "hand-over", agency="999999", note="迁往外地")
    assert "不在可选值" in text_of(refused)
    assert 'value="999999"' in refused.text  # what was typed is still there, where it was typed
    assert refused.text.count("迁往外地") == 1
    assert '<option value="440300">深圳市</option>' in refused.text
    assert f'name="back" value="/counter/{ticket}"' in refused.text  # the other language leads to the page, not to 405
    own = say(clerk, office, ticket, "hand-over", agency="440100")
    assert (own.status_code, "经办机构：该业务已由该机构办理" in text_of(own)) == (409, True)
    done = text_of(clerk.follow(say(clerk, office, ticket, "hand-over", agency="440300")))
    assert ("已转交深圳市的经办机构" in done, "转交深圳市" in done.partition("办理过程")[2]) == (True, True)
    assert "经办机构 深圳" in text_of(clerk.get(f"/counter/{ticket}/slip"))
    rash = say(clerk, office, ticket, "withdraw", note="家属要求")
    assert (rash.status_code, "请勾选确认" in text_of(rash), ">家属要求</textarea>" in rash.text) == (422, True, True)
    say(clerk, office, ticket, "withdraw", note="家属要求", sure="yes")
    assert life.look(office, ticket).state == WITHDRAWN


def test_what_was_handed_over_out_of_sight_is_said_on_the_list(clerk: Visitor, ticket: str, office: Office) -> None:
    with office.ledger.connection() as conn:
        conn.execute("update principals set regions = '{440100}' where id = 'sandbox-counter'")
    principals.create_staff(office.ledger, "深圳窗口", ["counter"], ["440300"])
    done = say(clerk, office, ticket, "hand-over", agency="440300")
    assert done.headers["location"] == "/console/counter?handed=440300"
    assert "已转交深圳市的经办机构" in text_of(clerk.follow(done))
    assert clerk.get("/counter?handed=nowhere").status_code == 422


def test_a_page_that_is_out_of_date_decides_nothing(clerk: Visitor, ticket: str, office: Office) -> None:
    old = life.look(office, ticket).version
    say(clerk, office, ticket, "hand-over", agency="440300")
    stale = clerk.post(f"/counter/{ticket}/verify", version=str(old), method="compared_by_eye")
    assert (stale.status_code, "新的进展" in text_of(stale)) == (412, True)
    assert life.look(office, ticket).state == OFFLINE_FALLBACK


BUTTONS = {
    "verify": {"method": "compared_by_eye"},
    "refuse": {"reason": "relation_unproven", "sure": "yes"},
    "hand-over": {"agency": "440300"},
    "withdraw": {"sure": "yes"},
    "hand-in": {},
}  # fmt: skip


@pytest.mark.parametrize("state", [OFFLINE_FALLBACK, SUSPENDED, ACTIVE, REJECTED, "face_check", "submitted"])
def test_every_hidden_button_is_refused(clerk: Visitor, office: Office, state: str) -> None:
    binding_id = life.to_state(office, state)
    page, version = clerk.get(f"/counter/{binding_id}").text, life.look(office, binding_id).version
    there = {what for what in BUTTONS if f'action="/console/counter/{binding_id}/{what}"' in page}
    assert ("verify" in there) is (state == OFFLINE_FALLBACK)
    for what in BUTTONS.keys() - there:
        refused = say(clerk, office, binding_id, what, **BUTTONS[what])
        assert refused.status_code == 409, what
    if f'action="/console/counter/{binding_id}/upload"' not in page:
        refused = clerk.post(f"/counter/{binding_id}/upload", kind="other", files={"file": ("x", picture())})
        assert refused.status_code == 409
    assert life.look(office, binding_id).version == version


def test_another_agencys_ticket_is_not_there(comes: Comes, clerk: Visitor, office: Office) -> None:
    binding_id = life.to_state(office, OFFLINE_FALLBACK)
    with office.ledger.connection() as conn:
        conn.execute("update principals set regions = '{320500}' where id = 'sandbox-counter'")
    assert clerk.get(f"/counter/{binding_id}").status_code == 404
    assert clerk.get(f"/counter/{binding_id}/slip").status_code == 404
    for what, fields in BUTTONS.items():
        assert say(clerk, office, binding_id, what, **fields).status_code == 404, what
    told = {"field": "holder.name", "purpose": "compare_document"}
    assert clerk.post(f"/counter/{binding_id}/reveal", fields=told).status_code == 404
    assert clerk.get("/counter").text.count("data-row") == 0


# -- a whole application ----------------------------------------------------------------------------------------


def filled(body: dict[str, Any]) -> dict[str, str]:
    """An application as the fields of the form."""
    fields = {name: body[name] for name in ("product", "method", "relationship", "initiator")}
    for role in ("holder", "member"):
        fields |= {f"{role}.{name}": value for name, value in body[role].items()}
    for name, value in body.get("birth_certificate", {}).items():
        fields[f"certificate.{name}"] = value
    return fields


def test_an_application_from_the_form_to_its_end(clerk: Visitor, office: Office) -> None:
    body = application(member_born=date(2019, 6, 1))
    notices = clerk.post("/counter/new", fields=filled(body))
    assert notices.status_code == 200, text_of(notices)
    hidden = fields_of(notices, "/counter/new/submit")
    accepts = re.findall(r'name="accepts" value="([^"]+)"', notices.text)
    assert hidden["member.id_number"] == body["member"]["id_number"]
    assert accepts
    assert not [one for one in accepts if one.startswith("face@")]  # no camera at the window, no consent to one
    without = clerk.post("/counter/new/submit", fields=hidden)
    assert "请阅读并同意" in text_of(without)
    made = clerk.post("/counter/new/submit", fields=hidden | {"accepts": accepts})
    again = clerk.post("/counter/new/submit", fields=hidden | {"accepts": accepts})
    assert made.headers["location"] == again.headers["location"]  # sent twice, it is one
    path = made.headers["location"].removeprefix("/console")
    binding_id = path.rpartition("/")[2]
    assert life.look(office, binding_id).application.channel == "counter"
    page = clerk.get(path)
    assert ("尚缺" in text_of(page), f"{path}/hand-in" in page.text) == (True, False)
    bad = clerk.post(f"{path}/upload", kind="commitment_letter", files={"file": ("x.jpg", b"no picture")})
    assert (bad.status_code, "文件类型不受支持" in text_of(bad)) == (415, True)
    assert f'action="/console{path}/upload"' in bad.text  # he is where he was, and takes another file
    for group in life.look(office, binding_id).plan.materials:
        for kind in group.any_of[0]:
            sent = clerk.post(f"{path}/upload", kind=kind, files={"file": ("scan.jpg", picture())})
            assert sent.status_code == 303, text_of(sent)
    material = life.look(office, binding_id).materials[0]["id"]
    assert clerk.get(f"/cases/{binding_id}/materials/{material}").headers["content-type"] == "image/jpeg"
    assert say(clerk, office, binding_id, "hand-in").status_code == 303
    life.advance(office, seconds=1)
    assert life.look(office, binding_id).state == ACTIVE


def test_an_application_to_share_names_who_authorises_and_who_uses(clerk: Visitor, office: Office) -> None:
    body = application(product="account_sharing")
    notices = clerk.post("/counter/new", fields=filled(body))
    accepts = re.findall(r'name="accepts" value="([^"]+)"', notices.text)
    hidden = fields_of(notices, "/counter/new/submit")
    made = clerk.post("/counter/new/submit", fields=hidden | {"accepts": accepts})
    ticket = clerk.follow(made)
    for page in (notices, ticket):
        said = text_of(page)
        assert ("授权人" in said, "使用人" in said) == (True, True)
        assert ("绑定人" in said, "家庭成员" in said) == (False, False), said
    assert "授权人证件（人像面）" in text_of(ticket)
    asked = clerk.post("/counter/new", fields=filled(body) | {"holder.name": " "})
    assert "使用人是授权人的" in text_of(asked)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"holder.id_number": "440106198503072317"}, "证件号码格式或校验码错误"),
        ({"member.id_number": "440106198503072317"}, "证件号码格式或校验码错误"),
        ({"holder.name": " "}, "必填"),
        ({"member.insured_region": "44"}, "格式错误"),
        ({"member.birth_date": "1999-13-40"}, "不是有效日期"),
        ({"product": "magic"}, "不在可选值"),
        ({"relationship": "OTHER"}, "不在允许范围"),
    ],
)
def test_a_fault_stands_beside_its_field(clerk: Visitor, change: dict[str, str], said: str) -> None:
    fields = filled(application()) | change
    first = clerk.post("/counter/new", fields=fields)  # at once: nothing is read out to somebody for nothing
    assert (first.status_code, said in text_of(first)) == (422, True), text_of(first)
    assert fields["member.name"] in first.text  # what was typed is still there


def test_a_clerk_is_told_to_correct_what_is_marked(clerk: Visitor, ticket: str, office: Office) -> None:
    wrong = {"holder.id_number": "440106198503072317", "member.id_number": "440106198503072317"}
    page = text_of(clerk.post("/counter/new", fields=filled(application()) | wrong))
    assert ("请更正标出的内容" in page, "地址或提交的内容" in page) == (True, False)
    asked = text_of(say(clerk, office, ticket, "verify"))
    assert ("请更正以下内容 办理方式：必填" in asked, "地址或提交的内容" in asked) == (True, False)


def test_both_documents_are_looked_at_before_anything_is_said(clerk: Visitor) -> None:
    wrong = {"holder.id_number": "440106198503072317", "member.id_number": "440106198503072317"}
    page = clerk.post("/counter/new", fields=filled(application()) | wrong)
    assert text_of(page).count("证件号码格式或校验码错误") == 2


def marked(answer: httpx.Response) -> list[str]:
    """Which fields of the form have a fault beside them."""
    return re.findall(r'class="field-error" id="e-([^"]+)"', answer.text)


def test_all_that_is_wrong_is_told_at_once(clerk: Visitor) -> None:
    wrong = {"holder.name": " ", "holder.id_number": "440106198503072317", "holder.insured_region": "999999",
             "member.insured_region": "44", "member.birth_date": "1999-13-40"}  # fmt: skip
    page = clerk.post("/counter/new", fields=filled(application()) | wrong)
    assert marked(page) == [
        "holder-name", "holder-id_number", "holder-insured_region", "member-insured_region", "member-birth_date",
    ]  # fmt: skip
    newborn = {"method": "birth_certificate", "member.id_number": "", "member.birth_date": ""}
    page = clerk.post("/counter/new", fields=filled(application()) | newborn)
    assert marked(page) == ["member-birth_date", *(
        f"birth_certificate-{name}" for name in ("number", "mother_name", "mother_id_number")
    )]  # fmt: skip


def test_an_application_of_another_region(clerk: Visitor, office: Office) -> None:
    with office.ledger.connection() as conn:
        conn.execute("update principals set regions = '{320500}' where id = 'sandbox-counter'")
    for path in ("/counter/new", "/counter/new/submit"):  # before anything is read out, and again at the end
        refused = clerk.post(path, fields=filled(application()) | {"once": "x"})
        page = text_of(refused)
        assert (refused.status_code, "都不在本窗口的服务地区" in page, "参保地不符合" in page) == (422, True, False), (
            path
        )


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"no picture", 415, "文件类型不受支持"),
        (b"\xff\xd8\xff" + b"half a picture", 422, "文件无法完整读取"),
        (b"\xff\xd8\xff" + bytes(10 * 1024 * 1024), 413, "文件过大"),  # one that is read and found too large,
        (b"\xff\xd8\xff" + bytes(10 * 1024 * 1024 + 70_000), 413, "文件过大"),  # and one that is not read to its end
    ],
    ids=["kind", "unreadable", "large", "larger"],
)
def test_a_bad_scan_leaves_the_clerk_at_his_ticket(
    clerk: Visitor, ticket: str, content: bytes, status: int, said: str
) -> None:
    clerk.get(f"/counter/{ticket}")
    bad = clerk.post(f"/counter/{ticket}/upload", kind="notarised_relationship", files={"file": ("x.jpg", content)})
    assert (bad.status_code, said in text_of(bad)) == (status, True), text_of(bad)[:300]
    assert f'action="/console/counter/{ticket}/verify"' in bad.text
    assert text_of(bad).count("每个文件不超过 10 MB") == 1 + (status == 413)


def test_the_slip_shows_the_code_and_no_number(clerk: Visitor, ticket: str, office: Office) -> None:
    case = life.look(office, ticket)
    assert case.progress.offline is not None
    answer = clerk.get(f"/counter/{ticket}/slip")
    page = text_of(answer)
    code = case.progress.offline.code
    assert f"{code[:4]}-{code[4:]}" in page
    assert "双方有效身份证件原件" in page
    assert "<svg" in answer.text
    assert case.application.parties["member"]["id_number"] not in answer.text


def test_the_slip_has_no_word_that_staff_wrote_for_each_other(clerk: Visitor, as_: Caller, office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    approved(as_, repaired(as_("operator"), binding_id, "move", to="offline_fallback", reason="供应商停机，勿外传"))
    assert "供应商停机" in text_of(clerk.get(f"/counter/{binding_id}"))
    slip = text_of(clerk.get(f"/counter/{binding_id}/slip"))
    assert ("正在等待" in slip, "供应商停机" in slip) == (True, False)


def test_an_english_ticket_and_its_slip_are_english(clerk: Visitor, office: Office) -> None:
    binding_id = life.to_state(office, OFFLINE_FALLBACK)
    with office.ledger.connection() as conn:
        conn.execute("update materials set removed_at = kinbind_now()")
    clerk.get("/counter")
    clerk.post("/language", to="en", back="/counter")
    for path in ("", "/slip"):
        answer = clerk.get(f"/counter/{binding_id}{path}")
        page = text_of(answer).partition("History")[0].replace(" ,", ",")
        assert "Missing: Commitment letter, Household register, first page + Household register, member's page" in page
        assert "Originals of the valid identity documents of both, Commitment letter" in page
        assert ("个人承诺书" in page, "双方有效" in page, "offline_fallback" in page) == (False, False, False)
    assert "Scan what is missing: Commitment letter" in text_of(clerk.get(f"/counter/{binding_id}"))


def test_each_way_to_see_something_in_clear_says_what_and_whose(clerk: Visitor, ticket: str) -> None:
    page = clerk.get(f"/counter/{ticket}")
    for who in ("绑定人", "家庭成员"):
        for what in ("姓名", "证件号码"):
            assert page.text.count(f'aria-label="查看{who}{what}的用途"') == 1
            assert text_of(page).count(f"查看{what} （{who}）") == 1
    # the name stands before its own button, the document before its number
    assert re.search(r"查看姓名 （绑定人） 居民身份证 \d{4}\*+", text_of(page))


def test_a_name_in_clear_is_logged(clerk: Visitor, ticket: str, office: Office) -> None:
    page = clerk.get(f"/counter/{ticket}")
    assert '<option value="compare_document">' in page.text
    for unsaid in ("", "因为"):  # the log holds codes, whatever the page's language
        refused = clerk.post(f"/counter/{ticket}/reveal", field="member.name", purpose=unsaid)
        assert (refused.status_code, "李秀英" in refused.text) == (422, False)
    shown = clerk.post(f"/counter/{ticket}/reveal", field="member.name", purpose="compare_document")
    assert "李秀英" in shown.text
    with office.ledger.connection() as conn:
        row = conn.execute("select principal, purpose from access_log where act = 'reveal:member.name'").fetchone()
    assert row == ("sandbox-counter", "compare_document")
