"""`kinbind policy` with drafts: checked, planned and compared with the open bindings before they are served."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from policies.loader import SHIPPED
from tasks.office import Office
from tests import life

DRAFT = """
pack: CN-41-draft
version: "draft"
effective_from: 2026-01-01
region: "41"
inherits: CN-national/family_account
product: family_account
sources: [W14]
facts: {pack: [W14], limits: [W14]}
limits: {members_per_holder: 3, per_relation: {SPOUSE: 1}}
"""
NATIONAL = (SHIPPED / "CN-national.family_account.yaml").read_text("utf-8")
Kinbind = Callable[..., Result]


@pytest.fixture
def kinbind(monkeypatch: pytest.MonkeyPatch) -> Kinbind:
    """Run a command in this process; the exit code, and what it said."""
    for name in [name for name in os.environ if name.startswith("KINBIND_") and "TEST" not in name]:
        monkeypatch.delenv(name)

    def run(*arguments: str) -> Result:
        done = CliRunner().invoke(app, ["policy", *arguments])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run


@pytest.fixture
def office(kinbind: Kinbind, database_url: str) -> Iterator[Office]:
    """A ledger with keys of its own, in the environment of the command."""
    del kinbind  # it clears the environment first
    with life.office(database_url) as opened:
        yield opened


@pytest.fixture
def draft(tmp_path: Path) -> str:
    path = tmp_path / "CN-41-draft.family_account.yaml"
    path.write_text(DRAFT, "utf-8")
    return str(path)


def test_a_draft_is_planned_before_it_is_served(kinbind: Kinbind, draft: str) -> None:
    asked = ("--holder-region", "410100", "--day", "2026-11-21")
    without = kinbind("plan", *asked).stdout
    assert without.startswith("CN-national 2026-11-01")
    for place in (draft, str(Path(draft).parent)):
        lines = kinbind("plan", *asked, "--packs", place).stdout.splitlines()
        assert lines[0].startswith("CN-41-draft draft: adult")
        (limit,) = [line.split("\t") for line in lines if line.startswith("limits.members_per_holder\t")]
        assert limit == ["limits.members_per_holder", "3", "", "limits.members_per_holder", Path(draft).name, "W14", ""]
    assert "per_relation\t{SPOUSE: 1}" in kinbind("show", "CN-41-draft", "--packs", draft).stdout


def test_a_pack_is_shown_in_the_words_of_a_pack(kinbind: Kinbind) -> None:
    rows = dict(line.split("\t")[:2] for line in kinbind("show", "CN-national/family_account").stdout.splitlines()[3:])
    assert rows["own_code_only"] == "true"
    assert rows["face.max_attempts"] == "null"
    assert rows["unbind.authentication"] == "[pay_password, face]"
    assert not {"True", "False", "None"} & set(rows.values())


def test_a_plan_says_which_options_it_assumed(kinbind: Kinbind) -> None:
    line = kinbind("plan").stdout.splitlines()[1]
    assert line.startswith("assumed, as it was not said: --product family_account --method id_number ")
    some = kinbind("plan", "--relationship", "CHILD", "--method", "id_number").stdout.splitlines()[1]
    assert ("--relationship" in some, "--method" in some, "--member-birth 1958-03-07" in some) == (False, False, True)


def test_a_draft_with_a_fault_says_where(kinbind: Kinbind, draft: str) -> None:
    Path(draft).write_text(DRAFT.replace("facts: {pack: [W14], limits: [W14]}", "facts: {pack: [W14]}"), "utf-8")
    done = kinbind("check", draft)
    name = Path(draft).name
    assert done.exit_code == 1
    for key in ("limits.members_per_holder", "limits.per_relation.SPOUSE"):
        assert f"{name}: {key}: stands on no source" in done.stdout
    Path(draft).write_text(DRAFT.replace("SPOUSE", "FATHER"), "utf-8")
    assert f"{name}: limits: no such relationship: FATHER" in kinbind("check", draft).stdout


@pytest.mark.parametrize("length", [".nan", ".inf", "-.inf", "1e300"])
@pytest.mark.parametrize("where", ["deadlines: {offline_to_counter: {days: %s}}", "face: {window_hours: %s}"])
def test_a_length_that_is_none_is_a_fault_of_the_draft(kinbind: Kinbind, draft: str, where: str, length: str) -> None:
    Path(draft).write_text(DRAFT + where % length + "\n", "utf-8")
    done = kinbind("check", draft)
    assert done.exit_code == 1
    place = f"{Path(draft).name}: {where.partition(':')[0]}."
    (told,) = [line for line in done.stdout.splitlines() if line.startswith(place)]
    assert ": Input should be" in told


def test_every_pack_is_listed_with_its_days(kinbind: Kinbind, draft: str) -> None:
    later = Path(draft).with_name("later.yaml")
    later.write_text(DRAFT.replace('"draft"', '"later"').replace("2026-01-01", "2099-01-01"), "utf-8")
    done = kinbind("list", "--packs", str(later.parent))
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert (done.exit_code, len(rows)) == (0, 1 + len(list(SHIPPED.glob("*.yaml"))) + 2)
    assert ["CN-national/family_account", "2026-11-01", "2024-03-02", "in force"] in [row[:4] for row in rows]
    ours = [row for row in rows if row[0] == "CN-41-draft/family_account"]
    assert [(row[1:4], row[5]) for row in ours] == [
        (["draft", "2026-01-01", "in force"], Path(draft).name), (["later", "2099-01-01", "to come"], "later.yaml"),
    ]  # fmt: skip


def test_a_file_that_is_served_is_no_draft(kinbind: Kinbind, monkeypatch: pytest.MonkeyPatch, draft: str) -> None:
    served = SHIPPED / "CN-national.family_account.yaml"
    for place, name in ((served, served.name), (SHIPPED, "CN-11-beijing.account_sharing.yaml")):
        done = kinbind("check", str(place))
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert f"{name} is in the book already" in done.stderr
    monkeypatch.setenv("KINBIND_PACKS", str(Path(draft).parent))
    assert "is in the book already" in kinbind("plan", "--packs", draft).stderr


@pytest.mark.parametrize("option", ["--holder-region", "--member-region"])
@pytest.mark.parametrize("code", ["3301", "990100", "hangzhou"])
def test_a_region_has_six_digits(kinbind: Kinbind, option: str, code: str) -> None:
    done = kinbind("plan", option, code)
    assert done.exit_code == 2
    assert "six digits" in done.stderr


def test_a_document_that_the_method_does_not_take(kinbind: Kinbind) -> None:
    asked = ("--member-document", "passport", "--day", "2026-11-22")
    assert "methods that take such a member: other_document\n" in kinbind("plan", *asked).stderr
    sharing = kinbind("plan", "--product", "account_sharing", "--holder-region", "330100", *asked)
    assert sharing.stderr.endswith("methods that take such a member: none\n")


def test_the_open_bindings_that_a_draft_would_touch(kinbind: Kinbind, office: Office, draft: str) -> None:
    ours = [life.to_state(office, state, seed=n, region="410100") for n, state in enumerate(("submitted", "active"))]
    life.to_state(office, "withdrawn", seed=5, region="410100")
    life.to_state(office, "active", seed=6, region="440100")
    told = json.loads(kinbind("diff", "CN-national/family_account", draft, "--json").stdout)
    assert (told["old"], told["new"]) == ("CN-national/family_account 2026-11-01", "CN-41-draft/family_account draft")
    assert (told["looked_at"], told["alike"]) == (2, 0)
    (group,) = told["groups"]
    assert (group["count"], sorted(group["examples"])) == (2, sorted(ours))
    assert group["states"] == {"submitted": 1, "active": 1}
    assert group["differences"] == [
        {"part": "limits.members_per_holder", "old": 5, "new": 3},
        {"part": "limits.per_relation.SPOUSE", "old": None, "new": 1},
    ]
    said = kinbind("diff", "CN-national.family_account@2026-11-01", draft).stdout
    assert "2 open bindings looked at: 2 treated differently, 0 alike" in said
    assert "  limits.members_per_holder: 5 → 3\n" in said
    assert ours[0] in said


def test_a_later_version_of_the_same_pack(kinbind: Kinbind, office: Office, tmp_path: Path) -> None:
    text = NATIONAL.replace('version: "2026-11-01"\neff', 'version: "2030"\neff').replace("2024-03-02", "2030-01-01")
    later = tmp_path / "later.yaml"
    later.write_text(text.replace("face_to_first_attempt: {days: 7}", "face_to_first_attempt: {days: 3}"), "utf-8")
    life.to_state(office, "face_check")
    said = kinbind("diff", "CN-national/family_account", str(later)).stdout
    assert 'deadlines.face_to_first_attempt: {"hours":168.0,"working_days":null} → {"hours":72.0' in said
    later.write_text(text, "utf-8")
    said = kinbind("diff", "CN-national/family_account", str(later)).stdout
    assert "1 open bindings looked at: 0 treated differently, 1 alike" in said


def test_a_pack_that_others_inherit_from_is_compared_with_the_nation(kinbind: Kinbind, office: Office) -> None:
    suzhou = life.to_state(office, "submitted", region="320500")
    told = json.loads(kinbind("diff", "CN-national/family_account", "CN-32-jiangsu/family_account", "--json").stdout)
    (group,) = told["groups"]
    assert (told["looked_at"], group["examples"]) == (1, [suzhou])
    assert group["new"].startswith("CN-3205-suzhou/family_account")


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("CN-99/family_account", "CN-national/family_account", 2, "no such version: CN-99"),
        ("CN-national/family_account@1999", "CN-national/family_account", 2, "CN-national/family_account@2026-11-01"),
        ("CN-national/family_account", "CN-11-beijing/account_sharing", 1, "different products"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(
    kinbind: Kinbind, old: str, new: str, code: int, words: str
) -> None:
    done = kinbind("diff", old, new)
    assert (done.exit_code, done.stderr.count("\n")) == (code, 1)
    assert words in done.stderr
