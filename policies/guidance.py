"""What a family is told beside the notices: what the product is and is not, the warning, help, and the way in."""

from __future__ import annotations

from datetime import date
from typing import Any

from policies.book import LawBook
from policies.languages import Language
from policies.parts import Text


def guidance(book: LawBook, region: str, product: str, day: date, language: Language) -> dict[str, Any]:
    """Return `{boundaries, care_warning, help, entries}` of the law in force on `day` (Asia/Shanghai).

    `region` is the holder's insured region. `boundaries` says what is shown, who pays (C6, C7) and whether the two must
    be filed beforehand (F35), `help` has a text by topic, `entries` the way to the product in each channel, with the
    day on which its source said so (C16).
    Raises `NotAllowed("region_not_allowed")` where nobody offers the product.
    """
    pack = book.pack_for(region, product, day)

    def said(text: Text) -> str:
        return text.en if language == "en" else text.zh

    return {
        "boundaries": {
            "title": said(pack.title),
            "shown_credential": pack.shown_credential,
            "fund_source": pack.fund_source,
            "own_code_only": pack.own_code_only,
            "purposes": pack.purposes,
            "requires_active": pack.requires_active,
            "prior_filing": pack.eligibility.prior_filing,
        },
        "care_warning": said(pack.care_warning),
        "help": {topic: said(text) for topic, text in pack.help.items()},
        "entries": [
            {"channel": name, "entry": said(channel.entry), "as_of": channel.as_of}
            for name, channel in pack.channels.open.items()
            if channel.refuses is None
        ],
    }
