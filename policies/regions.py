"""Insured regions (医保区划, six digits): their agency, pooling area and name (DOMAIN §C.4).

Some pools end in 99 (361199), so a region is not always a GB/T 2260 code; only its prefixes are used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from policies.words import AgencyLevel, Width

_REGION = re.compile(r"\d{6}")
# Beijing, Tianjin, Shanghai and Chongqing have no prefectures: agency and pooling area are the city itself.
_MUNICIPALITIES = frozenset({"11", "12", "31", "50"})
# In the place of a prefecture: 仙桃 (429004) or 石河子 (659001) lie right below their province, each its own area.
_RIGHT_BELOW = "90"


@dataclass(frozen=True, slots=True)
class AgencyName:
    """What an agency is called and where its counter is."""

    name: str
    address: str


@cache
def names() -> dict[str, str]:
    """Return region code → Chinese name, of all provinces and prefecture-level places (GB/T 2260, DOMAIN §C.4)."""
    file = Path(__file__).parent / "packs" / "shared" / "regions.yaml"
    table: dict[str, str] = yaml.load(file.read_text("utf-8"), yaml.CSafeLoader)
    return table


def is_region(code: str) -> bool:
    """Tell whether `code` has the form of an insured region in a province that exists."""
    return bool(_REGION.fullmatch(code)) and f"{code[:2]}0000" in names()


def city_of(region: str) -> str:
    """Return the four digits of the prefecture-level city."""
    return region[:4]


def agency_of(region: str, level: AgencyLevel) -> str:
    """Return the six-digit code of the agency at `level` that is responsible for `region`."""
    if level == "province" or region[:2] in _MUNICIPALITIES:
        return f"{region[:2]}0000"
    return region if level == "county" or region[2:4] == _RIGHT_BELOW else f"{region[:4]}00"


def area_of(region: str, width: Width) -> str:
    """Return the digits that all regions of the same area begin with; "" for all of China."""
    if width == "china":
        return ""
    if width == "province" or region[:2] in _MUNICIPALITIES:
        return region[:2]
    return region if region[2:4] == _RIGHT_BELOW else region[:4]


def place_name(region: str) -> str:
    """Return the name of a region, or of its city, or of its province with the code behind it."""
    table = names()
    for known in (region, f"{region[:4]}00"):
        if known in table:
            return table[known]
    province = table.get(f"{region[:2]}0000")
    return f"{province}（{region}）" if province else region


def agency_name(agency: str) -> AgencyName:
    """Return the ordinary name and address of an agency, where a pack gives it no other."""
    place = place_name(agency)
    return AgencyName(f"{place}医疗保障经办机构", f"{place}医疗保障局经办大厅")
