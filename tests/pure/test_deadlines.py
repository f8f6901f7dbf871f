"""Every deadline, to the microsecond: armed in every state that waits, not early, not late, and counted by hand."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from models.tables import metadata
from policies.book import lawbook
from policies.check import plans_of
from policies.plan import Plan, Span
from tests.pure.test_check import a_plan
from tests.pure.test_machine import after, plans, situations
from tests.years import LAST_KNOWN_YEAR
from workflows.binding import NOWHERE
from workflows.case import (
    CLOCK,
    FINAL,
    SYSTEM,
    Actor,
    Case,
    Correction,
    Lease,
    Offline,
    Progress,
    Review,
    Unbinding,
    Window,
)
from workflows.deadlines import DEADLINES, DEADLINES_BY_NAME, OPEN, armed
from workflows.errors import Refused
from workflows.probes import cases
from workflows.views.public import public_view
from workflows.views.waiting import waiting_on

SHANGHAI = ZoneInfo("Asia/Shanghai")
A_TICK = timedelta(microseconds=1)
T0 = datetime(2026, 11, 2, 1, 30, tzinfo=UTC)  # Monday, 09:30 in Shanghai
REVIEWER = Actor("reviewer", "stf_check", regions=("000000",))
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def every_plan() -> list[Plan]:
    book = lawbook()
    days = sorted({file.effective_from for file in book.files})
    found = {plan.hash: plan for day in days for law in book.laws_on(day) for plan in plans_of(book, law, day)}
    return list(found.values())


def a_case(plan: Plan, state: str, since: datetime = T0, **progress: Any) -> Case:
    made = msgspec.structs.replace(cases(plan)[0], state=state, version=1, since=since, progress=Progress(**progress))
    return msgspec.structs.replace(made, lease=Lease("stf_check", T0 + timedelta(days=3650), 1))


def noon(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 12, tzinfo=SHANGHAI)


def midnight(year: int, month: int, day: int) -> datetime:
    """24:00 of that day in Shanghai."""
    return datetime(year, month, day, tzinfo=SHANGHAI) + DAY


# -- everywhere -----------------------------------------------------------------------------------------------


def waiting_cases(plan: Plan) -> list[Case]:
    """A case in each state that is not at rest, as it stands when nothing has been done there yet."""
    first = plan.face.subjects[0] if plan.face.subjects else "member"
    offline = Offline("other", plan.counter.agency, "CODE", T0)
    return [
        a_case(plan, "submitted"),
        a_case(plan, "materials_uploaded"),
        a_case(plan, "materials_uploaded", registry_answered=True, turn_since=T0),
        *([a_case(plan, "face_check", turn_since=T0, registry_answered=True)] if plan.face.subjects else []),
        *([a_case(plan, "face_check", windows={first: Window(T0, T0 + DAY)})] if plan.face.subjects else []),
        a_case(plan, "offline_fallback", offline=offline),
        a_case(plan, "agency_review", review=Review(T0, T0 + DAY, 2)),
        a_case(plan, "returned", correction=Correction("letter_unsigned", []), review=Review(T0, T0 + DAY, 2)),
        *(a_case(plan, "suspended", suspended_for=why) for why in ("reverification", "decision", "insurance")),
        *(a_case(plan, "unbinding", unbinding=Unbinding("holder", how)) for how in ("face", "pay_password")),
        a_case(plan, "unbinding", suspended_for="decision", unbinding=Unbinding("counter", "face")),
    ]


def test_every_plan_of_every_pack_waits_with_a_deadline() -> None:
    found = every_plan()
    assert len(found) > 20
    for plan in found:
        for case in waiting_cases(plan):
            assert armed(case), (plan.pack, plan.product, plan.method, case.state)
            assert not armed(case).keys().isdisjoint(OPEN), (plan.pack, plan.product, case.state)


def test_what_is_open_is_what_the_table_has_an_index_of() -> None:
    (index,) = (one for one in metadata.tables["deadlines"].indexes if one.name == "deadlines_open_idx")
    assert tuple(re.findall(r"'(\w+)'", str(index.dialect_options["postgresql"]["where"]))) == OPEN


def test_whoever_is_waited_for_is_waited_for_until_a_time() -> None:
    for _, case, now in situations():
        if case.state in (NOWHERE, *FINAL, "active"):
            assert case.state == NOWHERE or waiting_on(case, now) is None
        else:
            shown = public_view(msgspec.structs.replace(case), now)["waiting_on"]
            assert shown["until"] is not None
            assert shown["then"]


def test_an_end_waits_for_nothing() -> None:
    for plan in every_plan():
        for state in FINAL:
            assert armed(a_case(plan, state)) == {}


# -- borders ----------------------------------------------------------------------------------------------------


def adult() -> Plan:
    return plans()[0]


def child() -> Plan:
    return plans()[1]


def sharing() -> Plan:
    return plans()[2]


def newborn() -> Plan:
    return plans()[5]


UNBINDING = Unbinding("holder", "pay_password")

# deadline, plan, state, how far, due, what it becomes: written by hand from the order
BORDERS: list[tuple[str, Any, str, dict[str, Any], datetime, str]] = [
    ("submitted_to_materials", adult, "submitted", {}, T0 + 7 * DAY, "expired"),
    ("materials_to_offline", adult, "materials_uploaded", {}, midnight(2026, 11, 5), "offline_fallback"),
    ("record_to_confirmed", newborn, "materials_uploaded",
     {"registry_answered": True, "turn_since": T0 + HOUR}, T0 + HOUR + 7 * DAY, "expired"),
    ("face_to_first_attempt", adult, "face_check", {"turn_since": T0}, T0 + 7 * DAY, "offline_fallback"),
    # after a detour to the counter: begun again, and over with the ticket at the latest
    ("materials_to_offline", adult, "materials_uploaded", {"offline_since": T0 - 29 * DAY}, T0 + DAY,
     "offline_fallback"),
    ("record_to_confirmed", newborn, "materials_uploaded",
     {"registry_answered": True, "turn_since": T0, "offline_since": T0 - 25 * DAY}, T0 + 5 * DAY, "expired"),
    ("face_to_first_attempt", adult, "face_check", {"turn_since": T0, "offline_since": T0 - 25 * DAY}, T0 + 5 * DAY,
     "offline_fallback"),
    ("face_to_first_attempt", adult, "face_check", {"turn_since": T0, "offline_since": T0 - 20 * DAY}, T0 + 7 * DAY,
     "offline_fallback"),
    ("first_attempt_to_pass", adult, "face_check",
     {"windows": {"member": Window(T0 + HOUR, T0 + HOUR + DAY)}}, T0 + HOUR + DAY, "offline_fallback"),
    ("passed_to_authorised", lambda: a_plan("code_display"), "face_check",
     {"passed": ["member", "holder"], "turn_since": T0 + HOUR}, T0 + HOUR + 7 * DAY, "expired"),
    ("review_to_decision", sharing, "agency_review",
     {"review": Review(T0, midnight(2026, 11, 4), 2)}, midnight(2026, 11, 4), "agency_review"),
    ("returned_to_corrected", sharing, "returned", {}, midnight(2026, 11, 16), "expired"),
    ("offline_to_counter", adult, "offline_fallback",
     {"offline": Offline("other", "440100", "CODE", T0 + HOUR)}, T0 + HOUR + 30 * DAY, "expired"),
    ("unbind_to_confirmed", adult, "unbinding", {"unbinding": UNBINDING}, T0 + HOUR / 2, "active"),
    ("unbind_to_confirmed", adult, "unbinding",
     {"unbinding": UNBINDING, "suspended_for": "decision"}, T0 + HOUR / 2, "suspended"),
    ("member_to_age", child, "active", {}, midnight(2036, 1, 4), "active"),
    ("reverification_to_done", child, "active", {"reverify_since": T0 + HOUR}, T0 + HOUR + 30 * DAY, "suspended"),
    ("suspended_to_ended", adult, "suspended",
     {"suspended_for": "insurance", "resting_since": T0 + HOUR}, T0 + HOUR + 180 * DAY, "unbound"),
    ("active_to_term", lambda: replace(adult(), term_days=365), "active",
     {"active_since": T0, "resting_since": T0 + DAY}, midnight(2027, 11, 2), "unbound"),
    ("active_to_term", lambda: replace(adult(), term_days=1), "suspended",
     {"active_since": T0, "suspended_for": "decision", "resting_since": T0 + HOUR}, midnight(2026, 11, 3), "unbound"),
    ("suspended_to_warned", adult, "suspended",
     {"suspended_for": "insurance", "resting_since": T0 + HOUR}, T0 + HOUR + 150 * DAY, "suspended"),
    ("suspended_to_warned", adult, "suspended",
     {"suspended_for": "decision", "resting_since": T0, "warned_at": T0 + 150 * DAY}, T0 + 173 * DAY, "suspended"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "plan", "state", "progress", "due", "becomes"), BORDERS)
def test_a_deadline_fires_on_its_moment(
    name: str, plan: Any, state: str, progress: dict[str, Any], due: datetime, becomes: str
) -> None:
    case = a_case(plan(), state, **progress)
    said = DEADLINES_BY_NAME[name].move
    assert said is not None
    assert armed(case)[name].at == due
    with pytest.raises(Refused, match="deadline_gone"):
        after(case, said, CLOCK, {"deadline": name}, due - A_TICK)
    assert after(case, said, CLOCK, {"deadline": name}, due).state == becomes


def test_every_step_of_the_clock_has_its_border_here() -> None:
    assert {name for name, *_ in BORDERS} == {deadline.name for deadline in DEADLINES if not deadline.watch}


def test_watches_say_nothing() -> None:
    assert {d.name for d in DEADLINES if d.watch} == {"materials_to_checked", "insurance_to_rechecked"}


def test_insurance_is_asked_after_a_day_and_spread_over_the_next() -> None:
    plan = adult()
    case = a_case(plan, "active", active_since=T0, registry_at=T0 - DAY)
    some = [msgspec.structs.replace(case, id=f"bnd_{n}") for n in range(200)]
    asked = [armed(case)["insurance_to_rechecked"].at for case in some]
    assert min(asked) >= T0 + DAY
    assert max(asked) < T0 + 2 * DAY
    assert len(set(asked)) > 190


@pytest.mark.parametrize("said", [{"registry_at": T0 - DAY - A_TICK}, {}], ids=["long ago", "before it was kept"])
def test_insurance_that_was_asked_about_long_ago_is_asked_about_at_once(said: dict[str, Any]) -> None:
    assert armed(a_case(adult(), "active", active_since=T0, **said))["insurance_to_rechecked"].at == T0


def test_deadlines_of_rest_stay_armed_through_unbinding() -> None:
    plan = replace(child(), term_days=365)
    for state, why in (("active", None), ("suspended", "decision"), ("suspended", "insurance")):
        resting = a_case(plan, state, active_since=T0, resting_since=T0, suspended_for=why)
        unbinding = msgspec.structs.replace(resting, state="unbinding", since=T0 + HOUR)
        unbinding.progress = msgspec.structs.replace(resting.progress, unbinding=UNBINDING)
        confirm = armed(unbinding)["unbind_to_confirmed"]
        assert armed(unbinding) == armed(resting) | {"unbind_to_confirmed": confirm}


def test_a_suspension_is_warned_of_twice_and_each_anew() -> None:
    case = a_case(adult(), "suspended", suspended_for="decision", resting_since=T0, warned_at=T0 + 173 * DAY)
    assert "suspended_to_warned" not in armed(case)
    case.progress.warned_at = T0 + 174 * DAY  # the clock was late for both: once is told, not twice at once
    assert "suspended_to_warned" not in armed(case)
    case.progress.resting_since = T0 + 200 * DAY  # a second suspension, with warnings of its own
    assert armed(case)["suspended_to_warned"].at == T0 + 350 * DAY


def test_a_suspension_that_is_shorter_than_a_warning_is_warned_of_later_only() -> None:
    short = replace(adult(), deadlines={**adult().deadlines, "suspended_to_ended": Span(hours=20 * 24)})
    case = a_case(short, "suspended", suspended_for="decision", resting_since=T0)
    assert armed(case)["suspended_to_warned"].at == T0 + 13 * DAY


# -- the review clock ---------------------------------------------------------------------------------------------


def begin_review(at: datetime) -> Case:
    """A sharing that enters the queue at `at`, its registries having answered."""
    return after(a_case(sharing(), "materials_uploaded", at), "registries_answered", SYSTEM, {}, at)


def returned(case: Case, at: datetime) -> Case:
    facts = {"reason": "letter_unsigned", "items": [{"kind": "commitment_letter", "reason": "letter_unsigned"}]}
    return after(case, "return_for_correction", REVIEWER, facts, at)


def mended(case: Case, at: datetime) -> Case:
    """Handed in once more, and the registries answer at once."""
    case = msgspec.structs.replace(case, added_since=("commitment_letter",))
    again = after(case, "submit_materials", Actor("channel", "alipay"), {}, at)
    return after(again, "registries_answered", SYSTEM, {}, at)


def review_due(case: Case) -> datetime:
    return armed(case)["review_to_decision"].at


def test_two_working_days_after_the_day_of_entry() -> None:
    assert review_due(begin_review(noon(2026, 11, 2))) == midnight(2026, 11, 4)
    assert review_due(begin_review(noon(2026, 11, 6))) == midnight(2026, 11, 10)  # a weekend between
    assert review_due(begin_review(noon(2026, 9, 30))) == midnight(2026, 10, 9)  # the national holiday between
    assert review_due(begin_review(datetime(2026, 11, 2, 23, 59, 59, tzinfo=SHANGHAI))) == midnight(2026, 11, 4)
    assert review_due(begin_review(datetime(2026, 11, 3, 0, 0, tzinfo=SHANGHAI))) == midnight(2026, 11, 5)


@pytest.mark.parametrize(
    ("entered", "back", "again", "due"),
    [
        (2, 2, 5, 9),  # none used on the day of entry: two left, Friday and Monday
        (2, 3, 3, 4),  # one used, by the day of return: one left, the day after
        (2, 3, 12, 13),  # however long the family takes
        (2, 4, 5, 6),  # both used: at least one
        (2, 9, 10, 11),  # overdue when returned: at least one
        (6, 7, 8, 10),  # entered on Friday, returned on Saturday: none used
    ],
)
def test_the_review_clock_stops_while_it_is_returned(entered: int, back: int, again: int, due: int) -> None:
    case = returned(begin_review(noon(2026, 11, entered)), noon(2026, 11, back))
    assert set(armed(case)) == {"returned_to_corrected"}
    assert review_due(mended(case, noon(2026, 11, again))) == midnight(2026, 11, due)


def test_a_second_return_uses_the_rest_only() -> None:
    case = returned(begin_review(noon(2026, 11, 2)), noon(2026, 11, 3))
    case = returned(mended(case, noon(2026, 11, 4)), noon(2026, 11, 5))
    assert review_due(mended(case, noon(2026, 11, 9))) == midnight(2026, 11, 10)


def test_overdue_it_is_escalated_again_each_working_day_and_never_decided() -> None:
    case = begin_review(noon(2026, 11, 5))
    for due in (9, 10, 11, 12, 13, 16):
        assert review_due(case) == midnight(2026, 11, due)
        case = after(case, "escalate", CLOCK, {"deadline": "review_to_decision"}, midnight(2026, 11, due))
        assert case.state == "agency_review"
    assert case.progress.review is not None
    assert case.progress.review.escalations == 6


def test_a_reviewer_who_escalates_moves_no_deadline() -> None:
    case = begin_review(noon(2026, 11, 2))
    assert review_due(after(case, "escalate", REVIEWER, {"note": "?"}, noon(2026, 11, 3))) == midnight(2026, 11, 4)


def test_years_whose_holidays_are_not_known_are_provisional() -> None:
    last = LAST_KNOWN_YEAR
    sure, unsure = begin_review(noon(last, 11, 2)), begin_review(noon(last, 12, 31))
    for case, provisional in ((sure, False), (unsure, True)):
        shown = waiting_on(case, case.since)
        assert shown is not None
        assert shown["provisional"] is provisional
    # Monday to Friday, as far as anyone knows
    assert (review_due(unsure) - A_TICK).astimezone(SHANGHAI).weekday() < 5
    back = returned(begin_review(noon(last, 12, 28)), noon(last, 12, 29))
    assert armed(back)["returned_to_corrected"].provisional


def test_a_day_begins_in_shanghai() -> None:
    assert a_case(child(), "active").application.face_age_day == date(2036, 1, 5)
