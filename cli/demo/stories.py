"""What families do: one function for each story. Each goes on only while all is as it should be."""

from __future__ import annotations

from uuid import uuid4

from cli.demo.families import foreigner, newborn, years_old
from cli.demo.town import Ending, Town, require

DAY = 24.0  # hours


def a_mother_by_camera(town: Town) -> list[Ending]:
    """A son in Guangzhou binds his mother, who passes at once; later she ends it from another app."""
    app, other = town.apps["alipay"], town.apps["national_app"]
    son, mother = town.adult("张伟", 40, "440100"), town.adult("李秀英", 68, "440100")
    application, key = app.application(son, mother, "PARENT", channel_reference="demo-1"), str(uuid4())
    first = app.send("/v1/bindings", application, idempotency_key=key)
    again = app.send("/v1/bindings", application, idempotency_key=key)
    require(again.headers.get("Idempotency-Replayed") == "true", "a repeated application was not replayed")
    require(again.content == first.content, "the replay differs from the first answer")
    view = app.hand_in(first.json())
    withdrawing = f"/v1/bindings/{view['id']}/actions/withdraw"
    app.refused("stale_version", withdrawing, {}, if_match='"1"')
    view = app.face(app.wait(view, "face_check"), "member", "passed")
    require(view["state"] == "active", f"passed, but {view['state']}")
    asked = {"holder_id_number": son.id_number, "member_id_number": mother.id_number, "purpose": "show_code"}
    require(app.post("/v1/entitlements/check", asked | {"patient": "member"})["allowed"], "she may not show her code")
    hers = {"acting_for": {"id_number": mother.id_number, "purpose": "self_service"}}
    seen = other.acting_for(mother, view)
    seen = other.act(seen, "request_unbind", initiator="member", method="pay_password", **hers)
    path = f"/v1/bindings/{view['id']}/actions/confirm_unbind"
    other.refused("pay_password_wrong", path, {"pay_password": "000000", **hers})
    other.post(path, {"pay_password": "123456", **hers})
    require(not app.post("/v1/entitlements/check", asked | {"patient": "member"})["allowed"], "it outlived its end")
    return [Ending("mother, by camera; ended by her", app, view["id"], "unbound")]


def a_father_at_the_third_try(town: Town) -> list[Ending]:
    """A father fails, runs out of time, then passes; the holder ends the binding by his own face."""
    app = town.apps["wechat"]
    view = app.apply(town.adult("王磊", 35, "110100"), town.adult("王建国", 66, "110100"), "PARENT")
    view = app.wait(app.hand_in(view), "face_check")
    view = app.face(view, "member", "no_match", "timeout", "passed")
    require(view["state"] == "active", f"passed at the third try, but {view['state']}")
    tries = [(one["status"], one["reason"]) for one in app.get(f"/v1/bindings/{view['id']}/face-checks")["items"]]
    reasons = {reason for _, reason in tries}
    require({"face_no_match", "face_timeout"} <= reasons, f"the tries were noted as {tries}")
    view = app.act(view, "request_unbind", initiator="holder", method="face")
    view = app.face(view, "holder", "passed")
    require(view["state"] == "unbound", f"the holder showed his face, but {view['state']}")
    return [Ending("father, third try; ended by holder", app, view["id"], "unbound")]


def sixteen_here_and_there(town: Town) -> list[Ending]:
    """At sixteen one is a child in Suzhou, where no face is asked, and an adult in Guangzhou, where it is."""
    app, born = town.apps["suzhou_yibao_oa"], years_old(16, town.today)
    parent, child = town.adult("陈静", 42, "320500"), town.adult("陈晨", 16, "320500")
    suzhou = app.wait(app.hand_in(app.apply(parent, child, "CHILD")), "active")
    require("face_check" not in suzhou["plan"]["steps"], "Suzhou asked a child for its face")
    app2 = town.apps["alipay"]
    parent, child = town.adult("黄敏", 44, "440100"), town.adult("黄宇", 16, "440100")
    require(child.born == born, "both children are of one age")
    view = app2.wait(app2.hand_in(app2.apply(parent, child, "CHILD")), "face_check")
    guangzhou = app2.face(view, "member", "passed")
    require(guangzhou["state"] == "active", f"passed, but {guangzhou['state']}")
    return [
        Ending("sixteen in Suzhou: no face", app, suzhou["id"], "active"),
        Ending("sixteen in Guangzhou: face", app2, guangzhou["id"], "active"),
    ]


def a_newborn_by_certificate(town: Town) -> list[Ending]:
    """A father binds a baby by its birth certificate; the record is confirmed and the mother shows her face."""
    app = town.apps["nhsa_oa"]
    father, mother = town.adult("周强", 31, "330100"), town.adult("吴婷", 29, "330100")
    baby = newborn("周新生", town.today, "330100")
    more = town.certified(baby, mother, "K330100001")
    view = app.hand_in(app.apply(father, baby, "CHILD", **more))
    view = app.wait(view, "materials_uploaded", party="holder")
    require(view["registry_record"], "there is no record to confirm")
    view = app.face(app.act(view, "confirm_registry_record"), "mother", "passed")
    require(view["state"] == "active", f"the mother passed, but {view['state']}")
    return [Ending("newborn, by certificate", app, view["id"], "active")]


def a_passport_goes_to_the_counter(town: Town) -> list[Ending]:
    """A wife with a foreign passport: no camera compares it, so the case goes to the counter by itself."""
    app = town.apps["national_app"]
    husband, wife = town.adult("刘洋", 38, "310000"), foreigner("MARIA SILVA", years_old(36, town.today), "310000")
    view = app.hand_in(app.apply(husband, wife, "SPOUSE", method="other_document"), which=1)
    view = app.wait(view, "offline_fallback")
    require(view["counter_ticket"]["code"], "there is no code to show at the window")
    town.verify_at_counter(view, "passport read, person compared")
    return [Ending("wife, by passport, at the counter", app, view["id"], "active")]


def a_face_declined(town: Town) -> list[Ending]:
    """A grandmother will not show her face: straight to the counter, where name and number do not fit."""
    app = town.apps["wechat"]
    view = app.apply(town.adult("何芳", 30, "510100"), town.adult("罗桂兰", 79, "510100"), "GRANDPARENT")
    view = app.wait(app.hand_in(view), "face_check")
    view = app.act(view, "choose_offline", reason="declines_face")
    require(view["waiting_on"]["for"] == "counter_visit", "declining did not open the counter at once")
    body = {"reason": "name_id_mismatch", "note": "the card is her sister's"}
    town.clerk.post(f"/v1/counter/tickets/{view['id']}/refuse", body)
    return [Ending("grandmother, declines the camera", app, view["id"], "rejected")]


def a_photo_nobody_has(town: Town) -> list[Ending]:
    """No photo to compare with: no retry can mend that, so the counter opens at once, and helps."""
    app = town.apps["alipay"]
    view = app.apply(town.adult("宋涛", 45, "420100"), town.adult("宋大山", 74, "420100"), "PARENT")
    view = app.wait(app.hand_in(view), "face_check")
    view = app.face(view, "member", "photo_not_found")
    require(view["state"] == "offline_fallback", f"no photo, but {view['state']}")
    town.verify_at_counter(view, "old card, person compared")
    return [Ending("father, no photo on file", app, view["id"], "active")]


def insurance_in_arrears(town: Town) -> list[Ending]:
    """The registry says that the member's insurance is suspended: refused, with the reason."""
    app = town.apps["alipay"]
    son, mother = town.adult("赵军", 41, "370100"), town.adult("赵玉梅", 67, "370100")
    town.registries_know(mother, insured={"status": "suspended"})
    view = app.wait(app.hand_in(app.apply(son, mother, "PARENT")), "rejected")
    require(view["reason"] == "insurance_suspended", f"refused because of {view['reason']}")
    return [Ending("mother, insurance suspended", app, view["id"], "rejected")]


def the_wrong_door(town: Town) -> list[Ending]:
    """Who comes to 粤医保 for the family account is told that it is another product; nobody binds himself."""
    app, alipay = town.apps["yueyibao_wechat"], town.apps["alipay"]
    son, mother = town.adult("梁辉", 33, "440600"), town.adult("梁少芬", 60, "440600")
    application = alipay.application(son, mother, "PARENT")
    wrong = app.refused("wrong_product", "/v1/bindings", application)
    selfish = alipay.refused("self_binding", "/v1/bindings", application | {"member": son.party()})
    return [
        Ending("wrong product for this channel", app, refusal=wrong),
        Ending("himself", alipay, refusal=selfish),
    ]


def the_sixth_member(town: Town) -> list[Ending]:
    """Five places are full, the sixth is refused; the fifth withdraws, and the sixth fits."""
    app = town.apps["national_app"]
    holder = town.adult("孙丽", 50, "500000")
    names = ("孙一", "孙二", "孙三", "孙四", "孙五", "孙六")
    kin = [town.adult(name, 40 + n, "500000") for n, name in enumerate(names)]
    views = [app.apply(holder, one, "SIBLING") for one in kin[:5]]
    sixth = app.application(holder, kin[5], "SIBLING")
    full = app.refused("holder_limit", "/v1/bindings", sixth)
    hers = {"id_number": kin[4].id_number, "purpose": "self_service"}
    app.act(views[4], "withdraw", acting_for=hers)
    views.append(app.post("/v1/bindings", sixth))
    waiting = [Ending(f"sibling {n + 1}, never hands in", app, views[n]["id"], "expired") for n in (0, 1, 2, 3, 5)]
    refused = Ending("sibling 6, at first", app, refusal=full)
    return [*waiting, Ending("sibling 5, refuses", app, views[4]["id"], "withdrawn"), refused]


def the_third_binder(town: Town) -> list[Ending]:
    """A child is bound by father and mother; in the same month the grandmother is one too many."""
    app, region = town.apps["wechat"], "430100"
    child = town.adult("彭小朵", 6, region)
    kin = (("father", town.adult("彭勇", 34, region), "CHILD"), ("mother", town.adult("唐慧", 33, region), "CHILD"))
    endings = []
    for who, holder, relationship in kin:
        view = app.wait(app.hand_in(app.apply(holder, child, relationship)), "active")
        endings.append(Ending(f"child, bound by its {who}", app, view["id"], "active"))
    third = app.application(town.adult("彭秀兰", 63, region), child, "GRANDCHILD")
    return [
        *endings,
        Ending("by its grandmother", app, refusal=app.refused("member_binder_limit", "/v1/bindings", third)),
    ]


def a_night_without_a_pass(town: Town) -> list[Ending]:
    """Twenty-four hours run out on the sandbox's clock, to the second; then the counter helps."""
    app = town.apps["alipay"]
    view = app.apply(town.adult("郑凯", 37, "440100"), town.adult("郑福", 81, "440100"), "PARENT")
    view = app.face(app.wait(app.hand_in(view), "face_check"), "member", "no_match", "liveness_failed")
    require(view["waiting_on"]["then"] == "offline_fallback", "the window does not run")
    town.let_pass(hours=DAY)
    view = app.view(view["id"])
    require(view["state"] == "offline_fallback", f"24 hours are over, but {view['state']}")
    require("resume_online" not in view["available_actions"], "a closed window can be resumed")
    town.verify_at_counter(view, "came with his daughter")
    return [Ending("father, 24 hours without a pass", app, view["id"], "active")]


def a_week_goes_by(town: Town) -> list[Ending]:
    """Seven more days: whoever has handed nothing in expires, and nobody waits for ever."""
    app = town.apps["wechat"]
    view = app.apply(town.adult("马超", 28, "610100"), town.adult("马云飞", 58, "610100"), "PARENT")
    town.let_pass(hours=7 * DAY)
    require(app.view(view["id"])["state"] == "expired", "a week is over, and it still waits")
    return [Ending("father, never hands in", app, view["id"], "expired")]
