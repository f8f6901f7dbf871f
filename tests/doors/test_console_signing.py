"""The console's front door: accounts, sessions, the lockout, forms that are ours, and who gets into which room."""

import asyncio
import re
import time
from contextlib import nullcontext

import httpx
import pyotp
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from api import edge
from api.texts import text
from console.app import create_console
from console.rooms import open_to
from tasks.office import Office
from tests import life
from tests.doors.visitor import Comes, Visitor, in_review, text_of, with_pictures
from tests.logs import logged
from tests.wire import NO_AUTHORITIES
from workflows.access import accounts, principals, sessions
from workflows.access.principals import Principal

OWN = "晴天 correct horse 2026"


@pytest.fixture
def login(base_url: str, office: Office) -> tuple[str, str]:
    """A reviewer's fresh account: login and one-time password."""
    _, password = accounts.add(office.ledger, " Li.Na ", "李娜", ["reviewer"], ["440100"])
    return "li.na", password


def sign_in(visitor: Visitor, login: str, password: str, code: str = "", **more: str) -> httpx.Response:
    visitor.get("/sign-in")
    return visitor.post("/sign-in", login=login, password=password, code=code, **more)


def paired(visitor: Visitor, login: tuple[str, str]) -> pyotp.TOTP:
    """Set the account up; what the authenticator has afterwards."""
    page = visitor.follow(visitor.follow(sign_in(visitor, *login)))
    found = re.search(r'class="secret">([A-Z2-7]+)<', page.text)
    assert found
    phone = pyotp.TOTP(found[1])
    done = visitor.post("/set-up", password=OWN, again=OWN, code=phone.now())
    assert done.status_code == 303, text_of(done)
    return phone


def later(phone: pyotp.TOTP) -> str:
    """The code of the next half minute: the present one has been used."""
    import time

    return phone.at(time.time() + 30)


def test_the_first_sign_in_sets_the_account_up(comes: Comes, login: tuple[str, str], office: Office) -> None:
    visitor = comes("")
    first = sign_in(visitor, *login)
    assert first.headers["location"] == "/console/"
    assert visitor.get("/reviews").headers["location"] == "/console/set-up"  # and nothing else is open yet
    visitor.get("/set-up")
    short = visitor.post("/set-up", password="short", again="short", code="000000")
    assert (short.status_code, "12" in text_of(short)) == (422, True)
    assert "不一致" in text_of(visitor.post("/set-up", password=OWN, again="other", code="000000"))
    assert "动态码不正确" in text_of(visitor.post("/set-up", password=OWN, again=OWN, code="000000"))
    phone = paired(comes(""), login)
    assert visitor.get("/set-up").status_code == 303  # the session of the one-time password is over
    assert sign_in(comes(""), *login).status_code == 401  # and so is the password
    known = comes("")
    assert sign_in(known, login[0].upper(), OWN, later(phone)).status_code == 303
    assert "李娜" in text_of(known.get("/reviews"))
    with office.ledger.connection() as conn:
        (stored,) = conn.execute("select row_to_json(a)::text from staff_accounts a").fetchone() or ("",)
    assert OWN not in stored
    assert phone.secret not in stored


def test_a_code_opens_once(comes: Comes, login: tuple[str, str]) -> None:
    phone = paired(comes(""), login)
    code = later(phone)
    assert sign_in(comes(""), login[0], OWN, code).status_code == 303
    assert sign_in(comes(""), login[0], OWN, code).status_code == 401
    assert sign_in(comes(""), login[0], OWN).status_code == 401


def test_five_wrong_ones_lock_the_account(comes: Comes, login: tuple[str, str], office: Office) -> None:
    visitor = comes("")
    answers = [text_of(sign_in(visitor, login[0], "wrong")) for _ in range(5)]
    assert text_of(sign_in(visitor, "nobody", "wrong")).count("锁定") == answers[0].count("锁定") == 1
    assert sign_in(visitor, *login).status_code == 401  # the right one, too late
    with office.ledger.connection() as conn:
        conn.execute("update staff_accounts set locked_until = clock_timestamp()")
    assert sign_in(visitor, *login).status_code == 303


def test_the_log_says_what_a_page_has_refused(comes: Comes) -> None:
    visitor = comes("")
    visitor.get("/sign-in")
    with logged(edge) as lines:
        sign_in(visitor, "nobody", "wrong")
        until = time.monotonic() + 5  # a request is logged once its answer has left, and the answer may be here before
        while not any(line.get("status") == 401 for line in lines) and time.monotonic() < until:
            time.sleep(0.01)
    assert [line["code"] for line in lines if line.get("status") == 401] == ["sign_in_failed"]


def test_a_session_ends(comes: Comes, login: tuple[str, str], office: Office) -> None:
    visitor, phone = comes(""), None
    phone = paired(visitor, login)
    assert visitor.get("/reviews").status_code == 200
    for over in ("seen_at = clock_timestamp() - interval '61 minutes'", "expires_at = clock_timestamp()"):
        sign_in_again = comes("")
        with office.ledger.connection() as conn:
            sign_in_again.http.cookies.set("kinbind_session", sessions.begin(conn, _principal(office)))
        assert sign_in_again.get("/reviews").status_code == 200
        with office.ledger.connection() as conn:
            conn.execute(f"update staff_sessions set {over}")
        assert sign_in_again.get("/reviews").status_code == 303
    assert sign_in(visitor, login[0], OWN, later(phone)).status_code == 303
    visitor.get("/reviews")
    left = visitor.http.cookies["kinbind_session"]
    assert visitor.post("/sign-out").status_code == 303
    assert sessions.find(office.ledger, left) is None


def _principal(office: Office) -> str:
    return accounts.every(office.ledger)[0].principal


def test_who_is_revoked_or_reset_is_out(comes: Comes, login: tuple[str, str], office: Office) -> None:
    visitor = comes("")
    paired(visitor, login)
    password = accounts.reset(office.ledger, login[0])
    assert visitor.get("/reviews").headers["location"].startswith("/console/sign-in")
    assert password is not None
    assert sign_in(visitor, login[0], password).status_code == 303  # and he begins anew
    principals.revoke(office.ledger, _principal(office))
    assert visitor.get("/set-up").status_code == 303
    assert sign_in(visitor, login[0], password).status_code == 401


@pytest.mark.parametrize(("name", "roles"), [("li.na", ["reviewer"]), ("has space", ["reviewer"]), ("x.y", ["king"])])
def test_an_account_that_cannot_be(login: tuple[str, str], office: Office, name: str, roles: list[str]) -> None:
    with pytest.raises(ValueError, match=r"login|roles"):
        accounts.add(office.ledger, name, "Somebody", roles, ["000000"])


# -- forms and cookies ------------------------------------------------------------------------------------------


def test_a_form_that_is_not_ours_is_refused(comes: Comes) -> None:
    one, two = comes("reviewer"), comes("reviewer-2")
    for token in ("", "0" * 64, two.csrf):
        refused = one.post("/reviews/next", csrf=token)
        assert (refused.status_code, "页面已失效" in text_of(refused)) == (403, True)
    assert one.http.post("/reviews/next", headers={"X-CSRF": one.csrf}).status_code == 303
    stranger = comes("")
    assert stranger.post("/sign-in", login="x", password="x").status_code == 403


def test_the_cookie_is_for_this_site_alone(comes: Comes) -> None:
    answer = comes("").get("/sign-in")
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/console"))
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("elsewhere", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example"])
def test_nobody_is_sent_elsewhere(comes: Comes, elsewhere: str) -> None:
    visitor = comes("")
    visitor.get("/sign-in")
    answer = visitor.post("/sandbox-sign-in", fields={"as": "sandbox-reviewer", "next": elsewhere})
    assert answer.headers["location"] == "/console/"


def test_after_signing_in_one_comes_to_where_one_wanted(comes: Comes) -> None:
    visitor = comes("")
    asked = visitor.get("/reviews/waiting")
    assert asked.headers["location"] == "/console/sign-in?next=/reviews/waiting"
    assert 'name="next" value="/reviews/waiting"' in visitor.follow(asked).text
    partly = visitor.get("/reviews/waiting", **{"HX-Request": "true"})
    assert (partly.status_code, "hx-redirect" in partly.headers) == (401, False)  # what is typed there stays
    back = comes("reviewer").get("/sign-in?next=/reviews/waiting")  # in already, by another tab
    assert back.headers["location"] == "/console/reviews/waiting"


def test_outside_the_sandbox_its_staff_stay_outside(office: Office) -> None:
    console = create_console(lambda: office, text, nullcontext, str, sandbox=False)
    app = Starlette(routes=[Mount("/console", console)])

    async def visited() -> tuple[httpx.Response, httpx.Response]:
        way = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=way, base_url="https://console.example/console") as client:
            page = await client.get("/sign-in")
            csrf = re.findall(r'name="csrf" value="(\w+)"', page.text)[0]
            return page, await client.post("/sandbox-sign-in", data={"csrf": csrf, "as": "sandbox-reviewer"})

    page, asked = asyncio.run(visited())
    assert "sandbox-reviewer" not in page.text
    assert "; secure" in page.headers["set-cookie"].lower()
    assert asked.status_code == 404


# -- rooms ------------------------------------------------------------------------------------------------------

ROOMS = {
    "reviewer": ("/reviews", "/reviews/mine", "/reviews/waiting", "/reviews/done"),
    "counter": ("/counter", "/counter/new"),
}
DEEDS = {
    "reviewer": ("/reviews/next", "/reviews/search", "/reviews/bnd_1/claim", "/reviews/bnd_1/release",
                 "/reviews/bnd_1/decide", "/reviews/bnd_1/take-back", "/reviews/bnd_1/escalate", "/reviews/bnd_1/note",
                 "/reviews/bnd_1/reveal", "/reviews/bnd_1/beat", "/reviews/bnd_1/message"),
    "counter": ("/counter/find", "/counter/new", "/counter/new/submit", "/counter/bnd_1/verify",
                "/counter/bnd_1/refuse", "/counter/bnd_1/hand-over", "/counter/bnd_1/withdraw",
                "/counter/bnd_1/hand-in", "/counter/bnd_1/upload", "/counter/bnd_1/reveal"),
}  # fmt: skip


def test_each_has_his_rooms_and_no_other(comes: Comes) -> None:
    for name in ("reviewer", "counter", "operator", "supervisor"):
        visitor = comes(name)
        page = visitor.get(visitor.get("/").headers.get("location", "/console/").removeprefix("/console"))
        for role, paths in ROOMS.items():
            for path in paths:
                assert visitor.get(path).status_code == (200 if role == name else 403), (name, path)
                assert (f'href="/console{path}"' in page.text) is (role == name), (name, path)
        for role, paths in DEEDS.items():
            for path in paths:
                refused = visitor.post(path).status_code == 403
                assert refused is (role != name), (name, path)


def test_what_two_of_ones_rooms_have_is_shown_once(office: Office) -> None:
    both = Principal("stf_both", "staff", "both", None, ("operator", "supervisor"), ("000000",))
    shown = {room.role: [path for path, _, _ in room.links] for room in open_to(office, both)}
    assert "/ops" in shown["operator"]
    assert [role for role, paths in shown.items() if "/ops/repairs" in paths] == ["supervisor"]


def test_the_language_is_chosen(comes: Comes) -> None:
    visitor = comes("reviewer")
    assert '<html lang="zh-CN">' in visitor.get("/reviews").text
    assert visitor.post("/language", to="en", back="/reviews").headers["location"] == "/console/reviews"
    page = visitor.get("/reviews")
    assert '<html lang="en">' in page.text
    assert "Take the next best" in text_of(page)
    assert visitor.post("/language", to="fr").status_code == 422


def test_a_page_that_is_not_there(comes: Comes) -> None:
    for visitor in (comes(""), comes("reviewer")):
        answer = visitor.get("/nowhere")
        assert (answer.status_code, "未找到" in text_of(answer)) == (404, True)
        assert "Content-Security-Policy" in answer.headers


def test_who_has_two_roles_has_both_rooms(comes: Comes, office: Office) -> None:
    case, ticket = in_review(office), life.to_state(office, "offline_fallback", seed=2)
    for binding_id in (case, ticket):
        with_pictures(office, binding_id)
    with office.ledger.connection() as conn:
        conn.execute("update principals set roles = '{reviewer,counter}' where id = 'sandbox-reviewer'")
    visitor = comes("reviewer")
    page = visitor.get("/counter")
    assert 'href="/console/reviews/mine"' in page.text
    for binding_id in (case, ticket):
        material = life.look(office, binding_id).materials[0]["id"]
        assert visitor.get(f"/cases/{binding_id}/materials/{material}").status_code == 200
        assert visitor.get(f"/cases/{binding_id}/materials/mat_nothing").status_code == 404


def test_whoever_types_the_address_by_hand_gets_in(base_url: str) -> None:
    with httpx.Client(base_url=base_url) as client:
        browsers = {"Accept": "text/html,application/xhtml+xml;q=0.9"}
        for path, headers in (("/console", {}), ("/console", browsers), ("/", browsers)):
            answer = client.get(path, headers=headers)
            assert (answer.status_code, answer.headers["location"]) == (303, "/console/"), path
        machine = client.get("/", headers={"Accept": "application/json"})
        assert (machine.status_code, machine.json()["code"]) == (404, "not_found")


def test_whoever_comes_in_again_leaves_no_session_behind(comes: Comes) -> None:
    supervisor = comes("supervisor")
    first = supervisor.http.cookies["kinbind_session"]
    supervisor.sign_in_as("reviewer")
    supervisor.http.cookies.set("kinbind_session", first)
    assert supervisor.get("/supervision").headers["location"].startswith("/console/sign-in")


@pytest.mark.parametrize("said", ["http://[", "http://x/console/" + "a/" * 60_000], ids=["none", "a long one"])
def test_whence_a_form_came_costs_nobody_anything(base_url: str, said: str) -> None:
    begun = time.monotonic()
    sent = httpx.post(f"{base_url}/console/counter/new", headers={"Referer": said}, verify=NO_AUTHORITIES)
    assert (sent.status_code, time.monotonic() - begun < 5) == (401, True)
