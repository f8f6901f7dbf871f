"""Identity documents: reading, checking and masking their numbers (DOMAIN §C.1-C.3, C.5)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import Literal

from policies.refusals import NotAllowed

Sex = Literal["male", "female"]

EARLIEST_BIRTH = date(1850, 1, 1)

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_PROVINCES = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71".split()  # noqa: SIM905
)
_PERMITS = frozenset({"81", "82", "83"})  # Hong Kong, Macao, Taiwan
_CITIZEN = re.compile(r"[0-9]{17}[0-9X]")
_LEGACY = re.compile(r"[0-9]{15}")
_FOREIGN_2017 = re.compile(r"[A-Z]{3}[0-9]{12}")
_TRAVEL = re.compile(r"[A-Z0-9]{5,20}")
_NO_CITIZEN = re.compile(r"[A-Z0-9]{5,14}")  # shorter than any citizen's number, new or old
_BIRTH_CERTIFICATE = re.compile(r"[A-Z][0-9]{9}")
_CENTENARIANS = frozenset({"996", "997", "998", "999"})
_DOTS = dict.fromkeys(map(ord, "•・‧∙."), "·")


@dataclass(frozen=True, slots=True)
class Identity:
    """A document read and found in order.

    `family` is the number space: two documents of one family with one number are one person. The 18-character
    numbers (citizens, permits of 81-83, foreigners from 9) share one space, so they are one family.
    """

    id_type: str
    family: str
    number: str
    birth_date: date | None
    sex: Sex | None = None


_SHAPELESS = "\u115f\u1160"  # Hangul fillers; NFKC makes the others of these


def normalise_number(text: str) -> str:
    """Return a number as it is compared and kept: NFKC, nothing unseen, no spaces, upper case (Ｘ and x become X)."""
    return "".join(_seen(text).split()).upper()


def normalise_name(text: str) -> str:
    """Return a name as it is compared and kept: NFKC, nothing unseen, single inner spaces, none around."""
    return " ".join(_seen(text).split())


def _seen(text: str) -> str:
    """Drop what nobody sees and what comes along when a text is copied: marks of format, letters without a shape."""
    normal = unicodedata.normalize("NFKC", text)
    return "".join(one for one in normal if unicodedata.category(one) != "Cf" and one not in _SHAPELESS)


def same_name(one: str, other: str) -> bool:
    """Whether two spellings are one name: spaces, and the dots between its parts, are typed in many ways."""
    return _plain_name(one) == _plain_name(other)


def _plain_name(name: str) -> str:
    return normalise_name(name).replace(" ", "").casefold().translate(_DOTS)


def carries_birth_date(id_number: str) -> bool:
    """Whether a valid number holds its person's birth date (§C.7); otherwise the date is only what he states."""
    return _CITIZEN.fullmatch(normalise_number(id_number)) is not None


def is_citizens_number(number: str) -> bool:
    """Whether 18 characters are a citizen's number of any day: province, birth date and check digit fit (§C.1)."""
    return _citizen_or_none(number.upper(), date.max) is not None


def check_digit(body: str) -> str:
    """Return the 18th character for 17 digits: ISO 7064 MOD 11-2 (GB 11643-1999)."""
    total = sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True))
    return "10X98765432"[total % 11]


def parse_identity(id_type: str, id_number: str, birth_date: date | None, today: date, pointer: str = "") -> Identity:
    """Read one person's document; `birth_date` is what the applicant said, `today` the day in Shanghai.

    The area code beyond the province is not judged: it is the place of first registration, often one that has
    been abolished since (§C.2). `pointer` is the person's place in the request ("/member"). Raises
    `NotAllowed` with `id_number_invalid`, `birth_date_required` (a document that does not carry the date),
    `birth_date_mismatch` or `birth_date_invalid` (in the future, or before 1850).
    """
    number = normalise_number(id_number)
    check_birth_date(birth_date, today, pointer)
    if len(number) == 18 and id_type in {"resident_id", "hmt_residence_permit", "foreign_permanent_resident"}:
        found = _citizen(id_type, number, today, pointer)
        if birth_date not in (None, found.birth_date):
            raise NotAllowed("birth_date_mismatch", f"{pointer}/birth_date")
        return found
    family = _other_family(id_type, number)
    if family is None:
        raise NotAllowed("id_number_invalid", f"{pointer}/id_number")
    if birth_date is None:
        raise NotAllowed("birth_date_required", f"{pointer}/birth_date")
    return Identity(id_type, family, number, birth_date)


def check_birth_date(born: date | None, today: date, pointer: str = "") -> None:
    """Let pass a date on which somebody now alive may be born. Raises `NotAllowed` with `birth_date_invalid`."""
    if born is not None and not EARLIEST_BIRTH <= born <= today:
        raise NotAllowed("birth_date_invalid", f"{pointer}/birth_date")


def parse_for_search(text: str, today: date) -> tuple[Identity, ...]:
    """Read a number without a known kind of document (search, `acting_for`): return all whom it may name.

    Only here 15 digits from before 1999-10-01 are accepted, and converted. The birth date may stay unknown.
    Raises `NotAllowed("id_number_invalid")` when the form fits no document.
    """
    number = normalise_number(text)
    if _LEGACY.fullmatch(number):
        number = upgrade_legacy(number)
    if _CITIZEN.fullmatch(number):
        return (_citizen(_kind_of_citizen(number), number, today, ""),)
    found = [
        Identity(id_type, family, number, None)
        for id_type in ("foreign_permanent_resident", "passport", "travel_permit")
        if (family := _other_family(id_type, number))
    ]
    if _BIRTH_CERTIFICATE.fullmatch(number):
        found.append(parse_birth_certificate(number))
    if not found:
        raise NotAllowed("id_number_invalid", "/id_number")
    return tuple(found)


def parse_by_number(text: str, today: date, pointer: str) -> Identity:
    """Read the number of a person asked only for that (a newborn's mother): its form tells the kind of document.

    Five to fourteen letters and digits are taken for those of a passport or travel permit, of which no more can be said
    (§C.3); whatever is longer must be in order as a citizen's, a residence permit's or a foreign resident's, so that a
    digit forgotten is no passport. Raises
    `NotAllowed("id_number_invalid")` at `pointer`.
    """
    number = normalise_number(text)
    if _CITIZEN.fullmatch(number) and (found := _citizen_or_none(number, today)):
        return found
    if _FOREIGN_2017.fullmatch(number):
        return Identity("foreign_permanent_resident", "foreign_permanent_resident15", number, None)
    if _NO_CITIZEN.fullmatch(number):
        return Identity("passport", "passport", number, None)
    raise NotAllowed("id_number_invalid", pointer)


def parse_birth_certificate(text: str) -> Identity:
    """Read the number of a birth certificate: one letter and nine digits. Raises `NotAllowed`."""
    number = normalise_number(text)
    if not _BIRTH_CERTIFICATE.fullmatch(number):
        raise NotAllowed("id_number_invalid", "/birth_certificate/number")
    return Identity("birth_certificate", "birth_certificate", number, None)


def upgrade_legacy(number: str) -> str:
    """Return the 18 characters of a 15-digit number; sequences 996-999 were kept for people born in 18xx."""
    century = "18" if number[12:] in _CENTENARIANS else "19"
    body = number[:6] + century + number[6:]
    return body + check_digit(body)


def make_id_number(area: str, birth_date: date, sequence: int) -> str:
    """Return a number with its check digit, for demonstrations and tests; an odd `sequence` is a man's."""
    body = f"{area}{birth_date:%Y%m%d}{sequence:03d}"
    return body + check_digit(body)


def mask_name(name: str) -> str:
    """Return `张*`: the first character, the rest as stars; a name of one character is a star."""
    return name[0] + "*" * (len(name) - 1) if len(name) > 1 else "*" * len(name)


def mask_number(number: str) -> str:
    """Return `4401**********1234`; of numbers under 15 only the first and the last two are shown."""
    head, tail = (4, 4) if len(number) >= 15 else (1, 2)
    if len(number) <= head + tail:
        return "*" * len(number)
    return number[:head] + "*" * (len(number) - head - tail) + number[-tail:]


def _citizen(id_type: str, number: str, today: date, pointer: str) -> Identity:
    found = _citizen_or_none(number, today)
    if found is None or found.id_type != id_type:
        raise NotAllowed("id_number_invalid", f"{pointer}/id_number")
    return found


def _citizen_or_none(number: str, today: date) -> Identity | None:
    """The person of an 18-character number of whatever kind; None if it is not valid."""
    born = _date_in(number) if _CITIZEN.fullmatch(number) else None
    id_type = _kind_of_citizen(number)
    good = (
        born is not None
        and check_digit(number[:17]) == number[17]
        and EARLIEST_BIRTH <= born <= today
        and (id_type != "resident_id" or number[:2] in _PROVINCES)
    )
    return Identity(id_type, "citizen18", number, born, "male" if int(number[16]) % 2 else "female") if good else None


def _kind_of_citizen(number: str) -> str:
    if number[:2] in _PERMITS:
        return "hmt_residence_permit"
    return "foreign_permanent_resident" if number[0] == "9" else "resident_id"


def _date_in(number: str) -> date | None:
    try:
        return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None


def _other_family(id_type: str, number: str) -> str | None:
    if _FOREIGN_2017.fullmatch(number):
        return "foreign_permanent_resident15" if id_type == "foreign_permanent_resident" else None
    if _CITIZEN.fullmatch(number) or _LEGACY.fullmatch(number):
        return None  # such a number is a resident's: read as a passport's it would be another person to the ledger
    return id_type if id_type in {"passport", "travel_permit"} and _TRAVEL.fullmatch(number) else None
