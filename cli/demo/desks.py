"""Stories in which the agency has the word: reviewers, a clerk, a supervisor."""

from __future__ import annotations

from cli.demo.channel_app import View
from cli.demo.town import Ending, Town, require


def a_shared_account(town: Town) -> list[Ending]:
    """A husband in Foshan shares his account: returned once, corrected, approved; then his wife shows his code."""
    app = town.apps["yueyibao_alipay"]
    husband, wife = town.adult("冯志强", 46, "440600"), town.adult("谭雪", 43, "440600")
    view = app.apply(husband, wife, "SPOUSE", product="account_sharing")
    view = app.wait(app.hand_in(view), "agency_review")
    _claim(town, view)
    items = [{"kind": "commitment_letter", "reason": "letter_unsigned"}]
    returned = {"reason": "letter_unsigned", "items": items, "note": "page 1 is not signed"}
    town.reviewer.post(f"/v1/reviews/{view['id']}/return", returned)
    view = app.view(view["id"])
    require(view["correction"]["items"][0]["kind"] == "commitment_letter", "the family is not told what to correct")
    app.upload(view["id"], "commitment_letter")
    view = app.act(app.view(view["id"]), "submit_materials")
    view = app.wait(view, "agency_review")
    _claim(town, view)
    town.second_reviewer.refused("claimed_by_other", f"/v1/reviews/{view['id']}/claim")
    town.reviewer.post(f"/v1/reviews/{view['id']}/approve")
    sharing = Ending("wife shares: returned, approved", app, view["id"], "active")

    app = town.apps["alipay"]
    view = app.apply(husband, wife, "SPOUSE", product="code_display", initiator="member")
    view = app.face(app.wait(app.hand_in(view), "face_check"), "member", "passed")
    view = app.act(app.face(view, "holder", "passed"), "confirm_authorisation")
    require(view["state"] == "active", f"authorised, but {view['state']}")
    asked = {"holder_id_number": husband.id_number, "member_id_number": wife.id_number, "purpose": "pay_from_account"}
    answer = app.post("/v1/entitlements/check", asked | {"patient": "member", "region": "440600"})
    require(answer["allowed"], f"she may not pay from his account: {answer['reason']}")
    return [sharing, Ending("wife shows his code, both faces", app, view["id"], "active")]


def a_relation_not_proven(town: Town) -> list[Ending]:
    """Suzhou's reviewer, who sees no other city, refuses: the papers do not prove the relationship."""
    app = town.apps["jiangsu_yibaoyun"]
    view = app.apply(
        town.adult("顾明", 47, "320500"), town.adult("顾老", 72, "320500"), "PARENT", product="account_sharing"
    )
    view = app.wait(app.hand_in(view), "agency_review")
    reviewer = town.suzhou_reviewer
    queue = reviewer.get("/v1/reviews", region="320500")["items"]
    require(any(view["id"] in str(case) for case in queue), "the case is not in Suzhou's queue")
    reviewer.post(f"/v1/reviews/{view['id']}/claim")
    body = {"reason": "relation_unproven", "note": "the register names another father"}
    reviewer.post(f"/v1/reviews/{view['id']}/reject", body)
    return [Ending("father, relation not proven", app, view["id"], "rejected")]


def a_child_at_the_counter(town: Town) -> list[Ending]:
    """A mother without a phone applies at the window; the clerk scans her papers. A child's face is not asked."""
    clerk = town.clerk
    mother, child = town.adult("邓红", 39, "450100"), town.adult("邓小宝", 7, "450100")
    body = town.anyone.application(mother, child, "CHILD")
    view = clerk.hand_in(clerk.post("/v1/counter/tickets", body), which=1)
    view = clerk.wait(view, "active")
    return [Ending("child, applied at the window", clerk, view["id"], "active")]


def a_suspicion_lifted(town: Town) -> list[Ending]:
    """A supervisor suspects a misuse, finds none and lifts it: only a supervisor may."""
    app = town.apps["wechat"]
    father, child = town.adult("曹斌", 36, "350100"), town.adult("曹心怡", 9, "350100")
    view = app.wait(app.hand_in(app.apply(father, child, "CHILD")), "active")
    path = f"/v1/bindings/{view['id']}"
    town.supervisor.post(f"{path}/suspend", {"reason": "suspected_fraud"})
    asked = {"holder_id_number": father.id_number, "member_id_number": child.id_number, "purpose": "show_code"}
    require(not app.post("/v1/entitlements/check", asked | {"patient": "member"})["allowed"], "suspended, yet allowed")
    town.supervisor.post(f"{path}/resume", {"reason": "cleared"})
    require(app.view(view["id"])["state"] == "active", "the suspicion is lifted, but not the suspension")
    return [Ending("child, suspended and resumed", app, view["id"], "active")]


def _claim(town: Town, view: View) -> None:
    """The reviewer finds the case in the queue, takes it, and opens the first document."""
    queue = town.reviewer.get("/v1/reviews", region=view["region"])["items"]
    require(any(view["id"] in str(case) for case in queue), "the case is not in the queue")
    town.reviewer.post(f"/v1/reviews/{view['id']}/claim")
    seen = town.reviewer.view(view["id"])["materials"][0]
    content = town.reviewer.http.get(f"/v1/bindings/{view['id']}/materials/{seen['id']}/content")
    require(content.content[:2] == b"\xff\xd8" or content.content[:4] == b"%PDF", "the document does not open")
