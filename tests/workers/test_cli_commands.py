"""The commands that do one thing and end: keys, migrations, sweep, the law book, refusals in one line."""

import os
import re
import shutil
import stat
from datetime import date
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli import places, screen
from cli.main import app
from models import keyring
from models.ledger import Ledger
from policies.book import lawbook
from tests import life
from workflows.access import principals
from workflows.case import EXPIRED
from workflows.engine import Desk
from workflows.views.watching import signs_of_life

ROOT = Path(__file__).parents[2]


@pytest.fixture
def kinbind(monkeypatch):
    """Run a command in this process; the exit code, and what it said."""
    for name in [name for name in os.environ if name.startswith("KINBIND_") and "TEST" not in name]:
        monkeypatch.delenv(name)

    def run(*arguments, stdin=None):
        done = CliRunner().invoke(app, list(arguments), input=stdin)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run


@pytest.fixture
def served(kinbind, database_url, tmp_path, monkeypatch):
    """The same, on a ledger with keys of its own."""
    monkeypatch.setenv("KINBIND_DATABASE_URL", database_url)
    monkeypatch.setenv("KINBIND_KEYS_FILE", str(tmp_path / "keys.json"))
    keyring.make(tmp_path / "keys.json")
    return kinbind


@pytest.fixture
def ledger(database_url):
    opened = Ledger(database_url, size=1)
    yield opened
    opened.close()


def one_line_of_fault(done, *words, code=1):
    assert done.exit_code == code
    assert done.stderr.startswith("kinbind: ")
    assert done.stderr.count("\n") == 1
    assert all(word in done.stderr for word in words), done.stderr


# -- keys ----------------------------------------------------------------------------------------------


def test_a_channel_gets_a_key_and_loses_it(served, ledger):
    made = served("keys", "create-channel", "alipay", "--name", "alipay second app")
    assert made.exit_code == 0
    told, key = made.stdout.splitlines()
    principal_id = told.split()[0]
    found = principals.find(ledger, key, sandbox=False)
    assert found is not None
    assert found.channel == "alipay"
    assert f"{principal_id}\tchannel\talipay second app\talipay" in served("keys", "list").stdout
    assert served("keys", "revoke", principal_id).exit_code == 0
    assert principals.find(ledger, key, sandbox=False) is None
    one_line_of_fault(served("keys", "revoke", principal_id), "nobody of that id")


def test_staff_are_known_by_their_own_number_which_is_asked_for(served, ledger, tmp_path):
    number = life.number(date(1990, 5, 6), 7)
    roles = ("--role", "reviewer", "--role", "counter")
    made = served("keys", "create-staff", "Ms Lin", *roles, "--region", "440000", "--own-number", stdin=f"{number}\n")
    assert made.exit_code == 0
    assert number not in made.output
    (staff,) = principals.every(ledger)
    assert (staff.roles, staff.regions) == (("reviewer", "counter"), ("440000",))
    assert staff.person == keyring.read(tmp_path / "keys.json").person("citizen18", number)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create-channel", "telegram"), "channels are"),
        (("create-staff", "x", "--role", "king", "--region", "440000"), "roles are"),
        (("create-staff", "x", "--role", "counter", "--region", "44"), "six digits"),
        (("create-staff", " ", "--role", "counter", "--region", "440000"), "a name has"),
        (("create-channel", "alipay", "--name", "x" * 81), "a name has"),
    ],
)
def test_who_cannot_be_made_is_said(served, arguments, words):
    one_line_of_fault(served("keys", *arguments), words, code=2)


def test_the_keyring_is_copied_for_its_owner_alone(served, tmp_path):
    copy = tmp_path / "copy.json"
    done = served("keys", "backup", str(copy))
    assert done.exit_code == 0
    assert "k001" in done.stdout
    assert copy.read_bytes() == (tmp_path / "keys.json").read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    one_line_of_fault(served("keys", "backup", str(copy)), "nothing is overwritten")


@pytest.mark.parametrize("left", [0, 40, 100, -2], ids=["empty", "a little", "half", "all but its end"])
def test_a_keyring_that_is_cut_short_is_said_in_one_line(served, tmp_path, left):
    path = tmp_path / "keys.json"
    whole = path.read_text()
    path.write_text(whole[:left])
    for command in (("keys", "backup", str(tmp_path / "copy.json")), ("explain", "bnd_none")):
        one_line_of_fault(served(*command), "keys.json is no keyring", "restore it from its backup")
    assert not (tmp_path / "copy.json").exists()
    assert re.search(r"bad +keyring +\S+keys.json is no keyring", served("doctor").stdout)


# -- one thing at a time ---------------------------------------------------------------------------------


def test_a_database_is_brought_up_and_again(kinbind, empty_database_url, monkeypatch):
    monkeypatch.setenv("KINBIND_DATABASE_URL", empty_database_url)
    assert kinbind("migrate").exit_code == 0
    assert kinbind("migrate").exit_code == 0


def test_a_sweep_fires_what_is_due(served, database_url):
    with life.office(database_url) as office:
        binding_id = life.submit(office, life.a_request(office.desk.book))
        assert served("sweep", "--once").stdout == "0 deadlines dealt with\n"
        signs = {one["name"]: one["seen_at"] for one in signs_of_life(office.ledger)}
        assert signs["sweep"] is not None, "who sweeps in beat's place is not missed"
        life.skip(office, days=7)
        assert served("sweep", "--once").stdout == "1 deadlines dealt with\n"
        with office.ledger.connection() as conn:
            conn.execute("alter table provider_outages rename to mislaid")
        one_line_of_fault(served("sweep", "--once"), "schema")  # not "0 deadlines", as if nothing were due
        assert life.look(office, binding_id).state == EXPIRED


def test_a_letter_that_was_put_aside_is_shown_and_sent_again(served, ledger, tmp_path):
    assert served("deliveries", "list").stdout == "nothing has been put aside\n"
    desk = Desk(ledger, lawbook(), keyring.read(tmp_path / "keys.json"))
    hook = life.endpoint(desk, "http://127.0.0.1:9/")["id"]
    with ledger.transaction() as conn:
        conn.execute(
            "insert into deliveries (id, endpoint_id, binding_id, sequence, type, state, attempts, next_at, created_at,"
            " settled_at, last_error) values ('dlv_1', %s, 'bnd_1', 3, 'binding.activated', 'parked', 10,"
            " kinbind_now(), kinbind_now(), kinbind_now(), 'http_500')",
            (hook,),
        )
    shown = served("deliveries", "list").stdout
    assert f"dlv_1\talipay\t{hook}\tbnd_1\t3\tbinding.activated\t" in shown
    assert "http_500" in shown
    assert served("deliveries", "resend", "dlv_1").exit_code == 0
    assert "dlv_1" not in served("deliveries", "list").stdout
    one_line_of_fault(served("deliveries", "resend", "dlv_none"), "no delivery of that id")


def test_the_law_book_is_in_order_and_explains_itself(kinbind):
    assert kinbind("policy", "check").exit_code == 0
    plan = kinbind("policy", "plan", "--relationship", "CHILD", "--member-birth", "2015-01-01", "--day", "2026-11-21")
    assert "steps: none" in plan.stdout
    assert "materials\t" in plan.stdout
    assert "CN-national.family_account.yaml" in plan.stdout
    shown = kinbind("policy", "show", "CN-3205-suzhou/family_account", "--day", "2026-11-21")
    assert "age.minor_max_inclusive\t16\tCN-3205-suzhou.family_account.yaml" in shown.stdout
    both = kinbind("policy", "show", "CN-44-guangdong").stdout
    assert "CN-44-guangdong/account_sharing" in both
    assert "CN-44-guangdong/code_display" in both
    assert "CN-44-guangdong/code_display" in kinbind("policy", "show", "CN-44-guangdong.code_display").stdout
    assert "stateDiagram" in kinbind("diagram").stdout


def test_broken_packs_are_found(kinbind, tmp_path, monkeypatch):
    (tmp_path / "broken.yaml").write_text("pack: x\n")
    monkeypatch.setenv("KINBIND_PACKS", str(tmp_path))
    lawbook.cache_clear()
    try:
        done = kinbind("policy", "check")
        assert "broken.yaml: version: missing" in done.stdout
        one_line_of_fault(done, "found in the packs")
        one_line_of_fault(kinbind("policy", "plan"), "broken.yaml", "policy check")
    finally:
        lawbook.cache_clear()


def test_an_upkeep_that_is_missed_is_told_of(served, ledger):
    assert re.search(r"note +upkeep +never done yet", served("doctor").stdout)
    with ledger.connection() as conn:
        conn.execute("insert into heartbeats (name, seen_at) values ('keep_up', clock_timestamp() - interval '90 min')")
    assert re.search(r"ok +upkeep +done 90 min ago", served("doctor").stdout)
    with ledger.connection() as conn:
        conn.execute("update heartbeats set seen_at = clock_timestamp() - interval '3 hours'")
    assert re.search(r"bad +upkeep +last done 3 h ago", served("doctor").stdout)


# -- faults in one line --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("explain", "bnd_none"), "no kinbind runs"),
        (("migrate",), "no kinbind runs"),
        (("sweep", "--once"), "no kinbind runs"),
        (("policy", "plan", "--relationship", "OTHER"), "relation_not_allowed"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(kinbind, tmp_path, monkeypatch, arguments, words):
    monkeypatch.setenv("KINBIND_VAR", str(tmp_path))
    one_line_of_fault(kinbind(*arguments), words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--member-birth", "yesterday"), "YYYY-MM-DD"),
        (("--product", "cake"), "--product is one of family_account"),
        (("--method", "guess"), "--method is one of"),
        (("--relationship", "NEFFE"), "--relationship is one of"),
        (("--member-document", "library_card"), "--member-document is one of"),
        (("--channel", "telegram"), "--channel is one of"),
        (("--initiator", "abc"), "--initiator is one of"),
    ],
)
def test_a_word_that_is_none_is_exit_code_two(kinbind, arguments, words):
    one_line_of_fault(kinbind("policy", "plan", *arguments), words, code=2)
    one_line_of_fault(kinbind("policy", "show", "CN-99"), "no such pack", code=2)


def test_an_unknown_binding_and_a_missing_keyring_are_said(served, tmp_path):
    one_line_of_fault(served("explain", "bnd_none"), "no binding 'bnd_none'")
    one_line_of_fault(served("show", "bnd_none"), "no binding 'bnd_none'")
    (tmp_path / "keys.json").unlink()
    one_line_of_fault(served("explain", "bnd_none"), "no keyring")
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize("command", [("up", "--sandbox"), ("demo", "--exit")])
def test_the_sandbox_is_never_for_production(kinbind, tmp_path, monkeypatch, command):
    monkeypatch.setenv("KINBIND_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("KINBIND_ENV", "production")
    one_line_of_fault(kinbind(*command), "never for production")
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    "url",
    [
        "S3CRETpw",
        "postgresql://u:S3CRETpw@[bad/x",
        "postgresql://u:S3CRETpw@127.0.0.1:port/x",
        "postgresql://u:S3CRETpw/x",  # taken for a port
        "postgresql://u:half@S3CRETpw@127.0.0.1:1/x",  # taken for a host
        "postgresql://u:1/S3CRETpw@127.0.0.1:1/x",  # taken for a database
        "host=127.0.0.1 password=S3CRETpw",
    ],
)
def test_an_address_that_is_none_is_never_quoted(kinbind, tmp_path, monkeypatch, url):
    monkeypatch.setenv("KINBIND_VAR", str(tmp_path))
    keyring.make(tmp_path / "keys.json")
    commands = "keys list", "audit verify", "backup base b", "sweep --once", "check", "migrate", "explain bnd_x", "up"
    monkeypatch.setenv("KINBIND_DATABASE_URL", url)
    for command in commands:
        done = kinbind(*command.split())
        one_line_of_fault(done, "KINBIND_DATABASE_URL is no URL")
        assert "S3CRET" not in done.output
    done = kinbind("doctor")
    assert re.search("bad +database +KINBIND_DATABASE_URL is no URL", done.stdout)
    assert "S3CRET" not in done.output
    monkeypatch.setenv("KINBIND_DATABASE_URL", "postgresql://u:w@127.0.0.1:1/x")
    monkeypatch.setenv("KINBIND_READER_URL", url)
    monkeypatch.setenv("KINBIND_BROKER_URL", "redis://:S3CRET/pw@127.0.0.1:1/0")
    one_line_of_fault(kinbind("keys", "list"), "KINBIND_READER_URL is no URL")
    done = kinbind("doctor")
    assert re.search("bad +reader +KINBIND_READER_URL is no URL", done.stdout)
    assert "KINBIND_BROKER_URL is no URL" in done.stdout
    assert "S3CRET" not in done.output


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u@h/x",
        "postgresql://u:p%40%2F%23%25@h:5432/x?sslmode=require",
        "postgresql://u:p@[::1]:5432/x",
        "postgresql://u@/x?host=/run/postgresql&password=p",
        "postgresql://u:p@/x?host=one,two&port=5432,5433",
    ],
)
def test_an_address_as_servers_have_them_is_taken(url):
    assert places.readable("KINBIND_DATABASE_URL", url) == url


@pytest.mark.parametrize("command", ["audit verify", "migrate", "check", "backup base b", "audit export f"])
def test_a_database_that_is_away_is_said_and_nothing_is_left_behind(kinbind, tmp_path, monkeypatch, command):
    monkeypatch.setenv("KINBIND_VAR", str(tmp_path / "var"))
    (tmp_path / "var").mkdir()
    keyring.make(tmp_path / "var" / "keys.json")
    monkeypatch.setenv("KINBIND_DATABASE_URL", "postgresql://u:S3CRETpw@127.0.0.1:1/x")
    monkeypatch.chdir(tmp_path)
    one_line_of_fault(kinbind(*command.split()), "does not answer")
    assert [path.name for path in tmp_path.iterdir()] == ["var"]


def test_a_database_without_a_schema_is_said(kinbind, empty_database_url, monkeypatch):
    monkeypatch.setenv("KINBIND_DATABASE_URL", empty_database_url)
    one_line_of_fault(kinbind("audit", "verify"), "no schema")  # the reading side's fault, which comes wrapped


@pytest.mark.parametrize("command", ["explain", "show", "keys revoke", "deliveries resend", "audit verify --binding"])
def test_what_is_no_utf_8_is_said(served, command):
    one_line_of_fault(served(*command.split(), "bnd_\udcff"), "UTF-8", code=2)


def test_a_backup_goes_where_a_folder_can_be_made(served, tmp_path):
    (tmp_path / "file").touch()
    one_line_of_fault(served("backup", "base", str(tmp_path / "file" / "x")), "Not a directory")
    one_line_of_fault(served("backup", "wal", str(tmp_path / "file" / "x")), "Not a directory")
    one_line_of_fault(served("backup", "base", str(tmp_path / "file")), "nothing is overwritten")


def test_a_document_that_goes_while_it_is_copied_is_no_fault(served, tmp_path, monkeypatch):
    store = tmp_path / "documents"  # of which one's time comes meanwhile, and one is half written
    (store / ".incoming" / "half").mkdir(parents=True)
    (store / "mat_1").touch()
    (store / "mat_2").touch()

    def slowly(source, target, copied=shutil.copy2):
        (store / "mat_2").unlink(missing_ok=True)
        return copied(source, target)

    monkeypatch.setenv("KINBIND_DOCUMENTS", str(store))
    monkeypatch.setattr("embedded.backup.base", lambda _url, folder: folder.mkdir())
    monkeypatch.setattr("shutil.copy2", slowly)
    assert served("backup", "base", str(tmp_path / "copy")).exit_code == 0
    assert [path.name for path in (tmp_path / "copy" / "documents").iterdir()] == ["mat_1"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"needs.json": '{"keys": []}'}, "lacks password"),
        ({"password": "x"}, "lacks needs.json"),
        ({"password": "x", "needs.json": "[]"}, "needs.json is not"),
        ({"password": "x", "needs.json": '{"keys": [1]}'}, "needs.json is not"),
        ({"password": "x", "needs.json": "\xff"}, "needs.json is not"),
        ({"password": "", "needs.json": '{"keys": []}'}, "of a server by URL"),
    ],
)
def test_half_a_backup_is_not_restored(kinbind, tmp_path, monkeypatch, files, words):
    monkeypatch.setenv("KINBIND_VAR", str(tmp_path / "var"))
    one_line_of_fault(kinbind("restore", str(tmp_path)), "no backup of ours")
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "PG_VERSION").write_text("17")
    for name, text in files.items():
        (tmp_path / name).write_text(text, "latin-1")
    one_line_of_fault(kinbind("restore", str(tmp_path)), words)
    assert not (tmp_path / "var").exists()


def test_what_others_wrote_commands_no_terminal(served, ledger):
    made, _ = principals.create_channel(ledger, "alipay")
    with ledger.connection() as conn:  # made before names were looked at
        named = ("\x1b]0;x\x07\x9b2J\u202eevil\tone\ntwo 张伟", made.id)
        conn.execute("update principals set name = %s where id = %s", named)
    shown = served("keys", "list").stdout
    assert r"\x1b]0;x\x07\x9b2J\u202eevil one · two 张伟" in shown
    assert len(shown.splitlines()) == 2


def test_on_a_terminal_too(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    screen.table(("name",), [["\x1b[2Jone\ntwo"]])
    screen.say("\x1b[2J [b]\n")
    with pytest.raises(typer.Exit):
        screen.fail("\x9b2J\udcff")
    told = capsys.readouterr()
    assert r"\x1b[2Jone" in told.out
    assert r"\x1b[2J [b] · " in told.out
    assert told.err == "kinbind: \\x9b2J\\udcff\n"


def test_a_wrong_option_is_exit_code_two(kinbind):
    assert kinbind("up", "--port", "none").exit_code == 2
