"""What the documents say is true of the code: links, settings, codes, words, and the sample that verifies a webhook."""

import base64
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from api import refusing
from api.app import create_app
from api.openapi import document
from api.texts import FIELDS
from console.words import Tongue
from workflows.entitlements import REASONS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
CODE = ("api", "console", "service", "cli", "embedded", "gateways", "models", "policies", "tasks", "workflows")
REAL_TIME = 1_763_700_000  # seconds; any moment will do


def sources() -> str:
    return "\n".join(path.read_text() for folder in CODE for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_both_readmes_say_how_much_is_not_there():
    """Whoever reads either must not believe that more is done than is (§C.10, §B.9, §D.3)."""
    english, chinese = ((ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md"))
    missing = [re.findall(r"^- .+", text.rpartition(head)[2], re.MULTILINE)
               for text, head in ((english, "What is not there:"), (chinese, "尚缺的部分："))]  # fmt: skip
    assert len(missing[0]) == len(missing[1]) >= 6
    for word in ("MetaInfo", "openid", "OIDC", "SM4"):
        assert word in english.rpartition("What is not there:")[2], word
        assert word in chinese.rpartition("尚缺的部分：")[2], word


def test_every_setting_is_documented_and_no_other():
    used = set(re.findall(r"KINBIND_[A-Z_]+", sources()))
    told = set(re.findall(r"^\| `(KINBIND_[A-Z_]+)`", (DOCS / "running.md").read_text(), re.MULTILINE))
    assert told == used


# Calls of channels; what only staff is told stands in the table too, where a counter should know it.
OF_CHANNELS = {"bindings", "materials", "actions", "face checks", "entitlements", "feed", "webhooks", "sandbox"}
OF_STAFF = {"subject_not_present", "registry_objects", "own_verification", "second_clerk_required",
            "http_method_not_allowed"}  # fmt: skip


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> set[tuple[int, str]]:
    """By which status and code a channel may be refused, as the OpenAPI document has it."""
    monkeypatch.setenv("KINBIND_SANDBOX", "1")
    made = document(create_app())
    calls = [(path, method, operation) for path, operations in made["paths"].items()
             for method, operation in operations.items() if OF_CHANNELS & {*operation["tags"]}]  # fmt: skip
    assert len(calls) > 30
    return {(status, code) for call in calls if "callbacks" not in call[2]["tags"]
            for status, some in refusing.codes(*call).items() for code in some}  # fmt: skip


def test_the_codes_of_the_table_are_those_of_the_api(refused: set[tuple[int, str]]):
    rows = re.findall(r"^\| (\d{3}) \| ((?:`\w+` ?)+)\|", (DOCS / "integrating.md").read_text(), re.MULTILINE)
    told = {(int(status), code) for status, codes in rows for code in re.findall(r"\w+", codes)}
    assert refused - told == set()
    assert {code for _, code in told - refused} == OF_STAFF


@pytest.mark.parametrize(("head", "known"), [("code | the field", FIELDS), ("`reason` | the use", REASONS)])
def test_the_other_words_of_the_page_are_those_of_the_api(head: str, known: Iterable[str]):
    _, _, page = (DOCS / "integrating.md").read_text().partition(f"| {head}")
    rows = re.findall(r"^\| (`.+?`) \|", page.partition("\n\n")[0], re.MULTILINE)
    assert {word for row in rows for word in re.findall(r"\w+", row)} == {*known}


def test_the_words_of_the_glossary_stand_in_the_code():
    words = re.findall(r"`([A-Za-z_.]+)`", (DOCS / "glossary.md").read_text())
    said = sources() + "\n".join(path.read_text() for path in (ROOT / "policies" / "packs").rglob("*.yaml"))
    assert {word for word in words if not re.search(rf"\b{word.split('.')[-1]}\b", said)} == set()


def test_the_glossary_calls_the_pages_of_a_register_as_the_console_does():
    """A holder's page is his own: 户主 is the head of the household, somebody else as like as not."""
    (row,) = re.findall(r"^\| 户口簿(.*)", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    names, kinds = row.split("|")[0].split(), re.findall(r"`(\w+)`", row)
    t = Tongue("zh", lambda code, _: code)
    assert [f"户口簿{name}" for name in names] == [t.of("kind", kind) for kind in kinds]


def test_every_decision_is_listed_and_names_alternatives():
    pages = sorted((DOCS / "decisions").glob("0*.md"))
    listed = re.findall(r"\]\((0[^)]+)\)", (DOCS / "decisions" / "README.md").read_text())
    assert [page.name for page in pages] == sorted(listed)
    assert [page.name for page in pages if "**Alternatives.**" not in page.read_text()] == []


def test_every_library_has_its_line():
    wanted = re.findall(r"^([A-Za-z][\w-]*)", (ROOT / "requirements.in").read_text(), re.MULTILINE)
    page = (DOCS / "decisions" / "0001-libraries.md").read_text()
    assert [name for name in wanted if name not in page] == []


def test_the_sample_verifies_what_we_sign_and_nothing_else():
    (sample,) = re.findall(r"```python\n(.*?)```", (DOCS / "integrating.md").read_text(), re.DOTALL)
    module: dict[str, Any] = {}
    exec(sample, module)
    verified, secret = module["verified"], "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    body = '{"type":"binding.activated"}'
    signature = Webhook(secret).sign("msg_1", datetime.fromtimestamp(REAL_TIME, UTC), body)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(REAL_TIME), "webhook-signature": f"v1,AAAA {signature}"}
    assert verified(secret, headers, body.encode(), now=REAL_TIME + 299)
    assert not verified(secret, headers, body.encode(), now=REAL_TIME + 301)
    assert not verified(secret, headers, body.encode() + b" ", now=REAL_TIME)
    assert not verified(secret, headers | {"webhook-id": "msg_2"}, body.encode(), now=REAL_TIME)
