"""Keys of channels: none is made or taken back of which nobody knows who did it."""

from collections.abc import Iterator

import pytest
from psycopg.errors import DivisionByZero

from tasks.office import Office
from tests import life
from workflows.access import keeping, noting, principals
from workflows.access.principals import Principal
from workflows.errors import Refused

WHO = Principal("prn_supervisor", "staff", "主管", roles=("supervisor",), regions=("000000",))
BROKEN = "insert into access_log (at, principal, act) values (now(), %(principal)s, %(act)s || 1 / (select 0))"


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


def noted(office: Office) -> list[str]:
    with office.ledger.connection() as conn:
        return [row[0] for row in conn.execute("select act from access_log order by id")]


def test_a_key_that_cannot_be_noted_is_neither_made_nor_taken_back(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, key = keeping.make_key(office.ledger, WHO, "alipay", "first")
    with monkeypatch.context() as broken:
        broken.setattr(noting, "_NOTE", BROKEN)
        with pytest.raises(DivisionByZero):
            keeping.make_key(office.ledger, WHO, "alipay", "second")
        with pytest.raises(DivisionByZero):
            keeping.revoke_key(office.ledger, WHO, made.id, "leaked")
    assert [one.name for one in principals.every(office.ledger) if one.kind == "channel"] == ["first"]
    assert principals.find(office.ledger, key, sandbox=False) == made
    keeping.revoke_key(office.ledger, WHO, made.id, "leaked")
    assert principals.find(office.ledger, key, sandbox=False) is None
    assert noted(office) == [f"key_made:{made.id}", f"key_revoked:{made.id}"]


def test_what_two_take_back_at_once_is_noted_of_the_first(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = keeping.make_key(office.ledger, WHO, "alipay", "first")
    valid = principals.every(office.ledger)
    keeping.revoke_key(office.ledger, WHO, made.id, "leaked")
    monkeypatch.setattr(principals, "every", lambda _: valid)  # as the second saw it
    with pytest.raises(Refused, match="not_found"):
        keeping.revoke_key(office.ledger, WHO, made.id, "leaked")
    assert noted(office) == [f"key_made:{made.id}", f"key_revoked:{made.id}"]
