"""Who is no longer kept: after three years or because he asks, unless it must be kept; what happened stays whole."""

import base64
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from cli.checking.audit import examine
from gateways.documents import DocumentMissing
from models.keyring import KeyUnknownError
from models.tables import metadata
from tasks import forgetting
from tasks.changes import prepared
from tasks.office import Office
from tasks.registries import ask_registries
from tasks.upkeep import keep_up
from tests import life
from tests.store.invariants import check
from workflows import erasing
from workflows.access import opening, rights
from workflows.access.principals import Principal
from workflows.commands import Command
from workflows.errors import Refused
from workflows.views.asof import cases_as_of
from workflows.views.public import public_view

SUPERVISOR = Principal("stf_country", "staff", "陈主任", None, ("supervisor",), ("000000",), "own-2")
YEARS = {"days": 3 * 366}
RENAMED = {"what": "name", "value": "李改名"}


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened
        check(opened)
        assert not examine(opened.ledger.url).faults


def people(office: Office, binding_id: str) -> dict[str, str]:
    """The blind index of each party."""
    application = life.look(office, binding_id).application
    return {"holder": application.holder, "member": application.member}


def named_in(office: Office, words: list[str]) -> set[str]:
    """The tables of which any row, written out, has one of these words in it."""
    found = set()
    with office.ledger.connection() as conn:
        for table in metadata.sorted_tables:
            query = f"select count(*) from {table.name} as t where t::text like any(%s)"
            row = conn.execute(query, ([f"%{word}%" for word in words],)).fetchone()
            assert row is not None
            if row[0]:
                found.add(table.name)
    return found


def ended(office: Office, **options: Any) -> str:
    """A binding that was in force and has been unbound."""
    return life.to_state(office, "unbound", **options)


def end(office: Office, binding_id: str) -> None:
    life.say(office, "request_unbind", binding_id, initiator="holder", method="pay_password")
    life.say(office, "confirm_unbind", binding_id)


def renamed(office: Office, binding_id: str, name: str) -> None:
    """The member of a binding in force is called otherwise, and has shown that it is he."""
    said = Command("report_change", binding_id, life.channel(), {"what": "name", "value": name})
    office.desk.say(prepared(office, said))
    life.pass_face(office, binding_id)


def renumbered(office: Office, binding_id: str, seed: int) -> None:
    """The member of a binding in force has another number, and has shown that it is he."""
    said = {"what": "id_number", "value": life.number(date(1958, 3, 7), seed)}
    office.desk.say(prepared(office, Command("report_change", binding_id, life.channel(), said)))
    life.pass_face(office, binding_id)


def test_three_years_after_the_end_nothing_says_who_it_was(office: Office) -> None:
    mine, other = ended(office, seed=1, channel_reference="ORDER-7"), life.to_state(office, "active", seed=2)
    before, keys = life.look(office, mine), list(people(office, mine).values())
    assert {"applications", "persons", "person_channels", "month_seats"} <= named_in(office, keys)
    life.skip(office, days=3 * 365 - 2)
    keep_up(office)
    assert life.look(office, mine).application.parties == before.application.parties
    life.skip(office, days=4)
    keep_up(office)
    view = public_view(life.look(office, mine), office.ledger.now())
    for role in ("holder", "member"):
        assert view[role] == {"name": "***", "id_type": "resident_id", "id_number": None, "insured_region": "440100"}
    assert (view["state"], view["channel_reference"]) == ("unbound", None)
    assert named_in(office, [*keys, "ORDER-7"]) == set()
    assert life.look(office, other).application.parties["member"]["name"] == "李秀英"


def test_a_name_that_lines_of_the_history_have_is_gone_with_its_key(office: Office) -> None:
    binding_id = life.to_state(office, "active", seed=3)
    renamed(office, binding_id, "李改名")
    end(office, binding_id)
    lines = [(binding_id, sequence) for sequence in range(1, life.look(office, binding_id).version + 1)]

    def called() -> list[str]:
        with office.ledger.connection() as conn:
            cases = cases_as_of(conn, office.desk.reader, lines)
        return [case.application.parties["member"]["name"] for case, _ in cases]

    assert (called()[0], called()[-1]) == ("李秀英", "李改名")
    life.skip(office, **YEARS)
    keep_up(office)
    assert set(called()) == {"***"}
    with office.ledger.connection() as conn:
        rows = conn.execute("select after #>> '{progress,changed,sealed}' from history").fetchall()
    left = [base64.b64decode(row[0]) for row in rows if row[0]]
    assert left
    for sealed in left:
        with pytest.raises(KeyUnknownError):
            office.desk.keys.open(sealed, f"change:{binding_id}")


def test_the_day_of_a_birthday_and_a_mother_are_nobodys_either(office: Office) -> None:
    request = life.a_request(office.desk.book, method="birth_certificate", seed=4)
    newborn = life.submit(office, request)
    life.say(office, "withdraw", newborn)
    assert life.look(office, newborn).application.face_age_day is not None
    assert "mother" in life.look(office, newborn).application.parties
    life.skip(office, **YEARS)
    keep_up(office)
    after = life.look(office, newborn).application
    assert (after.face_age_day, set(after.parties)) == (None, {"holder", "member"})


def test_who_was_looked_for_is_told_no_longer_than_that(office: Office) -> None:
    person = people(office, life.to_state(office, "active", seed=5))["member"]
    rights.copy_of(office.desk, SUPERVISOR, [person], "信访 12 号")
    assert "access_log" in named_in(office, [person])
    life.skip(office, **YEARS)
    keep_up(office)
    assert "access_log" not in named_in(office, [person])
    with office.ledger.connection() as conn:
        assert conn.execute("select act, purpose from access_log").fetchall() == [("person_told", "信访 12 号")]


# -- because he asks -------------------------------------------------------------------------------------------------


def test_who_asks_is_erased_from_what_is_over_and_nobody_else(office: Office) -> None:
    over = life.to_state(office, "withdrawn", seed=6)
    living = life.to_state(office, "active", seed=7, member_seed=6)
    member = people(office, over)["member"]
    assert people(office, living)["member"] == member
    said = rights.erase(office.desk, SUPERVISOR, [member], "申请 2026-31")
    assert said == {over: "erased", living: "not_ended"}
    parties = life.look(office, over).application.parties
    assert (parties["member"]["name"], parties["holder"]["name"]) == ("***", "张伟")
    assert people(office, over)["member"] != member
    assert life.look(office, living).application.parties["member"]["name"] == "李秀英"
    assert rights.erase(office.desk, SUPERVISOR, [member], "申请 2026-31") == {living: "not_ended"}
    life.skip(office, **YEARS)  # the other one's time comes too
    keep_up(office)
    assert life.look(office, over).application.parties["holder"]["name"] == "***"


def test_a_mother_who_is_the_holder_goes_with_the_holder(office: Office) -> None:
    request = life.a_request(office.desk.book, method="birth_certificate", seed=19)
    assert request.birth_certificate is not None
    number = request.holder.id_number or ""
    hers = replace(request.birth_certificate, mother_name=request.holder.name, mother_id_number=number)
    newborn = life.submit(office, replace(request, birth_certificate=hers))
    life.say(office, "withdraw", newborn)
    rights.erase(office.desk, SUPERVISOR, [people(office, newborn)["holder"]], "申请")
    parties = life.look(office, newborn).application.parties
    assert (set(parties), parties["member"]["name"]) == ({"holder", "member"}, "李新生")
    assert number not in str(parties)


def test_nobody_erases_himself_out_of_a_limit(office: Office) -> None:
    binding_id = ended(office, seed=8)
    person = people(office, binding_id)["member"]
    assert rights.erase(office.desk, SUPERVISOR, [person], "申请") == {binding_id: "still_counts"}
    assert people(office, binding_id)["member"] == person
    life.skip(office, days=32)  # the month is over
    assert rights.erase(office.desk, SUPERVISOR, [person], "申请") == {binding_id: "erased"}
    assert named_in(office, [person]) == {"access_log"}  # for three years: who did what with his data


@pytest.mark.parametrize("verb", [rights.copy_of, rights.erase, rights.hold, rights.release])
def test_only_a_supervisor_of_the_whole_country_and_not_for_himself(office: Office, verb: Any) -> None:
    binding_id = life.to_state(office, "withdrawn", seed=9)
    person = people(office, binding_id)["member"]
    of_suzhou = Principal("stf_city", "staff", "张", None, ("supervisor",), ("320500",))
    reviewer = Principal("stf_reviewer", "staff", "李", None, ("reviewer",), ("000000",))
    himself = Principal("stf_own", "staff", "王", None, ("supervisor",), ("000000",), person)
    nobody = replace(himself, id="stf_nobody", person=None)  # who knows whether it is himself
    refused = {of_suzhou: "role_required", reviewer: "role_required", himself: "own_case"}
    for caller, code in (refused | {nobody: "own_number_required"}).items():
        with pytest.raises(Refused, match=code):
            verb(office.desk, caller, [person], "无")
    assert "access_log" not in named_in(office, [person])
    assert people(office, binding_id)["member"] == person


def test_what_is_held_of_him_is_told(office: Office) -> None:
    binding_id = ended(office, seed=10)
    case = life.look(office, binding_id)
    person = people(office, binding_id)["member"]
    told = rights.copy_of(office.desk, SUPERVISOR, [person], "查阅申请 5")
    (one,) = told["bindings"]
    assert one["member"] == {name: case.application.parties["member"][name] for name in one["member"]}
    assert one["member"]["id_number"] == life.number(case.application.created_at.date().replace(1958, 3, 7), 10)
    assert one["holder"]["name"] == "张*"  # the other's data is not his
    assert [line["event"] for line in one["history"]] == life.events(office, binding_id)
    assert {check["subject"] for check in one["face_checks"]} == {"member"}
    assert len(one["documents"]) == len(case.materials)
    assert one["consents"]
    assert told["looks"][-1] | {"at": None} == {
        "at": None, "act": "person_told", "binding_id": None, "purpose": "查阅申请 5",
    }  # fmt: skip


def test_who_looked_at_what_of_his_is_told(office: Office) -> None:
    """Also a name that is only reported, and documents, which show both."""
    binding_id, clerk = life.to_state(office, "active", seed=22), life.COUNTER
    office.desk.say(prepared(office, Command("report_change", binding_id, life.channel(), RENAMED)))
    opening.open_material(office.desk, binding_id, life.look(office, binding_id).materials[0]["id"], clerk)
    newborn = life.submit(office, life.a_request(office.desk.book, method="birth_certificate", seed=23))
    mother = life.look(office, newborn).application.parties["mother"]["person"]
    for one, field in ((binding_id, "holder.name"), (binding_id, "reported.name"), (newborn, "mother.name")):
        opening.reveal(office.desk, one, clerk, field, field)

    def told(person: str) -> list[tuple[str, str]]:
        looks = rights.copy_of(office.desk, SUPERVISOR, [person], "查阅")["looks"]
        return [(one["act"], one["purpose"]) for one in looks if one["binding_id"]]

    mine = people(office, binding_id)
    assert told(mine["holder"]) == [("open", None), ("reveal", "holder.name")]
    assert told(mine["member"]) == [("open", None), ("reveal", "reported.name")]
    assert told(mother) == [("reveal", "mother.name")]


def test_a_letter_that_is_put_aside_after_that_names_nobody(office: Office) -> None:
    """One that is being tried keeps its words, the same at every try; nobody is there to have them afterwards."""
    binding_id = life.to_state(office, "withdrawn", seed=21)
    with office.ledger.connection() as conn:
        conn.execute(
            "insert into deliveries (id, endpoint_id, binding_id, sequence, type, body, state, next_at, created_at)"
            " values ('dlv_1', 'whk_1', %s, 1, 'binding.submitted', '张*', 'pending', kinbind_now(), kinbind_now())",
            (binding_id,),
        )  # fmt: skip
        rights.erase(office.desk, SUPERVISOR, list(people(office, binding_id).values()), "申请")
        bodies = conn.execute("select body from deliveries").fetchall()
        conn.execute("update deliveries set state = 'parked', settled_at = kinbind_now()")
        keep_up(office)
        bodies += conn.execute("select body from deliveries").fetchall()
    assert bodies == [("张*",), (None,)]


# -- kept all the same -----------------------------------------------------------------------------------------------


def test_a_hold_keeps_people_and_documents_until_it_is_lifted(office: Office) -> None:
    binding_id, later = ended(office, seed=11), ended(office, seed=12)
    person = people(office, binding_id)["member"]
    papers = [one["id"] for one in life.look(office, binding_id).materials]
    for document_id in papers:
        office.windows.documents.put(document_id, b"a page")
    assert rights.hold(office.desk, SUPERVISOR, [person], "诉讼 (2026) 苏 05 号") == [binding_id]
    assert rights.erase(office.desk, SUPERVISOR, [person], "申请") == {binding_id: "under_hold"}
    life.skip(office, **YEARS)
    keep_up(office)
    assert life.look(office, later).application.parties["member"]["name"] == "***"
    assert life.look(office, binding_id).application.parties["member"]["name"] == "李秀英"
    assert [office.windows.documents.get(one) for one in papers] == [b"a page"] * len(papers)
    assert rights.release(office.desk, SUPERVISOR, [person], "结案") == [binding_id]
    assert life.look(office, binding_id).application.parties["member"]["name"] == "***"
    assert keep_up(office) == len(papers)
    assert rights.release(office.desk, SUPERVISOR, [person], "结案") == []


def test_a_hold_reaches_what_its_person_begins_later(office: Office) -> None:
    before = ended(office, seed=40)
    person = people(office, before)["member"]
    rights.hold(office.desk, SUPERVISOR, [person], "诉讼")
    later, strangers = ended(office, seed=41, member_seed=40), ended(office, seed=42)
    assert rights.erase(office.desk, SUPERVISOR, [person], "申请") == dict.fromkeys((before, later), "under_hold")
    life.skip(office, **YEARS)
    keep_up(office)
    names = [life.look(office, one).application.parties["member"]["name"] for one in (before, later, strangers)]
    assert names == ["李秀英", "李秀英", "***"]
    papers = len(life.look(office, later).materials)
    assert papers > 0
    assert rights.release(office.desk, SUPERVISOR, [person], "结案") == sorted([before, later])
    assert people(office, later)["member"] != person
    assert keep_up(office) == 2 * papers


def test_a_hold_goes_with_its_person_to_another_number(office: Office) -> None:
    """What is begun under the new number is his too, and so is what goes over to the number that is held."""
    first, other = life.to_state(office, "active", seed=43), life.to_state(office, "active", seed=44)
    person = people(office, first)["member"]
    rights.hold(office.desk, SUPERVISOR, [person], "诉讼")
    renumbered(office, first, 45)
    renumbered(office, other, 43)
    again = life.to_state(office, "active", seed=46, member_seed=45)
    for one in (first, other, again):
        end(office, one)
    life.skip(office, **YEARS)
    keep_up(office)
    names = [life.look(office, one).application.parties["member"]["name"] for one in (first, other, again)]
    assert names == ["李秀英"] * 3
    assert people(office, other)["member"] == person != people(office, again)["member"]
    assert rights.release(office.desk, SUPERVISOR, [person], "结案") == sorted([first, other, again])


def test_what_is_lifted_is_not_held_again(office: Office) -> None:
    """Where a supervisor may not lift his own case, the hold of the rest is over all the same."""
    own, rest = ended(office, seed=47), ended(office, seed=48, member_seed=47)
    he = replace(SUPERVISOR, id="stf_own", person=people(office, own)["holder"])
    member = [people(office, own)["member"]]
    rights.hold(office.desk, SUPERVISOR, member, "诉讼")
    assert rights.release(office.desk, he, member, "结案") == [rest]
    life.skip(office, **YEARS)
    keep_up(office)
    assert [people(office, one)["member"] == member[0] for one in (own, rest)] == [True, False]


def test_a_hold_that_is_lifted_in_time_changes_nothing(office: Office) -> None:
    binding_id = ended(office, seed=13)
    person = people(office, binding_id)["holder"]
    rights.hold(office.desk, SUPERVISOR, [person], "投诉")
    assert rights.release(office.desk, SUPERVISOR, [person], "撤诉") == [binding_id]
    assert life.look(office, binding_id).application.parties["holder"]["name"] == "张伟"
    assert len(life.look(office, binding_id).materials) > 0


def test_a_hold_that_is_lifted_between_leaves_no_documents(office: Office) -> None:
    """Their days are over and the hands have been there; the people's years are not."""
    binding_id, living = ended(office, seed=14), life.to_state(office, "active", seed=15)
    person, papers = people(office, binding_id)["member"], life.look(office, binding_id).materials
    rights.hold(office.desk, SUPERVISOR, [person], "投诉")
    life.skip(office, days=60)
    assert keep_up(office) == 0
    assert rights.release(office.desk, SUPERVISOR, [person], "结案") == [binding_id]
    assert (keep_up(office), life.look(office, binding_id).materials) == (len(papers), [])
    assert (people(office, binding_id)["member"], life.look(office, living).materials != []) == (person, True)


def test_who_lifts_his_hold_leaves_the_others(office: Office) -> None:
    binding_id = ended(office, seed=20)
    who = people(office, binding_id)
    for person, reason in ((who["holder"], "(2026) 苏 05 号"), (who["member"], "投诉 7")):
        assert rights.hold(office.desk, SUPERVISOR, [person], reason) == [binding_id]
    life.skip(office, **YEARS)
    assert rights.release(office.desk, SUPERVISOR, [who["member"]], "结案") == []
    keep_up(office)
    assert people(office, binding_id) == who
    assert rights.release(office.desk, SUPERVISOR, [who["holder"]], "结案") == [binding_id]
    assert life.look(office, binding_id).application.parties["holder"]["name"] == "***"


def test_a_hold_that_is_placed_while_the_hands_come_is_seen_by_them(office: Office) -> None:
    binding_id = ended(office, seed=18)
    person = people(office, binding_id)["member"]
    life.skip(office, **YEARS)
    with office.ledger.transaction() as conn:
        conn.execute(erasing.LOCK, ([binding_id],))  # as `rights.hold` does, whose commit takes its time
        forgetter = threading.Thread(target=forgetting.forget_people, args=(office,))
        forgetter.start()
        forgetter.join(timedelta(seconds=1).total_seconds())  # it waits for the row
        hold = "insert into legal_holds (binding_id, reason, placed_by, placed_at) values (%s, '诉讼', 'stf', now())"
        conn.execute(hold, (binding_id,))
    forgetter.join()
    assert people(office, binding_id)["member"] == person
    assert life.look(office, binding_id).application.parties["member"]["name"] == "李秀英"


def test_one_that_cannot_be_read_keeps_nobody_else(office: Office) -> None:
    broken, others = ended(office, seed=14), [ended(office, seed=seed) for seed in (15, 16)]
    life.skip(office, **YEARS)
    with life.unreadable(office, broken, "sealed"), pytest.raises(Exception, match=f"parties:{broken}"):
        forgetting.forget_people(office)
    assert [life.look(office, one).application.parties["member"]["name"] for one in others] == ["***"] * 2
    forgetting.forget_people(office)  # mended meanwhile
    assert life.look(office, broken).application.parties["member"]["name"] == "***"


def test_who_applies_while_his_last_binding_is_erased_is_let_in(office: Office) -> None:
    """The row of the person is gone just when the new application would lock it."""
    over = life.to_state(office, "withdrawn", seed=17)
    keys = list(people(office, over).values())
    applied: list[str] = []
    again = life.a_request(office.desk.book, seed=17)
    with office.ledger.transaction() as conn:
        for role, key in zip(("holder", "member"), keys, strict=True):
            nobody = f"erased:{role}:{over}"
            conn.execute("insert into persons values (%s)", (nobody,))
            conn.execute(f"update applications set {role} = %s where binding_id = %s", (nobody, over))
            conn.execute("delete from persons where key = %s", (key,))
        conn.execute("update applications set erased = '{holder,member}' where binding_id = %s", (over,))
        applying = threading.Thread(target=lambda: applied.append(life.submit(office, again)))
        applying.start()
        applying.join(timedelta(seconds=1).total_seconds())  # it waits for the row
    applying.join()
    assert life.look(office, applied[0]).state == "submitted"
    assert people(office, applied[0]) == dict(zip(("holder", "member"), keys, strict=True))


# -- what goes along -----------------------------------------------------------------------------------------------


def test_documents_of_whom_asks_are_gone_with_him(office: Office) -> None:
    binding_id = life.to_state(office, "materials_uploaded")
    life.say(office, "withdraw", binding_id)
    with office.ledger.connection() as conn:
        ids = [row[0] for row in conn.execute("select id from materials where binding_id = %s", (binding_id,))]
    for one in ids:
        office.windows.documents.put(one, b"content")
    before = public_view(*office.desk.look(binding_id))["materials"]
    rights.erase(office.desk, SUPERVISOR, [people(office, binding_id)["member"]], "asked")
    assert (len(before), life.look(office, binding_id).materials) == (len(ids), [])  # nobody is shown them any more
    keep_up(office)
    for one in ids:
        with pytest.raises(DocumentMissing):
            office.windows.documents.get(one)


def test_what_no_line_tells_is_not_written_anew_of_people_erased(office: Office) -> None:
    binding_id = life.to_state(office, "submitted")
    life.say(office, "withdraw", binding_id)
    with office.ledger.connection() as conn:
        conn.execute(
            "insert into webhook_endpoints (id, channel, url, secrets, created_at)"
            " values ('whe_x', 'alipay', 'http://127.0.0.1:9/', '', kinbind_now())"
        )
        conn.execute(
            "insert into deliveries"
            " (id, endpoint_id, binding_id, sequence, type, notice, body, state, next_at, created_at)"
            " values ('dlv_x', 'whe_x', %s, 2, 'binding.stuck', 'stk_x', '{}', 'parked', kinbind_now(), kinbind_now())",
            (binding_id,),
        )
    rights.erase(office.desk, SUPERVISOR, [people(office, binding_id)["member"]], "asked")
    with office.ledger.connection() as conn:
        assert conn.execute("select count(*) from deliveries where id = 'dlv_x'").fetchone() == (0,)


def test_nobody_reaches_his_own_case_through_the_other_party(office: Office) -> None:
    """A supervisor who is the holder: the papers are his too. What else the member has is no bar."""
    own, other = ended(office, seed=8), ended(office, seed=9, member_seed=8)
    life.skip(office, days=32)
    parties = people(office, own)
    assert people(office, other)["member"] == parties["member"]
    he, member = replace(SUPERVISOR, id="stf_own", person=parties["holder"]), [parties["member"]]
    assert rights.hold(office.desk, he, member, "court") == sorted([own, other])  # to keep it harms nobody
    assert rights.release(office.desk, he, member, "mine") == [other]
    assert [one["id"] for one in rights.copy_of(office.desk, he, member, "x")["bindings"]] == [other]
    assert rights.erase(office.desk, he, member, "x")[own] == "own_case"
    assert rights.release(office.desk, SUPERVISOR, member, "over") == [own]


def test_of_a_newborn_nothing_is_left_in_the_lines(office: Office) -> None:
    request = life.a_request(office.desk.book, method="birth_certificate", seed=31)
    life.know_birth(office, request)
    binding_id = life.submit(office, request)
    ask_registries(office)
    life.say(office, "withdraw", binding_id)
    assert request.member.birth_date is not None
    assert named_in(office, [request.member.birth_date.isoformat(), request.member.name[0] + "*", "王*"]) == set()
