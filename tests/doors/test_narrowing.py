"""A part of the ledger is the same part in every view, and a cursor that somebody made up is a place like others."""

from datetime import UTC, datetime

from tasks.office import Office
from tests import life
from tests.doors.visitor import Comes, somebody
from workflows.case import STATES
from workflows.views import cursors, overview, population
from workflows.views.narrowing import EVERYTHING, Part


def test_a_cursor_that_was_made_up_is_a_place_like_others(comes: Comes, office: Office) -> None:
    operator = comes("operator")
    life.to_state(office, "submitted")
    first, last = (moment.replace(tzinfo=UTC) for moment in (datetime.min, datetime.max))  # noqa: DTZ901
    for path, place in {
        "/ops/moves?state=submitted": (last, "x", 2**62),
        "/ops/due?name=submitted_to_materials": (first, "x"),
        "/ops/stuck?cause=no_deadline": (first, "x", "y", "z"),
        "/ops/life/submitted?channel=alipay": ("x",),
    }.items():
        assert operator.get(f"{path}&cursor={cursors.encode(*place)}").status_code == 200, path


def test_the_same_part_is_counted_alike_everywhere(office: Office) -> None:
    for seed, region in enumerate(("320500", "440100", "440100", "320100")):
        life.to_state(office, ("submitted", "active")[seed % 2], seed=seed, region=region)
    parts = {
        EVERYTHING: 4,
        Part(("000000", "320500")): 4,
        Part(("000000",), region="320000"): 2,
        Part(("320500", "440000"), channel="alipay", product="family_account"): 3,
        Part(("320000",), region="440000"): 0,
    }
    for part, count in parts.items():
        seen = {one["state"]: one["count"] for one in overview.overview(office.ledger, part)["states"]}
        there = {state: one["count"] for state, one in population.population(office.ledger, part).states.items()}
        listed = {state: len(population.members(office.ledger, part, state, 50)["items"]) for state in STATES}
        assert seen == there == listed, part
        assert sum(seen.values()) == count, part


def test_a_narrowing_is_kept_on_the_way(comes: Comes) -> None:
    path = "/ops/life?region=4401&amp;product=&amp;channel=alipay"
    operator = comes("operator")
    of_state = operator.get("/ops/life/active?region=4401&channel=alipay").text
    assert f'class="crumb"><a href="/console{path}"' in of_state
    stranger = comes("").get("/ops/life?region=4401")
    assert stranger.headers["location"] == "/console/sign-in?next=/ops/life%3Fregion%3D4401"


def test_a_region_that_is_not_granted_is_told_apart_from_an_empty_one(comes: Comes, office: Office) -> None:
    operator = somebody(comes, office, ["operator"], ["320000"])
    for path in ("/ops/life", "/ops/life/active"):
        assert "广东省不在您的授权地区之内" in operator.get(f"{path}?region=44").text
        for granted in ("32", "3205", ""):
            assert "授权地区之内" not in operator.get(f"{path}?region={granted}").text


def test_a_narrowing_that_is_none_names_its_fields(comes: Comes) -> None:
    answer = comes("operator").get("/ops/life?region=4a&product=cake&channel=pigeon")
    assert answer.status_code == 422
    for said in ("地区 · 格式错误", "业务 · 不在可选值之内", "渠道 · 不在可选值之内"):
        assert said in answer.text
    missing = comes("operator").get("/ops/due").text  # nobody's field, so none of them is named
    assert ("地址或提交的内容有误" in missing, "姓名" in missing) == (True, False)
