"""A clerk's window: a ticket by its code, a family that applies in person, paper to take home."""

import re
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tasks.office import Office
from tests import life
from tests.browser.conftest import Album, SitsDown, stays
from tests.browser.papers import paper
from tests.doors.family import application
from workflows.case import ACTIVE, OFFLINE_FALLBACK


def test_somebody_comes_with_a_code(sits_down: SitsDown, album: Album, office: Office) -> None:
    binding_id = life.to_state(office, OFFLINE_FALLBACK, seed=3)
    life.to_state(office, OFFLINE_FALLBACK, seed=4)
    offline = life.look(office, binding_id).progress.offline
    assert offline is not None
    page = sits_down("counter")
    album(page, "tickets")
    page.get_by_label("办事凭号").fill(f"{offline.code[:4]}-{offline.code[4:]}".lower())
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/counter/{binding_id}")
    expect(page.locator(".checks li")).to_have_count(2)
    album(page, "ticket")
    page.get_by_label("证件读卡器").check()
    with page.context.expect_page() as opened:  # beside: what was begun stays
        page.get_by_role("link", name="打印回执").click()
    slip = opened.value
    expect(slip.locator(".slip-code")).to_have_text(f"{offline.code[:4]}-{offline.code[4:]}")
    album(slip, "slip")
    slip.emulate_media(media="print")
    expect(slip.locator(".top")).to_be_hidden()
    slip.close()
    there = page.get_by_role("checkbox", name="家庭成员")
    assert not there.is_checked()  # the clerk says who is there
    there.check()
    page.get_by_role("button", name="核验通过").click()
    expect(page.locator(".chip-active")).to_be_visible()
    assert life.look(office, binding_id).progress.present == ["member"]


def test_a_family_applies_in_person(sits_down: SitsDown, album: Album, office: Office, tmp_path: Path) -> None:
    page, body = sits_down("counter"), application(member_born=date(2019, 6, 1))
    page.get_by_role("link", name="窗口受理新申请").first.click()
    fill(page, "holder", body["holder"] | {"id_number": body["holder"]["id_number"][:-1] + "?"})
    fill(page, "member", body["member"])
    page.get_by_label("家庭成员是绑定人的").select_option("CHILD")
    page.get_by_role("button", name="下一步").click()
    expect(page.locator(".field-error")).to_have_text("证件号码格式或校验码错误")  # before anything is read out
    album(page, "apply-fault")
    page.locator("input[name='holder.id_number']").fill(body["holder"]["id_number"])
    page.get_by_role("button", name="下一步").click()
    album(page, "apply-notices")
    for box in page.get_by_role("checkbox").all():
        box.check()
    last = page.locator(".steps li").last
    expect(last).to_have_text("扫描并提交材料")
    page.get_by_role("button", name="受理申请，下一步：扫描材料").click()
    page.wait_for_url(re.compile(r"/counter/bnd_\w+$"))
    expect(last).to_have_text("扫描并提交材料")
    expect(last).to_have_attribute("aria-current", "step")
    binding_id = page.url.rpartition("/")[2]
    page.get_by_role("link", name="窗口办理").first.click()
    page.get_by_label("办事凭号").fill(binding_id)  # as the slip has it: it stands in no list yet
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/counter/{binding_id}")
    for kind in [kind for group in life.look(office, binding_id).plan.materials for kind in group.any_of[0]]:
        scan = tmp_path / f"{kind}.jpg"
        scan.write_bytes(paper(kind))
        page.get_by_label("材料种类").select_option(kind)
        page.get_by_label("扫描件或照片").set_input_files(scan)
        page.get_by_role("button", name="上传").click()
        expect(page.locator("#documents .plain-list a").filter(has_text=re.compile("."))).not_to_have_count(0)
        page.wait_for_load_state()
    album(page, "scanned")
    page.get_by_role("button", name="材料齐全，提交").click()
    expect(page.locator(".chip-materials_uploaded")).to_be_visible()
    expect(page.locator(".steps")).to_have_count(0)
    life.advance(office, seconds=1)
    page.reload()
    expect(page.locator(".chip-active")).to_be_visible()
    assert life.look(office, binding_id).state == ACTIVE


@pytest.mark.parametrize("content", [paper("other"), b"no picture"], ids=["taken", "refused"])
def test_a_scan_empties_no_form_beside_it(
    sits_down: SitsDown, base_url: str, office: Office, tmp_path: Path, content: bytes
) -> None:
    page, scan = sits_down("counter"), tmp_path / "scan.jpg"
    scan.write_bytes(content)
    binding_id = life.to_state(office, OFFLINE_FALLBACK)
    page.goto(f"{base_url}/console/counter/{binding_id}")
    page.get_by_label("人工比对").check()
    page.get_by_role("checkbox", name="家庭成员").check()
    page.get_by_label("备注（选填）").first.fill("证件已核对")
    page.locator("summary", has_text="应申请人要求撤回").click()
    page.locator("form[action$=withdraw] textarea").fill("本人来电")
    page.get_by_label("扫描件或照片").set_input_files(scan)
    with page.expect_navigation():
        page.get_by_role("button", name="上传").click()
    expect(page.get_by_label("人工比对")).to_be_checked()
    expect(page.get_by_role("checkbox", name="家庭成员")).to_be_checked()
    expect(page.get_by_label("备注（选填）").first).to_have_value("证件已核对")
    expect(page.locator("form[action$=withdraw] textarea")).to_have_value("本人来电")
    page.goto(f"{base_url}/console/counter/{binding_id}")  # anew, it is empty
    expect(page.get_by_label("备注（选填）").first).to_have_value("")
    page.get_by_label("人工比对").check()
    page.get_by_role("checkbox", name="家庭成员").check()
    page.get_by_role("button", name="核验通过").click()
    expect(page.locator(".chip-active")).to_be_visible()


def fill(page: Page, role: str, person: dict[str, str]) -> None:
    for name in ("name", "id_number", "insured_region"):
        page.locator(f"input[name='{role}.{name}']").fill(person[name])


def test_enter_goes_on_and_what_was_typed_comes_back(sits_down: SitsDown, album: Album) -> None:
    page, body = sits_down("counter"), application()
    page.get_by_role("link", name="窗口受理新申请").first.click()
    fill(page, "holder", body["holder"])
    fill(page, "member", body["member"])
    page.locator("input[name='member.name']").press("Enter")
    expect(page.locator("#filled")).to_contain_text(body["member"]["id_number"])
    album(page, "filled-in")
    page.get_by_role("button", name="返回修改").click()
    for role in ("holder", "member"):
        for name in ("name", "id_number", "insured_region"):
            expect(page.locator(f"input[name='{role}.{name}']")).to_have_value(body[role][name])


def test_a_half_filled_application_is_not_left_unasked(sits_down: SitsDown) -> None:
    page, body = sits_down("counter"), application()
    rooms = page.get_by_role("link", name="窗口办理").first
    page.get_by_role("link", name="窗口受理新申请").first.click()
    rooms.click()  # nothing was begun
    page.wait_for_url("**/counter")
    page.get_by_role("link", name="窗口受理新申请").first.click()
    fill(page, "holder", body["holder"])
    fill(page, "member", body["member"])
    stays(page, rooms.click)
    expect(page.locator("input[name='holder.name']")).to_have_value(body["holder"]["name"])
    page.get_by_role("button", name="下一步").click()
    expect(page).to_have_title(re.compile("^告知与同意"))
    stays(page, lambda: page.evaluate("history.back()"))
    unasked: list[str] = []
    page.on("dialog", lambda dialog: unasked.append(dialog.type))
    page.get_by_role("button", name="返回修改").click()
    expect(page.locator("input[name='holder.name']")).to_have_value(body["holder"]["name"])
    page.get_by_role("button", name="下一步").click()
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="English").click()
    page.get_by_role("button", name="Next").click()
    expect(page).to_have_title(re.compile("^Notices"))
    assert unasked == []


def test_a_verification_that_was_begun_is_not_left_unasked(sits_down: SitsDown, base_url: str, office: Office) -> None:
    page = sits_down("counter")
    page.goto(f"{base_url}/console/counter/{life.to_state(office, OFFLINE_FALLBACK)}")
    note = page.get_by_label("备注（选填）").first
    note.fill("证件已核对")
    for leave in (page.get_by_role("button", name="English"), page.get_by_role("link", name="窗口办理").first):
        stays(page, leave.click)
        expect(note).to_have_value("证件已核对")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("button", name="Verify")).to_be_visible()
