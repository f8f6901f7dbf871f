"""A binding made for a term lapses when the term is over, where a pack says so (DOMAIN §B.5)."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from cli import places
from cli.checking.audit import examine
from policies.book import lawbook
from policies.calendar import end_of_day, shanghai_day
from tests.doors.conftest import serving
from tests.doors.town import Town

PACK = """
pack: CN-51-sichuan
version: "1"
effective_from: 2025-01-01
region: "51"
inherits: CN-national/family_account
product: family_account
title: {zh: 四川, en: Sichuan}
sources: [W7, W15]
facts: {term_days: [W7, W15]}
term_days: 90
"""


@pytest.fixture
def town(settings: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Town]:
    """A service that has one more pack."""
    (tmp_path / "packs").mkdir()
    (tmp_path / "packs" / "CN-51-sichuan.family_account.yaml").write_text(PACK, encoding="utf-8")
    settings.setenv("KINBIND_PACKS", str(tmp_path / "packs"))
    lawbook.cache_clear()
    with serving() as url, ExitStack() as clients:
        yield Town(url, clients)
    lawbook.cache_clear()


def test_it_lapses_at_the_end_of_its_last_day(town: Town) -> None:
    seen, body = town.active("alipay", region="510100", member_born=date(2019, 5, 1))
    other, _ = town.active("alipay", region="320500", member_born=date(2019, 5, 1))
    first = shanghai_day(datetime.fromisoformat(seen["state_since"]))
    now = datetime.fromisoformat(town.at("alipay").get("/v1/sandbox/clock").json()["now"])
    left = (end_of_day(first + timedelta(days=90)) - now).total_seconds()
    town.advance(seconds=left - 60)
    assert town.use("alipay", body, "show_code") == (True, None)
    town.advance(seconds=61)
    lapsed = town.seen("alipay", seen["id"])
    assert (lapsed["state"], lapsed["reason"], lapsed["available_actions"]) == ("unbound", "term_over", [])
    assert town.use("alipay", body, "show_code") == (False, "not_active")
    assert town.seen("alipay", other["id"])["state"] == "active"
    fresh = town.applied("alipay", body | {"channel_reference": "again"})
    assert fresh.status_code == 201  # made anew, if they wish
    found = examine(places.database_url())  # the auditor knows of terms too
    assert not found.faults, found.told
