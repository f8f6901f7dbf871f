"""The edge: documents, limits, logs, and what happens when things are away."""

import asyncio
import io
import json
import logging
import os
import re
import socket
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]
import psycopg
import pytest
import structlog

from api import edge
from api.openapi import document
from api.shapes import Application, every_shape
from api.texts import FIELDS, TEXTS
from console.words import CODES as OF_THE_CONSOLE
from models import logs
from tests.doors.conftest import Caller
from tests.doors.family import application, key, submitted, view
from tests.doors.visitor import Comes, text_of
from tests.logs import logged

ROOT = Path(__file__).parents[2]


def test_nobody_on_the_way_keeps_an_answer_or_guesses_what_it_is(alipay: httpx.Client) -> None:
    made = submitted(alipay)
    answers = [alipay.get(f"/v1/bindings/{one}") for one in (made["id"], "bnd_none")]
    assert [answer.status_code for answer in answers] == [200, 404]
    for answer in answers:
        assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert len({answer.headers["x-request-id"] for answer in answers}) == 2


# -- documents -----------------------------------------------------------------------------------------------------


def test_one_document_for_all_doors(alipay: httpx.Client) -> None:
    answer = alipay.get("/openapi.json")
    made = view(answer)
    assert made["openapi"].startswith("3.1")
    known = set(made["components"]["schemas"])
    assert set(re.findall(r'"#/components/schemas/(\w+)', answer.text)) <= known
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            assert operation.get("description"), f"{method} {path}"
            assert {"500", "503"} <= operation["responses"].keys(), f"{method} {path}"
            assert "default" not in operation["responses"], f"{method} {path}"
    for path in ("/v1/bindings", "/v1/bindings/{binding_id}/materials", "/v1/bindings/{binding_id}/actions/withdraw"):
        assert "requestBody" in made["paths"][path]["post"]


def test_its_examples_are_what_is_taken(alipay: httpx.Client) -> None:
    made = view(alipay.get("/openapi.json"))
    for shape in every_shape():
        for shown in (shape.model_config.get("json_schema_extra") or {}).get("examples", []):  # type: ignore[union-attr]
            shape.model_validate(shown)
            schema = {"$ref": f"#/components/schemas/{shape.__name__}", "components": made["components"]}
            jsonschema.validate(shown, schema)


def test_the_example_of_an_application_is_accepted_and_answered_as_it_says(alipay: httpx.Client) -> None:
    told = view(alipay.get("/openapi.json"))["paths"]["/v1/bindings"]["post"]["responses"]["201"]
    shown = Application.model_config["json_schema_extra"]["examples"][0]  # type: ignore[index]
    answer = alipay.post("/v1/bindings", json=shown, headers=key())
    assert answer.status_code == 201, answer.text
    assert _timeless(view(answer)) == _timeless(told["content"]["application/json"]["example"])


def _timeless(shown: dict[str, Any]) -> dict[str, Any]:
    """A view without its id and times; labels and words stay."""
    waiting = {name: value for name, value in shown["waiting_on"].items() if name not in {"since", "until"}}
    return {name: value for name, value in shown.items() if name not in {"id", "state_since"}} | {"waiting_on": waiting}


class Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.places: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in {"src", "href", "action"}]
        self.places += [value or "" for name, value in attrs if name == "id"]


def test_the_page_needs_nothing_from_elsewhere(alipay: httpx.Client) -> None:
    answer = alipay.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    parser = Addresses()
    parser.feed(answer.text)
    assert [found for found in parser.found if not found.startswith("#")] == ["openapi.json"]
    assert "/v1/bindings/{binding_id}/face-checks" in answer.text
    assert "<script" not in answer.text


def test_the_page_of_the_document_is_made_once(alipay: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a quarter of a megabyte, and anybody may ask for it."""
    first = alipay.get("/docs")
    monkeypatch.delattr("api.pages.page")
    assert alipay.get("/docs").content == first.content


def test_the_page_has_every_call_and_every_field(alipay: httpx.Client) -> None:
    made, shown = view(alipay.get("/openapi.json")), alipay.get("/docs").text
    parser = Addresses()
    parser.feed(shown)
    assert len(parser.places) == len(set(parser.places))
    assert {found[1:] for found in parser.found if found.startswith("#")} <= set(parser.places)
    assert {f"shape-{name}" for name in made["components"]["schemas"]} <= set(parser.places)
    assert len([place for place in parser.places if place.startswith("call-")]) == sum(map(len, made["paths"].values()))
    party = shown.partition('<h3 id="shape-Party">')[2].partition("<h3")[0]
    assert set(re.findall(r"<li><code>(\w+)</code>", party)) == set(
        made["components"]["schemas"]["Party"]["properties"]
    )
    assert "#/components" not in shown
    assert "`" not in shown
    for name in ("Authorization", "Idempotency-Key", "If-Match", "Accept-Language"):
        assert f'<li id="header-{name}">' in shown, name


def test_every_parameter_and_every_group_of_calls_is_described(alipay: httpx.Client) -> None:
    made = view(alipay.get("/openapi.json"))
    operations = [one for path in made["paths"].values() for one in path.values()]
    parameters = [one for operation in operations for one in operation.get("parameters", [])]
    assert [one["name"] for one in parameters if "$ref" not in one and not one["description"]] == []
    assert all(one["description"] for one in made["components"]["parameters"].values())
    assert {tag for operation in operations for tag in operation["tags"]} == {one["name"] for one in made["tags"]}


# -- texts ---------------------------------------------------------------------------------------------------------

CODES = re.compile(r'(?<![A-Za-z])(?:Refused|NotAllowed|BadDocument)\(\s*"([a-z_0-9]+)"')


def codes() -> set[str]:
    """Every code that a refusal anywhere in the code is made with, and those that vendors' answers become."""
    found: set[str] = set()
    for folder in ("workflows", "policies", "gateways", "tasks", "api", "console"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text()
            found |= set(CODES.findall(text))
            if path.name == "face_outcomes.py":
                found |= set(re.findall(r'Answer\(\s*\w+(?:\.\w+)?, "(face_[a-z_]+)"', text))
    written = (ROOT / "models" / "sql" / "desk_write_v1.sql").read_text()
    verdicts = re.search(r"-- Verdicts: (.+?)\ncreate", written, re.DOTALL)
    assert verdicts
    return found | set(re.findall(r"[a-z_]{2,}", verdicts[1])) - {"done", "stale"}


def test_every_code_has_its_text() -> None:
    assert len(codes()) > 50
    assert not codes() - set(TEXTS) - set(OF_THE_CONSOLE["refusal"])


def test_every_reason_of_a_pack_has_its_text() -> None:
    from policies.book import lawbook

    reasons = {reason for file in lawbook().files for law in [lawbook().law(file.pack, file.product, file.version)]
               for reason in law.pack.reasons}  # fmt: skip
    assert reasons
    assert not reasons - set(TEXTS)


def test_texts_are_in_both_languages() -> None:
    for code, (zh, en) in (TEXTS | FIELDS).items():
        assert re.search(r"[\u4e00-\u9fff]", zh), code
        assert en.isascii(), code


# -- limits --------------------------------------------------------------------------------------------------------


def test_no_limits_unless_asked_for(alipay: httpx.Client) -> None:
    answers = [alipay.get("/v1/bindings/bnd_none") for _ in range(150)]
    assert {answer.status_code for answer in answers} == {404}
    assert "ratelimit" not in answers[0].headers


def test_limits_that_are_asked_for(settings: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    settings.setenv("KINBIND_RATE_LIMIT", "5/3600")
    as_: Caller = request.getfixturevalue("as_")
    alipay, wechat = as_("alipay"), as_("wechat")
    answers = [alipay.get("/v1/bindings/bnd_none") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [404] * 5 + [429] * 2
    assert answers[0].headers["ratelimit-policy"] == '"default";q=5;w=3600'
    assert answers[0].headers["ratelimit"].startswith('"default";r=4;t=')
    assert view(answers[-1])["code"] == "rate_limited"
    assert 0 < int(answers[-1].headers["retry-after"]) <= 720
    assert wechat.get("/v1/bindings/bnd_none").status_code == 404


@pytest.mark.parametrize("asked", ["100", "0/60", "x", "100/0"])
def test_limits_that_cannot_be(settings: pytest.MonkeyPatch, asked: str) -> None:
    from api.limits import limits_from_environment

    settings.setenv("KINBIND_RATE_LIMIT", asked)
    with pytest.raises(ValueError, match="KINBIND_RATE_LIMIT"):
        limits_from_environment(sandbox=True)


# -- what is away --------------------------------------------------------------------------------------------------


def test_sandbox_keys_open_nothing_elsewhere(base_url: str, settings: pytest.MonkeyPatch, alipay: httpx.Client) -> None:
    from api.auth import Keys
    from models.ledger import Ledger
    from workflows.access import principals

    assert alipay.post("/v1/bindings/search", json={}).status_code == 200
    ledger = Ledger(os.environ["KINBIND_DATABASE_URL"], size=1)
    try:
        assert principals.find(ledger, "sandbox-alipay", sandbox=True) is not None
        assert principals.find(ledger, "sandbox-alipay", sandbox=False) is None
        keys = Keys(ledger, sandbox=False)
        with pytest.raises(Exception, match="key_invalid"):
            asyncio.run(keys._find("sandbox-alipay"))
    finally:
        ledger.close()


def test_never_with_the_sandbox_in_production(settings: pytest.MonkeyPatch) -> None:
    from api.app import create_app
    from models.settings import SettingWrong

    settings.setenv("KINBIND_ENV", "production")
    with pytest.raises(SettingWrong, match="never for production"):
        create_app()


def test_a_fault_of_ours_is_no_outage(as_: Caller, comes: Comes, database_url: str) -> None:
    """A view whose statement is wrong is told as what it is: to try again helps nobody."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("alter table webhook_endpoints rename disabled_at to closed_at")
    answer = as_("alipay").get("/v1/webhook-endpoints")
    assert (answer.status_code, view(answer)["code"]) == (500, "internal_error")
    page = comes("supervisor").get("/supervision/channels")
    assert (page.status_code, "系统内部错误" in text_of(page)) == (500, True)


def test_a_database_that_fails_is_503_and_then_serves_again(
    alipay: httpx.Client, server_url: str, database_url: str
) -> None:
    made = submitted(alipay)
    name = database_url.rsplit("/", 1)[1].split("?", maxsplit=1)[0]
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
    answers = [alipay.get(f"/v1/bindings/{made['id']}") for _ in range(12)]
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert answers[-1].status_code == 200
    for answer in answers:
        if answer.status_code == 503:
            assert view(answer)["code"] == "unavailable"
            assert answer.headers["retry-after"]


def test_a_broken_row_is_500_without_a_word_of_it(alipay: httpx.Client, office: Any) -> None:
    made = submitted(alipay)
    with office.ledger.connection() as conn:
        conn.execute("update applications set sealed = '\\x00' where binding_id = %s", (made["id"],))
    answer = alipay.get(f"/v1/bindings/{made['id']}")
    assert (answer.status_code, view(answer)["code"]) == (500, "internal_error")
    assert view(answer)["detail"] == "Something went wrong on our side"


# -- logs ----------------------------------------------------------------------------------------------------------


def test_logs_say_where_and_never_with_what() -> None:
    held = io.StringIO()
    handler = logging.StreamHandler(held)
    handler.setFormatter(logs._Foreign([structlog.stdlib.add_log_level, logs.fault]))
    logger = logging.getLogger("kinbind.test.foreign")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        int("张伟 440106198503072316")
    except ValueError:
        logger.exception("failed for %s", "张伟")
    line = json.loads(held.getvalue())
    assert line["fault"] == "ValueError"
    assert line["places"][-1].startswith("doors/test_channel_edge.py:")
    assert "张伟" not in held.getvalue()
    assert "4401" not in held.getvalue()


def test_the_access_log_has_the_template_and_no_person(alipay: httpx.Client, capfd: pytest.CaptureFixture[str]) -> None:
    body = application()
    capfd.readouterr()
    with logged(edge) as lines:
        made = submitted(alipay, body)
        alipay.get(f"/v1/bindings/{made['id']}?secret=440106198503072316")
        alipay.post("/v1/bindings/search", json={"holder_id_number": body["holder"]["id_number"]})
        until = time.monotonic() + 5  # a request is logged once its answer has left, and the answer may be here before
        while len([line for line in lines if line["event"] == "request"]) < 3 and time.monotonic() < until:
            time.sleep(0.01)
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["route"] for line in requests] == ["/v1/bindings", "/v1/bindings/{binding_id}", "/v1/bindings/search"]
    assert {line["principal"] for line in requests} == {"sandbox-alipay"}
    written = json.dumps(lines, default=str) + capfd.readouterr().err
    assert "4401061985" not in written
    assert body["holder"]["id_number"] not in written


def test_the_document_is_made_once(base_url: str) -> None:
    from api.app import create_app

    app = create_app()
    assert document(app) is document(app)


def test_who_hangs_up_is_no_failure_of_ours(base_url: str) -> None:
    where = httpx.URL(base_url)
    head = ("POST /v1/bindings HTTP/1.1", f"Host: {where.host}", "Authorization: Bearer sandbox-alipay",
            "Content-Type: application/json", "Content-Length: 100", "", "{")  # fmt: skip

    def counted(status: int) -> bool:
        return f'route="/v1/bindings",status="{status}"' in httpx.get(f"{base_url}/metrics").text

    failed = counted(500)
    with logged(edge) as lines:
        with socket.create_connection((where.host, where.port or 80)) as caller:
            caller.sendall("\r\n".join(head).encode())
            time.sleep(0.2)  # or the server may never begin to read
        while not counted(edge.CLIENT_GONE):
            time.sleep(0.01)
    assert [line["event"] for line in lines if line["log_level"] == "error"] == []
    assert counted(500) is failed


def test_a_path_longer_than_any_of_ours_is_nowhere(alipay: httpx.Client) -> None:
    """And not a database that is away, whose index takes no such id."""
    where = f"/v1/bindings/{'x' * 7000}/actions/withdraw"
    told = {"acting_for": {"id_number": "440106198503072316"}}
    assert (alipay.post(where, json=told).status_code, alipay.get(where).status_code) == (404, 404)
