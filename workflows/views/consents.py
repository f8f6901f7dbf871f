"""What was accepted when an application was made: which notice, in which words, by whom, when (F26, DOMAIN §C.10)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from policies.languages import Language
from policies.plan import NoticeRef
from workflows.case import Case
from workflows.engine import Desk

_ACCEPTED = text("select consents from applications where binding_id = :binding")


def recorded(desk: Desk, case: Case, language: Language) -> dict[str, Any]:
    """Answer `{items, next_cursor}` with one item for each notice, in the order in which the plan asks for them.

    An item is `{notice, version, accepted_at, accepted_by, title, text}`: `accepted_by` is who applied, title and text
    are those of the version that was accepted, null where no pack has it any more.
    """
    row = desk.ledger.read(_ACCEPTED, {"binding": case.id}, fresh=True)[0]
    items = [_item(desk, case, given, language) for given in row["consents"]]
    return {"items": items, "next_cursor": None}


def _item(desk: Desk, case: Case, given: dict[str, Any], language: Language) -> dict[str, Any]:
    notice, version = given["notice"], given["version"]
    known = desk.book.knows_notice(notice, version)
    shown = desk.book.notices([NoticeRef(notice, version)], language)[0] if known else None
    accepted_at = datetime.fromisoformat(given["accepted_at"]).astimezone(UTC)
    return {
        "notice": notice, "version": version, "accepted_at": accepted_at,
        "accepted_by": case.application.initiator,
        "title": shown.title if shown else None, "text": shown.text if shown else None,
    }  # fmt: skip
