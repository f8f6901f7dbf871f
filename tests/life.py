"""Lives of families for the tests: an office on a real ledger, made-up people, and a clock that is moved."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest

from models.ids import new_id
from policies.book import LawBook
from policies.calendar import shanghai_day
from policies.people import make_id_number, parse_identity
from policies.planning import ApplicationFacts, PersonFacts, plan_for
from tasks.changes import prepared
from tasks.office import Office, open_office
from workflows import case as states
from workflows import endpoints
from workflows.case import SYSTEM, Actor, Case
from workflows.commands import Command
from workflows.engine import Desk
from workflows.submission import BirthCertificate, Person, Request

AREA = "440106"  # the first six digits of the numbers we make up; no place of ours depends on them
CHANNELS = {"family_account": "alipay", "account_sharing": "yueyibao_alipay", "code_display": "alipay"}
REVIEWER = Actor("reviewer", "stf_reviewer", regions=("000000",))
COUNTER = Actor("counter", "stf_counter", regions=("000000",))
SUPERVISOR = Actor("supervisor", "stf_supervisor", regions=("000000",))
OPERATOR = Actor("operator", "stf_operator", regions=("000000",))


def channel(name: str = "alipay", acting_for: str | None = None) -> Actor:
    """A channel; `acting_for` is the blind index of the person it has signed in."""
    return Actor("channel", name, acting_for)


@contextmanager
def office(database_url: str, size: int = 4) -> Iterator[Office]:
    """An office in the sandbox, keys and documents in a folder of its own; the environment says the same."""
    with tempfile.TemporaryDirectory() as var, pytest.MonkeyPatch.context() as environment:
        for name in ("KINBIND_KEYS_FILE", "KINBIND_DOCUMENTS", "KINBIND_ENV", "KINBIND_READER_URL"):
            environment.delenv(name, raising=False)
        environment.setenv("KINBIND_SANDBOX", "1")
        environment.setenv("KINBIND_VAR", var)
        environment.setenv("KINBIND_DATABASE_URL", database_url)
        with open_office(size=size) as opened:
            yield opened


# -- people and applications ---------------------------------------------------------------------------


def number(born: date, seed: int = 0, area: str = AREA) -> str:
    """A number with its check digit, another one for each `seed` up to 999."""
    return make_id_number(area, born, seed % 1000)


def a_request(
    book: LawBook,
    *,
    member_born: date | None = None,
    holder_born: date = date(1985, 6, 1),
    method: str = "id_number",
    product: str = "family_account",
    region: str = "440100",
    member_region: str | None = None,
    relationship: str | None = None,
    initiator: str | None = None,
    seed: int = 0,
    holder_seed: int | None = None,
    member_seed: int | None = None,
    channel_reference: str | None = None,
    day: date | None = None,
) -> Request:
    """A valid application with every consent of its plan; other seeds are other people.

    `day` (Asia/Shanghai) is when it is made: today, unless the service's clock was moved far.
    """
    day = day or shanghai_day(datetime.now(UTC))
    newborn = method == "birth_certificate"
    born = member_born or (day - timedelta(days=20) if newborn else date(1958, 3, 7))
    holder_n, member_n = (seed if one is None else one for one in (holder_seed, member_seed))
    holder = Person("张伟", "resident_id", number(holder_born, holder_n), region)
    member = _member(method, born, member_n, member_region or region)
    initiator = initiator or ("member" if product == "code_display" else "holder")
    relationship = relationship or ("PARENT" if day.year - born.year > 40 else "CHILD")
    certificate = _certificate(member_n) if newborn else None
    made = Request(product, method, holder, member, relationship, initiator, [], channel_reference, certificate)
    return replace(made, consents=_consents(book, made, born, day))


def _member(method: str, born: date, seed: int, region: str) -> Person:
    if method == "birth_certificate":
        return Person("李新生", "resident_id", None, region, born)
    if method == "other_document":
        return Person("李国外", "passport", f"E{seed:08d}", region, born)
    return Person("李秀英", "resident_id", number(born, seed), region)


def _certificate(seed: int) -> BirthCertificate:
    return BirthCertificate(f"K{seed:09d}", "王芳", number(date(1990, 2, 3), seed * 2))


def _consents(book: LawBook, made: Request, born: date, day: date) -> list[dict[str, Any]]:
    holder, member = made.holder, made.member
    holder_born = parse_identity(holder.id_type, holder.id_number or "", None, day).birth_date
    facts = ApplicationFacts(
        made.product, made.method, made.relationship, None, made.initiator,
        PersonFacts(holder.id_type, holder.insured_region, holder_born),
        PersonFacts(member.id_type, member.insured_region, born),
    )  # fmt: skip
    accepted_at = (datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)).isoformat()
    return [
        {"notice": ref.notice, "version": ref.version, "accepted_at": accepted_at}
        for ref in plan_for(book, facts, day).notices
    ]


def know_birth(office: Office, request: Request) -> None:
    """Let the sandbox's registry have the birth certificate that the application names."""
    certificate = request.birth_certificate
    assert certificate is not None
    told = {"number": certificate.number, "mother_name": certificate.mother_name,
            "mother_id_number": certificate.mother_id_number, "child_name": request.member.name,
            "child_birth_date": request.member.birth_date}  # fmt: skip
    registries(office).put_person(certificate.mother_id_number, {"birth_certificates": [told]})


def registries(office: Office) -> Any:
    """The sandbox's registries, with their switches."""
    return office.windows.registries


def faces(office: Office) -> Any:
    """The sandbox's face provider, with its switches."""
    return office.windows.faces["sandbox"]


# -- steps ---------------------------------------------------------------------------------------------


def look(office: Office, binding_id: str) -> Case:
    """The case as it is now."""
    return office.desk.look(binding_id)[0]


def events(office: Office, binding_id: str) -> list[str]:
    """The events of the history so far, in order."""
    with office.ledger.connection() as conn:
        rows = conn.execute(
            "select event from history where binding_id = %s order by sequence", (binding_id,)
        ).fetchall()
    return [row[0] for row in rows]


def say(office: Office, said: str, binding_id: str, actor: Actor | None = None, **facts: Any) -> Case:
    """Say one command and give the case after it. Raises `Refused`."""
    done = office.desk.say(Command(said, binding_id, actor or channel(), facts))
    assert done.case is not None
    return done.case


def report(office: Office, binding_id: str, what: str, value: str, actor: Actor | None = None) -> Case:
    """Report another name, number or place as a door does; the case after it. Raises `Refused`."""
    told = Command("report_change", binding_id, actor or channel(), {"what": what, "value": value})
    done = office.desk.say(prepared(office, told))
    assert done.case is not None
    return done.case


def submit(office: Office, request: Request, channel: str | None = None) -> str:
    """Submit through a channel (else the product's usual one), or at a counter, and give the binding's id."""
    name = channel or CHANNELS[request.product]
    binding_id = new_id("bnd", office.ledger.now())
    say(office, "submit", binding_id, COUNTER if name == "counter" else Actor("channel", name),
        request=request, channel=name)  # fmt: skip
    return binding_id


def give_materials(office: Office, binding_id: str) -> None:
    """Put what the plan asks for beside the case: rows only, without content."""
    case, now = office.desk.look(binding_id)
    there = {material["kind"] for material in case.materials}
    kinds = {kind for group in case.plan.materials for kind in group.any_of[0]} - there
    kinds |= {item["kind"] for item in case.progress.correction.items} if case.progress.correction else set()
    rows = [(new_id("mat", now), binding_id, kind, "0" * 64, now) for kind in sorted(kinds)]
    with office.ledger.connection() as conn, conn.cursor() as cursor:
        cursor.executemany(
            "insert into materials"
            " (id, binding_id, kind, sha256, size, media_type, pages, added_by, added_at)"
            " values (%s, %s, %s, %s, 1000, 'image/jpeg', 1, 'channel:alipay', %s)",
            rows,
        )


def hand_in(office: Office, binding_id: str) -> None:
    """Give the materials and submit them."""
    give_materials(office, binding_id)
    say(office, "submit_materials", binding_id)


def registries_say_yes(office: Office, binding_id: str) -> Case:
    """The registries have no objection (said straight to the desk; the errand is another matter)."""
    return say(office, "registries_answered", binding_id, SYSTEM)


def start_face(office: Office, binding_id: str, subject: str = "member") -> dict[str, Any]:
    """Begin an attempt at the sandbox's provider; the session as its row has it."""
    from tasks.faces import start_face_check

    start_face_check(office, Command("face_started", binding_id, channel(), {"subject": subject}))
    return sessions(office, binding_id)[-1]


def end_face(office: Office, session: dict[str, Any], outcome: str = "passed") -> None:
    """The person does it (`outcome` as in API.md's sandbox), and the provider calls us."""
    from tasks.faces import hear

    callback = faces(office).complete(session["reference"], outcome)
    hear(office, session["provider"], callback.headers, callback.body, {})


def sessions(office: Office, binding_id: str) -> list[dict[str, Any]]:
    """All attempts of a binding, the oldest first."""
    with office.ledger.connection() as conn:
        cursor = conn.execute("select * from face_sessions where binding_id = %s order by id", (binding_id,))
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def pass_face(office: Office, binding_id: str, subject: str = "member") -> None:
    """Begin an attempt and pass."""
    end_face(office, start_face(office, binding_id, subject))


def claim(office: Office, binding_id: str, reviewer: Actor = REVIEWER) -> None:
    """Take the lease of a review case for fifteen minutes."""
    with office.ledger.connection() as conn:
        conn.execute(
            "update review_cases set claimed_by = %s, lease_until = kinbind_now() + interval '15 minutes',"
            " epoch = epoch + 1 where binding_id = %s",
            (reviewer.id, binding_id),
        )


# -- short cuts ----------------------------------------------------------------------------------------


def to_state(office: Office, state: str, **options: Any) -> str:
    """A binding that has come to `state` by an ordinary way; `options` as for `a_request`. Its id."""
    if state in (states.AGENCY_REVIEW, states.RETURNED):
        options = {"product": "account_sharing"} | options
    binding_id = submit(office, a_request(office.desk.book, **options))
    for step in _ways()[state]:
        step(office, binding_id)
    return binding_id


def _ways() -> dict[str, tuple[Any, ...]]:
    checked = (hand_in, registries_say_yes)
    active = (*checked, _all_faces)
    unbinding = (*active, _saying("request_unbind", initiator="holder", method="pay_password"))
    return {
        states.SUBMITTED: (),
        states.MATERIALS_UPLOADED: (hand_in,),
        states.FACE_CHECK: checked,
        states.OFFLINE_FALLBACK: (*checked, _saying("route_offline", reason="declines_face")),
        states.AGENCY_REVIEW: checked,
        states.RETURNED: (*checked, claim, _return),
        states.ACTIVE: active,
        states.SUSPENDED: (*active, _saying("suspend", SUPERVISOR, reason="suspected_fraud")),
        states.UNBINDING: unbinding,
        states.UNBOUND: (*unbinding, _saying("confirm_unbind")),
        states.REJECTED: (hand_in, _saying("registry_refused", SYSTEM, reason="not_insured")),
        states.WITHDRAWN: (_saying("withdraw"),),
        states.EXPIRED: (lambda office, _: advance(office, days=8),),
    }


def _saying(said: str, actor: Actor | None = None, **facts: Any) -> Any:
    return lambda office, binding_id: say(office, said, binding_id, actor, **facts)


def _return(office: Office, binding_id: str) -> None:
    items = [{"kind": "commitment_letter", "reason": "letter_unsigned"}]
    say(office, "return_for_correction", binding_id, REVIEWER, reason="letter_unsigned", items=items)


def _all_faces(office: Office, binding_id: str) -> None:
    while (subject := look(office, binding_id).next_subject) is not None:
        pass_face(office, binding_id, subject)


# -- rows that something went wrong with ---------------------------------------------------------------


@contextmanager
def unreadable(office: Office, binding_id: str, part: str = "progress") -> Iterator[None]:
    """Break a binding's `plan`, `progress` or `sealed` parties in the table; right again at the end."""
    table, kind = (
        ("applications", "bytea") if part == "sealed" else ("bindings", "jsonb" if part == "progress" else "text")
    )
    key = "binding_id" if part == "sealed" else "id"
    change = f"update {table} set {part} = %s::{kind} where {key} = %s"
    with office.ledger.connection() as conn:
        row = conn.execute(f"select {part}::text from {table} where {key} = %s", (binding_id,)).fetchone()
        assert row is not None
        conn.execute("insert into plans (hash, body) values ('broken', '{}') on conflict do nothing")
        flipped = row[0][:-1] + ("1" if row[0][-1] == "0" else "0")
        wrong = {"plan": "broken", "progress": '{"passed": 1}', "sealed": flipped}[part]
        conn.execute(change, (wrong, binding_id))
    yield
    with office.ledger.connection() as conn:
        conn.execute(change, (row[0], binding_id))


# -- what a channel has set up -------------------------------------------------------------------------


def endpoint(desk: Desk, url: str, events: list[str] | None = None, channel: str = "alipay") -> dict[str, Any]:
    """A webhook endpoint of a channel, as it was answered: `id`, and this once its `secret`."""
    made: dict[str, Any] = orjson.loads(endpoints.add(desk, channel, url, events, None).body)
    return made


def fresh_secret(desk: Desk, endpoint_id: str, channel: str = "alipay") -> str:
    """The new secret of an endpoint, beside which the old one signs for a day."""
    return str(orjson.loads(endpoints.rotate(desk, channel, endpoint_id, None).body)["secret"])


# -- time ----------------------------------------------------------------------------------------------


def skip(office: Office, **by: float) -> None:
    """Move the service's clock (arguments as for `timedelta`) and run nothing."""
    with office.ledger.connection() as conn:
        conn.execute("update service_clock set ahead = ahead + %s", (timedelta(**by),))


def advance(office: Office, **by: float) -> datetime:
    """Move the clock from due moment to due moment and run all errands; the time then."""
    from tasks.advance import advance as move

    return move(office, timedelta(**by).total_seconds())
