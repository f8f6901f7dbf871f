"""`kinbind staff`: accounts for the console are made, begun anew and listed."""

from datetime import date

from tests import life
from tests.workers.test_cli_commands import kinbind, ledger, one_line_of_fault, served
from workflows.access import accounts

__all__ = ["kinbind", "ledger", "served"]
ADD = ("staff", "add", "Li.Na", "李娜", "--role", "reviewer", "--region", "440100")


def test_an_account_is_made_with_a_password_for_once(served, ledger):
    done = served(*ADD, "--own-number", stdin=f"{life.number(date(1990, 1, 1))}\n")
    assert done.exit_code == 0, done.output
    (account,) = accounts.every(ledger)
    assert (account.login, account.name, account.roles, account.set_up) == ("li.na", "李娜", ("reviewer",), False)
    with ledger.connection() as conn:
        person, stored = conn.execute(
            "select p.person, a.password_hash from staff_accounts a join principals p on p.id = a.principal"
        ).fetchone()
    assert person is not None
    assert stored.startswith("$argon2id$")
    assert done.stdout.splitlines()[-1] not in stored


def test_begun_anew_it_has_another_password(served, ledger):
    first = served(*ADD).stdout.splitlines()[-1]
    second = served("staff", "reset", "LI.NA").stdout.splitlines()[-1]
    assert first != second
    assert served("staff", "list").stdout.splitlines()[-1].split("\t")[-1] == "not set up"


def test_what_cannot_be_is_said_in_one_line(served):
    served(*ADD)
    one_line_of_fault(served(*ADD), "taken", code=2)
    one_line_of_fault(served("staff", "reset", "nobody"), "nobody")
    one_line_of_fault(served("staff", "add", "xy", "y", "--role", "king", "--region", "440100"), "roles are", code=2)
