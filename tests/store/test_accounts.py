"""Accounts of staff, where two things happen to one at once."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher
from psycopg.errors import DivisionByZero

from tasks.office import Office
from tests import life
from workflows.access import accounts, principals, sessions
from workflows.access.sessions import Session
from workflows.errors import Refused

LOGIN = "li.na"
OWN = "晴天 correct horse 2026"
BROKEN = "select 1 / (select 0), %s::text, %s::text, %s::text"


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


@pytest.fixture
def first(office: Office) -> str:
    """The one-time password of a fresh account."""
    return accounts.add(office.ledger, LOGIN, "李娜", ["reviewer"], ["440100"])[1]


def sign_in(office: Office, password: str, code: str = "") -> Session:
    token = accounts.sign_in(office.ledger, office.desk.keys, LOGIN, password, code)
    found = sessions.find(office.ledger, token)
    assert found is not None
    return found


def set_up(office: Office, session: Session) -> pyotp.TOTP:
    """The account's own password and authenticator; what the latter has afterwards."""
    phone = pyotp.TOTP(accounts.pairing(office.desk.keys, session)[0])
    accounts.set_up(office.ledger, office.desk.keys, session, OWN, phone.now())
    return phone


def reset_in_the_middle(monkeypatch: pytest.MonkeyPatch, office: Office, after: str) -> list[str | None]:
    """The account is begun anew right after `after` has been asked; its new one-time password."""
    real: Callable[..., Any] = getattr(accounts, after)
    passwords: list[str | None] = []

    def asked(*given: Any) -> Any:
        told = real(*given)
        monkeypatch.setattr(accounts, after, real)
        passwords.append(accounts.reset(office.ledger, LOGIN))
        return told

    monkeypatch.setattr(accounts, after, asked)
    return passwords


def nobody_is_in(office: Office) -> bool:
    with office.ledger.connection() as conn:
        return conn.execute("select from staff_sessions").rowcount == 0


def test_an_account_that_cannot_be_kept_leaves_no_principal_behind(
    office: Office, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="this login is taken"):
        accounts.add(office.ledger, " Li.Na ", "李娜", ["reviewer"], ["440100"])
    monkeypatch.setattr(accounts, "_ADD", BROKEN)
    with pytest.raises(DivisionByZero):
        accounts.add(office.ledger, "zhao.min", "赵敏", ["reviewer"], ["440100"])
    with office.ledger.connection() as conn:
        assert [name for (name,) in conn.execute("select name from principals")] == ["李娜"]


def test_a_first_sign_in_does_not_outlive_a_reset(office: Office, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    anew = reset_in_the_middle(monkeypatch, office, "_verified")
    with pytest.raises(Refused, match="sign_in_failed"):
        sign_in(office, first)
    assert nobody_is_in(office)
    assert sign_in(office, anew[0] or "").setup is not None


@pytest.mark.parametrize("hasher", [accounts._HASHER, PasswordHasher(time_cost=1)], ids=["as now", "to be hashed anew"])
def test_a_sign_in_with_a_code_does_not_outlive_a_reset(
    office: Office, first: str, monkeypatch: pytest.MonkeyPatch, hasher: PasswordHasher
) -> None:
    phone = set_up(office, sign_in(office, first))
    with office.ledger.connection() as conn:
        conn.execute("update staff_accounts set password_hash = %s", (hasher.hash(OWN),))
        conn.execute("delete from staff_sessions")
    anew = reset_in_the_middle(monkeypatch, office, "_step_of")
    with pytest.raises(Refused, match="sign_in_failed"):
        sign_in(office, OWN, phone.at(time.time() + 30))
    assert nobody_is_in(office)
    assert sign_in(office, anew[0] or "").setup is not None  # and the new password was not overwritten


def test_a_password_hashed_as_before_is_hashed_anew(office: Office, first: str) -> None:
    with office.ledger.connection() as conn:
        conn.execute("update staff_accounts set password_hash = %s", (PasswordHasher(time_cost=1).hash(first),))
    sign_in(office, first)
    with office.ledger.connection() as conn:
        (stored,) = conn.execute("select password_hash from staff_accounts").fetchone() or ("",)
    assert not accounts._HASHER.check_needs_rehash(stored)
    assert sign_in(office, first).setup is not None


def test_a_set_up_does_not_outlive_a_reset(office: Office, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever had the old one-time password would else have chosen the account's own, after it was taken from him."""
    session = sign_in(office, first)
    anew = reset_in_the_middle(monkeypatch, office, "_step_of")
    with pytest.raises(Refused, match="not_found"):
        set_up(office, session)
    assert nobody_is_in(office)
    set_up(office, sign_in(office, anew[0] or ""))


def test_what_happens_to_an_account_is_noted_with_whose_it_is(office: Office, first: str) -> None:
    """Not what was typed where there is no account, nor what was tried while it was locked: that could be anything."""
    owner = sign_in(office, first).principal.id
    phone = set_up(office, sign_in(office, first))
    code = phone.at(time.time() + 30)
    sign_in(office, OWN, code)
    for password, wrong in ((OWN, code), *[("sesame", "000000")] * 5):
        with pytest.raises(Refused, match="sign_in_failed"):
            sign_in(office, password, wrong)
    with pytest.raises(Refused, match="sign_in_failed"):
        accounts.sign_in(office.ledger, office.desk.keys, "my password", "x", "")
    accounts.reset(office.ledger, LOGIN)
    principals.revoke(office.ledger, owner)
    with office.ledger.connection() as conn:
        noted = conn.execute("select principal, act, purpose from access_log order by id").fetchall()
    his = ["signed_in", "signed_in", "account_set_up", "signed_in", *["sign_in_failed"] * 4, "account_locked"]
    assert noted == [
        ("command_line", f"account_made:{owner}", "李娜"),
        *[(owner, act, None) for act in his],
        ("command_line", f"account_reset:{owner}", None),
        ("command_line", f"key_revoked:{owner}", None),
    ]


def test_a_key_made_or_taken_back_is_noted(office: Office) -> None:
    made, _ = principals.create_staff(office.ledger, "窗口 3", ["counter"], ["440100"])
    assert (principals.revoke(office.ledger, made.id), principals.revoke(office.ledger, made.id)) == (True, False)
    with office.ledger.connection() as conn:
        noted = conn.execute("select principal, act, purpose from access_log order by id").fetchall()
    assert noted == [
        ("command_line", f"key_made:{made.id}", "窗口 3"), ("command_line", f"key_revoked:{made.id}", None),
    ]  # fmt: skip
