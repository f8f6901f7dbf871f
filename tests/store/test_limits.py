"""Number limits on the ledger: places are taken once, given back once, and counted as the pack says."""

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from psycopg import OperationalError

from cli.checking.audit import examine
from models.ids import new_id
from policies.book import LawBook, load
from policies.calendar import shanghai_day
from policies.loader import SHIPPED
from tasks.office import Office
from tests import life
from tests.store.invariants import check, rows
from workflows.access import rights
from workflows.access.principals import Principal
from workflows.case import FINAL, SYSTEM
from workflows.commands import Command
from workflows.engine import Desk
from workflows.errors import Refused
from workflows.sweeping import sweep

COUNTRY = Principal("stf_country", "staff", "陈主任", None, ("supervisor",), ("000000",), "own-2")


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened
        check(opened)
        found = examine(opened.ledger.url)  # the auditor tells the rules a second time, whatever a pack counts by
        assert not found.faults, found.told


def apply(office: Office, holder: int, member: int, **options: Any) -> str:
    request = life.a_request(office.desk.book, holder_seed=holder, member_seed=member, **options)
    return life.submit(office, request, options.pop("channel", None))


def activate(office: Office, binding_id: str) -> str:
    """Carry it to where the last word is said: its state then."""
    life.hand_in(office, binding_id)
    if life.registries_say_yes(office, binding_id).state == "face_check":
        life.say(office, "route_offline", binding_id, reason="declines_face")
        life.say(office, "counter_verified", binding_id, life.COUNTER)
    if life.look(office, binding_id).state == "agency_review":
        life.claim(office, binding_id)
        life.say(office, "approve", binding_id, life.REVIEWER)
    return life.look(office, binding_id).state


def refused(office: Office, holder: int, member: int, **options: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as no:
        apply(office, holder, member, **options)
    return no.value.status, no.value.code


def seats(office: Office) -> int:
    return len(rows(office, "select 1 from seats"))


def months(office: Office) -> int:
    return len(rows(office, "select 1 from month_seats"))


# -- the holder's places ------------------------------------------------------------------------------------------


def test_a_place_is_taken_from_submission_on(office: Office) -> None:
    for member in range(5):
        apply(office, 1, member)
    assert refused(office, 1, 5) == (409, "holder_limit")
    assert seats(office) == 5
    apply(office, 2, 5)


def test_the_same_pair_has_one_binding_of_a_product(office: Office) -> None:
    apply(office, 1, 1)
    assert refused(office, 1, 1) == (409, "duplicate_binding")
    assert refused(office, 1, 1, channel_reference="another") == (409, "duplicate_binding")
    apply(office, 1, 1, product="account_sharing")


def test_products_are_counted_apart(office: Office) -> None:
    for member in range(5):
        apply(office, 1, member)
    for member in range(5):
        apply(office, 1, member, product="account_sharing")
    assert refused(office, 1, 6) == (409, "holder_limit")
    assert refused(office, 1, 6, product="account_sharing") == (409, "holder_limit")


ENDINGS = ["unbound", "rejected", "withdrawn"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_ending_gives_the_place_back_once(office: Office, ending: str) -> None:
    binding_id = life.to_state(office, ending)
    assert life.look(office, binding_id).state in FINAL
    assert seats(office) == 0
    again = life.to_state(office, "submitted")
    for said, actor in (("withdraw", life.channel()), ("end", life.SUPERVISOR), ("expire", SYSTEM)):
        with pytest.raises(Refused):
            life.say(office, said, binding_id, actor, reason="other")
    assert [row["binding_id"] for row in rows(office, "select binding_id from seats")] == [again]


@pytest.mark.parametrize("state", ["submitted", "offline_fallback", "returned"])
def test_what_the_clock_ends_gives_its_place_back_too(office: Office, state: str) -> None:
    binding_id = life.to_state(office, state)
    assert seats(office) == 1
    life.skip(office, days=60)
    while sweep(office.desk):
        pass
    assert life.look(office, binding_id).state == "expired"
    assert seats(office) == 0


def test_suspended_and_unbinding_keep_the_place(office: Office) -> None:
    for seed, state in enumerate(("active", "suspended", "unbinding")):
        life.to_state(office, state, seed=seed)
    assert seats(office) == 3


def test_a_place_in_the_middle_is_taken_again(office: Office) -> None:
    bindings = [apply(office, 1, member) for member in range(5)]
    life.say(office, "withdraw", bindings[2])
    apply(office, 1, 7)
    assert sorted(row["n"] for row in rows(office, "select n from seats")) == [1, 2, 3, 4, 5]
    assert refused(office, 1, 8) == (409, "holder_limit")


# -- the member's places of the month ------------------------------------------------------------------------------


def test_a_place_of_the_month_is_taken_at_activation(office: Office) -> None:
    three = [apply(office, holder, 1) for holder in (1, 2, 3)]
    assert months(office) == 0
    assert [activate(office, one) for one in three] == ["active", "active", "rejected"]
    last = life.look(office, three[2])
    assert last.progress.reason == "member_binder_limit"
    assert life.events(office, three[2])[-2:] == ["counter_verified", "rejected"]
    assert (months(office), seats(office)) == (2, 2)
    assert refused(office, 4, 1) == (409, "member_binder_limit")


def test_a_place_of_the_month_is_not_given_back(office: Office) -> None:
    for holder in (1, 2):
        binding_id = apply(office, holder, 1)
        assert activate(office, binding_id) == "active"
        life.say(office, "end", binding_id, life.SUPERVISOR, reason="suspected_fraud")
    assert (months(office), seats(office)) == (2, 0)
    assert refused(office, 3, 1) == (409, "member_binder_limit")


def test_the_same_holder_needs_no_second_place_in_a_month(office: Office) -> None:
    assert activate(office, apply(office, 2, 1)) == "active"
    for _ in range(3):
        binding_id = apply(office, 1, 1)
        assert activate(office, binding_id) == "active"
        life.say(office, "end", binding_id, life.SUPERVISOR, reason="suspected_fraud")
    assert months(office) == 2


def test_next_month_there_are_places_again(office: Office) -> None:
    for holder in (1, 2):
        assert activate(office, apply(office, holder, 1)) == "active"
    assert refused(office, 3, 1) == (409, "member_binder_limit")
    life.skip(office, days=31)
    assert activate(office, apply(office, 3, 1)) == "active"
    assert months(office) == 3


def test_where_no_binders_are_counted_there_are_no_places_of_the_month(office: Office) -> None:
    for holder in range(4):
        assert activate(office, apply(office, holder, 1, product="account_sharing")) == "active"
    assert months(office) == 0


# -- packs that count otherwise -------------------------------------------------------------------------------------


def a_book(folder: Path, limits: str) -> LawBook:
    """Our packs, and one for Beijing that counts otherwise."""
    for file in SHIPPED.iterdir():
        (shutil.copytree if file.is_dir() else shutil.copy)(file, folder / file.name)
    (folder / "CN-11-beijing.family_account.yaml").write_text(
        'pack: CN-11-beijing\nversion: "1"\neffective_from: 2025-01-01\nregion: "11"\n'
        "inherits: CN-national/family_account\nproduct: family_account\n"
        "title: {zh: 北京, en: Beijing}\nsources: [S0]\nfacts: {limits: [F50]}\n"
        f"limits: {limits}\n",
        encoding="utf-8",
    )
    return load(folder)


def with_book(office: Office, book: LawBook) -> Office:
    return Office(office.ledger, Desk(office.ledger, book, office.desk.keys), office.windows)


def test_a_pack_that_does_not_count_ended_ones_gives_the_month_back(office: Office, tmp_path: Path) -> None:
    there = with_book(office, a_book(tmp_path, "{count_ended: false}"))
    for holder in range(4):
        binding_id = apply(there, holder, 1, region="110100")
        assert activate(there, binding_id) == "active"
        life.say(there, "end", binding_id, life.SUPERVISOR, reason="suspected_fraud")
    assert (months(office), seats(office)) == (0, 0)


def test_a_pack_may_count_each_channel_apart(office: Office, tmp_path: Path) -> None:
    there = with_book(office, a_book(tmp_path, "{holder_scope: per_channel, members_per_holder: 1}"))
    request = [life.a_request(there.desk.book, holder_seed=1, member_seed=n, region="110100") for n in range(3)]
    life.submit(there, request[0], "alipay")
    life.submit(there, request[1], "wechat")
    with pytest.raises(Refused, match="holder_limit"):
        life.submit(there, request[2], "wechat")


def test_a_pack_may_limit_a_relation(office: Office, tmp_path: Path) -> None:
    there = with_book(office, a_book(tmp_path, "{per_relation: {SPOUSE: 1}}"))
    born = date(1986, 4, 2)
    apply(there, 1, 1, region="110100", relationship="SPOUSE", member_born=born)
    assert refused(there, 1, 2, region="110100", relationship="SPOUSE", member_born=born) == (
        409,
        "holder_relation_limit",
    )
    apply(there, 1, 2, region="110100", relationship="SIBLING", member_born=born)


def end(office: Office, binding_id: str) -> None:
    life.say(office, "end", binding_id, life.SUPERVISOR, reason="suspected_fraud")


def test_a_pack_may_count_binders_at_the_same_time(office: Office, tmp_path: Path) -> None:
    """One binder a member, as long as he is one (B.4): free at once when it ends, in the same month too."""
    there = with_book(office, a_book(tmp_path, "{member_window: at_once, binders_per_member: 1}"))
    first = apply(there, 1, 1, region="110100")
    assert activate(there, first) == "active"
    assert refused(there, 2, 1, region="110100") == (409, "member_binder_limit")
    life.skip(office, days=70)  # in force for months: he still is the one
    day = shanghai_day(office.ledger.now())
    assert refused(there, 2, 1, region="110100", day=day) == (409, "member_binder_limit")
    end(there, first)
    assert activate(there, apply(there, 2, 1, region="110100", day=day)) == "active"


def test_a_pack_may_count_days_back_from_now(office: Office, tmp_path: Path) -> None:
    there = with_book(office, a_book(tmp_path, "{member_window: 30, binders_per_member: 2}"))
    for holder, days in ((1, 10), (2, 19)):
        day = shanghai_day(office.ledger.now())
        binding_id = apply(there, holder, 1, region="110100", day=day)
        assert activate(there, binding_id) == "active"
        end(there, binding_id)
        life.skip(office, days=days)
    day = shanghai_day(office.ledger.now())
    assert refused(there, 3, 1, region="110100", day=day) == (409, "member_binder_limit")
    life.skip(office, days=1, minutes=1)
    day = shanghai_day(office.ledger.now())
    assert activate(there, apply(there, 3, 1, region="110100", day=day)) == "active"
    assert refused(there, 4, 1, region="110100", day=day) == (409, "member_binder_limit")
    # the first of the three is over thirty days back; who comes again is counted from when he came last
    again = apply(there, 2, 1, region="110100", day=day)
    assert activate(there, again) == "active"


def test_nobody_erases_himself_out_of_the_longer_window_of_another_pack(office: Office, tmp_path: Path) -> None:
    there = with_book(office, a_book(tmp_path, "{member_window: 90}"))
    bindings = [apply(there, holder, 1) for holder in (1, 2)]
    for binding_id in bindings:
        assert activate(there, binding_id) == "active"
        end(there, binding_id)
    member = life.look(there, bindings[0]).application.member
    for days, became in ((32, "still_counts"), (60, "erased")):
        life.skip(office, days=days)
        said = rights.erase(there.desk, COUNTRY, [member], "申请")
        assert said == dict.fromkeys(bindings, became)
        day = shanghai_day(office.ledger.now())
        if became == "still_counts":
            assert refused(there, 3, 1, region="110100", day=day) == (409, "member_binder_limit")


@pytest.mark.parametrize("ended", [True, False])
def test_a_pack_may_count_a_holders_month(office: Office, tmp_path: Path, ended: bool) -> None:
    """So many members a holder in a month, those that have ended in it with them or not."""
    limits = f"{{holder_window: calendar_month, members_per_holder: 2, holder_count_ended: {str(ended).lower()}}}"
    there = with_book(office, a_book(tmp_path, limits))
    bindings = [apply(there, 1, member, region="110100") for member in (1, 2, 3)]
    assert [activate(there, one) for one in bindings] == ["active", "active", "rejected"]
    assert life.look(office, bindings[2]).progress.reason == "holder_limit"
    assert refused(there, 1, 4, region="110100") == (409, "holder_limit")
    assert activate(there, apply(there, 2, 4, region="110100")) == "active"
    end(there, bindings[0])
    if ended:
        assert refused(there, 1, 5, region="110100") == (409, "holder_limit")
        life.skip(office, days=31)
    day = shanghai_day(office.ledger.now())
    assert activate(there, apply(there, 1, 5, region="110100", day=day)) == "active"


def test_over_a_window_more_may_apply_than_come_into_force(office: Office, tmp_path: Path) -> None:
    """Only places of a month are bounded then: the seats of those that wait are not, for either proof."""
    there = with_book(office, a_book(tmp_path, "{holder_window: 30, members_per_holder: 2}"))
    for member in range(4):
        apply(there, 1, member, region="110100")
    assert seats(office) == 4


def test_a_binder_at_the_same_time_gives_the_month_back_though_ended_ones_count(office: Office, tmp_path: Path) -> None:
    limits = "{member_window: at_once, binders_per_member: 2, count_ended: true}"
    there = with_book(office, a_book(tmp_path, limits))
    binding_id = apply(there, 1, 1, region="110100")
    assert activate(there, binding_id) == "active"
    end(there, binding_id)
    assert months(office) == 0


def test_a_place_kept_for_the_holders_count_is_none_of_the_binders(office: Office, tmp_path: Path) -> None:
    limits = "{member_window: at_once, binders_per_member: 1, holder_window: calendar_month, members_per_holder: 5}"
    there = with_book(office, a_book(tmp_path, limits))
    for holder in (1, 2):
        binding_id = apply(there, holder, 1, region="110100")
        assert activate(there, binding_id) == "active"
        end(there, binding_id)
    assert months(office) == 2


def test_a_pack_may_count_a_relation_over_a_month(office: Office, tmp_path: Path) -> None:
    there = with_book(office, a_book(tmp_path, "{holder_window: calendar_month, per_relation: {PARENT: 1}}"))
    first = apply(there, 1, 1, region="110100")
    assert activate(there, first) == "active"
    end(there, first)
    assert refused(there, 1, 2, region="110100") == (409, "holder_relation_limit")
    assert activate(there, apply(there, 1, 3, region="110100", member_born=date(2019, 1, 1))) == "active"


def test_a_pack_may_count_a_members_binders_in_each_channel_apart(office: Office, tmp_path: Path) -> None:
    there = with_book(office, a_book(tmp_path, "{member_scope: per_channel, binders_per_member: 1}"))
    book = there.desk.book
    for holder, channel in ((1, "alipay"), (2, "wechat")):
        request = life.a_request(book, holder_seed=holder, member_seed=1, region="110100")
        assert activate(there, life.submit(there, request, channel)) == "active"
    third = life.a_request(book, holder_seed=3, member_seed=1, region="110100")
    with pytest.raises(Refused, match="member_binder_limit"):
        life.submit(there, third, "wechat")
    assert life.submit(there, third, "national_app")


# -- crashes -----------------------------------------------------------------------------------------------------------


def cut_off(office: Office, command: Command) -> None:
    """Carry a command out at a desk whose process dies between the write and its commit."""
    desk = Desk(office.ledger, office.desk.book, office.desk.keys)
    with office.ledger.transaction() as conn:
        (outcome,) = desk.serve_on(conn, [command])
        assert outcome.refused is None
        with office.ledger.connection() as other:
            other.execute("select pg_terminate_backend(%s)", (conn.info.backend_pid,))


@pytest.mark.parametrize("said", ["submit", "activate", "end"])
def test_a_place_is_taken_and_given_back_once_also_after_a_crash(office: Office, said: str) -> None:
    request = life.a_request(office.desk.book)
    binding_id = new_id("bnd", office.ledger.now())
    submit = Command("submit", binding_id, life.channel(), {"request": request, "channel": "alipay"})
    ended = Command("end", binding_id, life.SUPERVISOR, {"reason": "suspected_fraud"})
    verified = Command("counter_verified", binding_id, life.COUNTER)
    crashing, before = {"submit": (submit, (0, 0)), "activate": (verified, (1, 0)), "end": (ended, (1, 1))}[said]
    if said != "submit":
        office.desk.say(submit)
        life.hand_in(office, binding_id)
        life.registries_say_yes(office, binding_id)
        life.say(office, "route_offline", binding_id, reason="declines_face")
    if said == "end":
        office.desk.say(verified)
    with pytest.raises(OperationalError):
        cut_off(office, crashing)
    assert (seats(office), months(office)) == before
    office.desk.say(crashing)
    assert (seats(office), months(office)) == {"submit": (1, 0), "activate": (1, 1), "end": (0, 1)}[said]
