"""A province that the service does not know yet: a file in a folder, no code, and families meet its rules."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from policies.book import lawbook
from tests.doors.conftest import serving
from tests.doors.family import act, application, view
from tests.doors.town import Town

ZHENGZHOU: dict[str, Any] = {"region": "410100"}
# Made up for this test out of what was seen of such rules (DOMAIN §B.4, §B.5); no province's own.
SHARING = """
pack: CN-41-henan
version: "1"
effective_from: {first_day}
region: "41"
inherits: CN-32-jiangsu/account_sharing
product: account_sharing
title: {{zh: 个人账户家庭共济（试）, en: Account sharing (a trial)}}
sources: [W14]
facts: {{pack: [W14], limits: [W14], unbind: [W11], deadlines: [W14], channels: [W14]}}
replaces: [channels]
limits: {{binders_per_member: 1, per_relation: {{SPOUSE: 1}}}}
unbind: {{min_age_days: 90}}
deadlines: {{review_to_decision: {{working_days: 1}}}}
channels:
  needs: bind
  open:
    national_app: {{entry: {{zh: 国家医保服务平台, en: National app}}, as_of: 2025-01-01, everywhere: bind}}
"""


@pytest.fixture
def town(settings: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Town]:
    """A service with the new province's pack in its folder, in force from tomorrow."""
    packs = tmp_path / "packs"
    packs.mkdir()
    tomorrow = date.today() + timedelta(days=2)  # noqa: DTZ011 - in Shanghai it may be tomorrow already
    (packs / "henan.yaml").write_text(SHARING.format(first_day=tomorrow), "utf-8")
    settings.setenv("KINBIND_PACKS", str(packs))
    lawbook.cache_clear()
    try:
        with serving() as url, ExitStack() as clients:
            yield Town(url, clients)
    finally:
        lawbook.cache_clear()


def applied(town: Town, relationship: str, **people: int) -> dict[str, object]:
    body = application(product="account_sharing", relationship=relationship, day=town.today(), **ZHENGZHOU, **people)
    return view(town.applied("national_app", body))


def test_its_rules_hold_from_its_first_day(town: Town) -> None:
    asked = {"product": "account_sharing", "channel": "national_app", **ZHENGZHOU}
    assert view(town.asked(**asked))["code"] == "region_not_allowed"
    town.advance(days=2)
    told = town.told(**asked)
    assert told["policy"] == {"pack": "CN-41-henan", "version": "1"}
    assert told["boundaries"]["title"] == "个人账户家庭共济（试）"
    assert town.asked(**asked | {"member_region": "420100"}).json()["code"] == "region_not_allowed"

    body = application(
        product="account_sharing", relationship="SPOUSE", day=town.today(), holder_seed=1, member_seed=1, **ZHENGZHOU
    )
    seen, _ = town.active("national_app", body)
    assert applied(town, "SPOUSE", holder_seed=1, member_seed=2)["code"] == "holder_relation_limit"
    assert applied(town, "PARENT", holder_seed=2, member_seed=1)["code"] == "member_binder_limit"
    assert applied(town, "PARENT", holder_seed=1, member_seed=3)["state"] == "submitted"
    early = act(town.at("national_app"), seen["id"], "request_unbind", initiator="holder", method="pay_password")
    assert early.json()["code"] == "unbind_too_early"
    assert town.use("national_app", body, "pay_from_account", region="411700") == (True, None)
    assert town.use("national_app", body, "pay_from_account", region="420100") == (False, "region_not_allowed")
