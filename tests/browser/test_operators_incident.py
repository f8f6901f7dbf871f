"""An operator's incident from beginning to end: seen, opened, understood, repaired by two persons, and quiet again."""

import re

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tasks.office import Office
from tasks.repairs import carry_repairs
from tests import life
from tests.browser import scenes
from tests.browser.conftest import WIDE, Album, SitsDown, stays

TABLET: ViewportSize = {"width": 820, "height": 1180}  # upright


@pytest.fixture
def town(office: Office) -> dict[str, list[str]]:
    found = scenes.town(office)
    scenes.gone_wrong(office, found)
    return found


def heading(page: Page) -> str:
    return page.get_by_role("heading", level=1).inner_text()


def nobody_at_first(page: Page) -> None:
    """For nobody nothing is tried, and no reason is typed in vain."""
    tried, first = page.get_by_role("button", name="试算"), page.locator(".pick input").first
    expect(page.get_by_text("请先勾选业务")).to_be_visible()
    expect(tried).to_be_disabled()
    first.check()
    expect(tried).to_be_enabled()
    first.uncheck()
    expect(tried).to_be_disabled()


def test_an_incident(town: dict[str, list[str]], sits_down: SitsDown, album: Album, office: Office):
    lost = town["face_check"][:2]
    operator, supervisor = sits_down("operator"), sits_down("supervisor")
    cause = operator.get_by_role("link", name=re.compile("没有期限在走"))
    expect(cause).to_contain_text("2")
    album(operator, "ops")

    cause.click()
    expect(operator.locator(".row")).to_have_count(2)
    album(operator, "ops_stuck")
    operator.get_by_role("link", name=lost[0]).click()
    expect(operator.locator(".sentence")).to_contain_text("正在等待家庭成员完成人脸核验")
    album(operator, "ops_binding")

    operator.locator("[name=repair]:visible").select_option("rearm")
    operator.get_by_label("原因（留痕，当事人不可见）").fill("期限丢失，按方案重新设定")
    operator.get_by_role("button", name="试算").click()
    expect(operator.locator("ins")).to_have_count(1)  # the difference, while nothing has happened yet
    assert life.events(office, lost[0])[-1] != "repaired"
    album(operator, "ops_repair")
    operator.get_by_role("button", name="执行", exact=True).click()
    expect(operator.locator(".chip", has_text="已完成").first).to_be_visible()
    assert life.events(office, lost[0])[-1] == "repaired"

    # the other one with all that is stuck so, ended by a verb that needs a second person
    operator.goto(operator.url.split("/ops/")[0] + "/ops/stuck?cause=no_deadline")
    expect(operator.locator(".row")).to_have_count(1)
    operator.locator("summary", has_text="批量修复").click()
    nobody_at_first(operator)
    operator.get_by_label("符合本列表条件的全部业务").check()
    operator.locator("[name=repair]:visible").select_option("move")
    operator.locator("select[name=to]").select_option("offline_fallback")
    operator.get_by_label("原因（留痕，当事人不可见）").fill("家庭已同意到窗口办理")
    operator.get_by_role("button", name="试算").click()
    while carry_repairs(office):
        pass
    # the page says so by itself
    expect(operator.get_by_role("button", name="执行", exact=True)).to_be_visible()
    operator.get_by_role("button", name="执行", exact=True).click()
    expect(operator.get_by_text("此项须由主管批准，且不能是提出人本人")).to_be_visible()
    expect(operator.get_by_role("button", name="批准并执行")).to_have_count(0)
    supervisor.get_by_role("link", name=re.compile("修复单")).first.click()
    supervisor.get_by_role("link", name=re.compile("移至其他环节")).click()
    album(supervisor, "ops_approval")
    supervisor.get_by_role("button", name="批准并执行").click()
    while carry_repairs(office):
        pass
    assert life.look(office, lost[1]).state == "offline_fallback"
    operator.goto(operator.url.split("/ops/")[0] + "/ops")
    expect(operator.get_by_role("link", name=re.compile("没有期限在走"))).to_have_count(0)


def test_the_pages_stay_right_without_reloading(town: dict[str, list[str]], sits_down: SitsDown, office: Office):
    operator = sits_down("operator")
    operator.get_by_role("link", name="业务办理全流程").click()
    expect(operator.locator("html")).to_have_attribute("data-stream", "on")
    node = operator.locator("#node-withdrawn .node-count")
    before = int(node.text_content() or "")
    second = operator.context.new_page()  # another tab hears it from the first: one stream for both
    streams: list[str] = []
    second.on("request", lambda asked: streams.append(asked.url) if asked.url.endswith("/live") else None)
    second.goto(operator.url)
    life.say(office, "withdraw", town["submitted"][2])
    expect(second.locator("#node-withdrawn .node-count")).to_have_text(str(before + 1))
    assert streams == []
    operator.bring_to_front()
    expect(node).to_have_text(str(before + 1))
    second.close()


def test_the_whole_life_is_seen_on_a_small_screen(sits_down: SitsDown, base_url: str):
    page = sits_down("operator", viewport={"width": 1024, "height": 768})
    page.goto(f"{base_url}/console/ops/life")
    box = page.locator(".life-box")
    assert box.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


def test_a_supervisor_looks_again_and_thinks_twice(
    town: dict[str, list[str]], sits_down: SitsDown, album: Album, base_url: str, office: Office
):
    binding_id = town["active"][0]
    page = sits_down("supervisor")
    page.goto(f"{base_url}/console/ops/bindings/{binding_id}")
    expect(page.get_by_role("heading", name="材料")).to_be_visible()
    page.locator("summary", has_text="暂停").click()
    form = page.locator("form:has([name=action][value=suspend])")
    form.get_by_label("原因（当事人可见）").select_option("suspected_fraud")
    form.get_by_label("我已核实").press("Enter")  # a key alone does nothing: what is meant is chosen, and meant
    assert life.look(office, binding_id).state == "active"
    album(page, "binding-supervisor")
    form.get_by_label("我已核实").check()
    stays(page, page.locator(".crumb a").click)
    form.get_by_role("button", name="暂停").click()
    expect(page.locator(".chip-suspended")).to_be_visible()


def test_the_life_is_walked_by_keyboard(town: dict[str, list[str]], sits_down: SitsDown, album: Album):
    operator = sits_down("operator")
    operator.get_by_role("link", name="业务办理全流程").click()
    album(operator, "ops_life")
    operator.locator("#node-offline_fallback").focus()
    operator.keyboard.press("Enter")
    expect(operator.locator(".row")).to_have_count(len(town["offline_fallback"]))
    assert "转线下办理" in heading(operator)
    album(operator, "ops_state")
    operator.keyboard.press("j")
    operator.keyboard.press("o")
    expect(operator).to_have_url(re.compile("/ops/bindings/bnd_"))


# numbers that lead somewhere, where a finger would miss them
SMALL = """() => [...document.querySelectorAll(".grid td a, .flow-sums a")].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.width && (box.width < 24 || box.height < 24);
}).map((one) => one.outerHTML)"""


@pytest.mark.timeout(240)
def test_every_page_is_fit_to_be_read(town: dict[str, list[str]], sits_down: SitsDown, album: Album, base_url: str):
    pages = {
        "operator": [
            "/ops", "/ops?span=fortnight", "/ops/stuck", "/ops/due?name=unbind_to_confirmed", "/ops/repairs",
            "/ops/letters?channel=alipay", "/ops/faces?provider=sandbox", "/ops/moves?state=active&way=in",
            "/ops/life", "/ops/life?product=family_account", "/ops/life/active",
            f"/ops/bindings/{town['suspended'][0]}",
        ],
        "supervisor": [
            "/supervision", "/supervision/sampling", "/supervision/suspended", "/supervision/staff",
            "/supervision/channels", "/supervision/packs", "/supervision/packs/CN-national/family_account",
            f"/ops/bindings/{town['suspended'][0]}",
        ],
    }  # fmt: skip
    for name, paths in pages.items():
        page = sits_down(name)
        for path in paths:
            answer = page.goto(f"{base_url}/console{path}")
            assert answer is not None
            assert answer.status == 200, path
            for size in (TABLET, WIDE):
                page.set_viewport_size(size)
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, size)
            assert page.evaluate(SMALL) == [], path
            album(page, f"{name}{path.replace('/', '_').partition('?')[0]}")
