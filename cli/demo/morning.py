"""Families still on their way when the demo is over: whoever opens the console has something to do in every room."""

from __future__ import annotations

from cli.demo.channel_app import View
from cli.demo.families import foreigner, newborn, years_old
from cli.demo.town import Ending, Town


def before_a_reviewer(town: Town) -> list[Ending]:
    """Four families wait for a reviewer, who has taken one, asked a supervisor about it, and sent another back."""
    foshan, suzhou = ("440600", "yueyibao_alipay"), ("320500", "jiangsu_yibaoyun")
    shared = [("许文", "方兰", foshan), ("袁刚", "袁老", foshan), ("钱明", "沈玉", suzhou), ("潘杰", "潘秀", foshan)]
    endings = []
    for holder, member, (region, channel) in shared:
        app = town.apps[channel]
        kin = town.adult(holder, 44, region), town.adult(member, 70, region)
        view = app.apply(*kin, "PARENT", product="account_sharing")
        view = app.wait(app.hand_in(view), "agency_review")
        endings.append(Ending(f"{member}, before a reviewer", app, view["id"], "agency_review"))
    taken, returned = (town.reviewer.view(str(endings[n].binding_id)) for n in (0, 3))
    town.reviewer.post(f"/v1/reviews/{taken['id']}/claim")
    town.reviewer.post(f"/v1/reviews/{taken['id']}/escalate", {"note": "is a copy of the register enough?"})
    town.reviewer.post(f"/v1/reviews/{returned['id']}/claim")
    items = [{"kind": "commitment_letter", "reason": "letter_unsigned"}]
    town.reviewer.post(f"/v1/reviews/{returned['id']}/return", {"reason": "letter_unsigned", "items": items})
    return [*endings[:3], Ending("潘秀, sent back for a signature", endings[3].app, returned["id"], "returned")]


def on_the_way_to_a_counter(town: Town) -> list[Ending]:
    """Two are expected at the counter: a husband with a passport, and a grandmother, whom an operator may send back."""
    app = town.apps["wechat"]
    view = app.apply(town.adult("蒋敏", 30, "440100"), town.adult("蒋桂英", 82, "440100"), "GRANDPARENT")
    view = app.act(app.wait(app.hand_in(view), "face_check"), "choose_offline", reason="declines_face")
    tried = {"repair": "move", "to": "face_check", "reason": "asked for by telephone", "dry_run": True}
    town.operator.post(f"/v1/ops/bindings/{view['id']}/repair", tried)
    declines = Ending("grandmother, expected at the counter", app, view["id"], "offline_fallback")
    app = town.apps["national_app"]
    husband = foreigner("JOHN SMITH", years_old(41, town.today), "310000")
    view = app.apply(town.adult("汪琳", 38, "310000"), husband, "SPOUSE", method="other_document")
    view = app.wait(app.hand_in(view, which=1), "offline_fallback")
    return [declines, Ending("husband, expected at the counter", app, view["id"], "offline_fallback")]


def before_the_camera(town: Town) -> list[Ending]:
    """A father has failed once and has till tomorrow; a baby's record waits for its father to confirm it."""
    app = town.apps["alipay"]
    view = app.apply(town.adult("丁浩", 39, "440100"), town.adult("丁国强", 69, "440100"), "PARENT")
    view = app.face(app.wait(app.hand_in(view), "face_check"), "member", "no_match")
    failed = Ending("father, failed once", app, view["id"], "face_check")
    app = town.apps["nhsa_oa"]
    father, mother = town.adult("贾斌", 32, "330100"), town.adult("江雪", 30, "330100")
    baby = newborn("贾新生", town.today, "330100")
    more = town.certified(baby, mother, "K330100002")
    view = app.wait(app.hand_in(app.apply(father, baby, "CHILD", **more)), "materials_uploaded", party="holder")
    return [failed, Ending("newborn, record to be confirmed", app, view["id"], "materials_uploaded")]


def in_force_but(town: Town) -> list[Ending]:
    """A daughter has asked for the end and not yet confirmed it; another binding is suspended upon suspicion."""
    app = town.apps["wechat"]
    ending = _child_in_force(town, "余芳", "余乐")
    app.act(ending, "request_unbind", initiator="holder", method="pay_password")
    suspected = _child_in_force(town, "任伟", "任安")
    town.supervisor.post(f"/v1/bindings/{suspected['id']}/suspend", {"reason": "suspected_fraud"})
    return [
        Ending("child, its end not yet confirmed", app, ending["id"], "unbinding"),
        Ending("child, suspended upon suspicion", app, suspected["id"], "suspended"),
    ]


def _child_in_force(town: Town, parent: str, child: str) -> View:
    app = town.apps["wechat"]
    view = app.apply(town.adult(parent, 35, "350100"), town.adult(child, 8, "350100"), "CHILD")
    return app.wait(app.hand_in(view), "active")
