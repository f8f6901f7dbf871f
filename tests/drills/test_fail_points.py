"""A crash between any two statements of every move: it is made once or not at all, and saying it again mends it.

Two kinds of death, see `failpoints`: of our process at each round trip to the database, and of the database's process
at each statement inside the write. The long form stops at every point; the short one at some, and of the second kind at
every third move.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, timedelta
from functools import partial
from typing import Any, NamedTuple

import psycopg
import pytest
from msgspec.structs import replace

from models.ids import new_id
from policies.calendar import shanghai_day
from tasks import outages
from tasks.faces import hear, poll_faces, start_face_check
from tasks.feed import fan_out
from tasks.office import Office
from tasks.registries import ask_registries, recheck_insurance
from tasks.sweep import sweep
from tasks.unbinding import confirm_unbind
from tests import life
from tests.drills import parts
from tests.drills.failpoints import Fuse, Killed, backend_dies_at, buried, mine, mortal
from tests.store.invariants import check
from workflows import probes
from workflows.binding import MOVES, MOVES_BY_NAME
from workflows.case import STATES, Actor, Case
from workflows.commands import Command, Idempotency, show_created
from workflows.errors import Refused

pytestmark = pytest.mark.timeout(parts.size(240, 1800))
GIVEN_UP = 400  # points that no move has
# said by the system in the same commit as something else: these are points of that
FOLLOWING = {"begin_review", "activate", "limit_refused"}
# what comes with a session or an outage of its own: met among the errands
BY_ERRANDS = {"face_started", "face_failed", "face_passed", "extend_window"}


class Scene(NamedTuple):
    """Something that is done to one binding, and may be done again when nobody knows whether it was."""

    name: str
    binding_id: str
    act: Callable[[], object]
    repeatable: bool = True  # done again after success, it changes nothing more
    before: Callable[[], object] = lambda: None  # each try


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        mine(opened)
        yield opened


def version(office: Office, binding_id: str) -> int:
    with office.ledger.connection() as conn:
        row = conn.execute("select version from bindings where id = %s", (binding_id,)).fetchone()
    return int(row[0]) if row else 0


# -- every move, as the desk is told it ------------------------------------------------------------------------------


def moves(office: Office) -> Iterator[Callable[[], Scene]]:
    """For every state, every move of the table that somebody may make there; each on a binding of its own."""
    seeds = iter(range(999))
    for state in STATES:
        told: set[tuple[str, str]] = set()
        for product in ("family_account", "account_sharing"):
            with suppress(Refused, KeyError):  # not every product comes to every state
                case, now = made_ready(office, life.to_state(office, state, product=product, seed=next(seeds)))
                for actor in actors(case) if case.state == state else ():
                    for said in sorted(MOVES_BY_NAME.keys() - BY_ERRANDS):
                        if (said, actor.kind) not in told and possible(office, case, now, said, actor):
                            told.add((said, actor.kind))
                            yield partial(a_move, office, state, product, next(seeds), said, actor.kind)
    for seed in range(parts.size(3, 30)):
        yield partial(a_submission, office, seed)


def a_move(office: Office, state: str, product: str, seed: int, said: str, kind: str) -> Scene:
    binding_id = life.to_state(office, state, product=product, seed=seed)
    case, now = made_ready(office, binding_id)
    actor = next(one for one in actors(case) if one.kind == kind)
    command = next((one for one in commands(case, now, said, actor) if would(office, one)), None)
    assert command is not None, (said, state, case.state, kind)
    if kind != "system":
        command = replace(command, idempotency=Idempotency(str(actor), binding_id, said))
    return Scene(f"{said} {state} by {kind}", binding_id, lambda: office.desk.say(command), kind != "system")


def a_submission(office: Office, seed: int) -> Scene:
    request = life.a_request(office.desk.book, seed=seed, member_born=date(1957, 5, 5), holder_seed=900 + seed)
    binding_id = new_id("bnd", office.ledger.now())
    command = Command("submit", binding_id, life.channel(), {"request": request, "channel": "alipay"},
                      idempotency=Idempotency("alipay", binding_id, "submit"), answering=show_created)  # fmt: skip
    return Scene("submit", binding_id, lambda: office.desk.say(command))


def actors(case: Case) -> list[Actor]:
    return [life.channel(acting_for=case.application.holder), life.COUNTER, life.REVIEWER, life.SUPERVISOR,
            life.OPERATOR, Actor("system")]  # fmt: skip


def commands(case: Case, now: Any, said: str, actor: Actor) -> Iterator[Command]:
    if any(case.state in move.while_ and actor.kind in move.by for move in MOVES_BY_NAME[said]):
        yield from (Command(said, case.id, actor, facts) for facts in probes.told_with(case, said, now))


def made_ready(office: Office, binding_id: str) -> tuple[Case, Any]:
    """Papers and a lease, where the next move needs them; the case then, and the time."""
    case, now = office.desk.look(binding_id)
    if case.state == "agency_review":
        life.claim(office, binding_id)
    if case.state == "submitted":
        life.give_materials(office, binding_id)
    return case, now


def possible(office: Office, case: Case, now: Any, said: str, actor: Actor) -> bool:
    return said not in FOLLOWING and any(would(office, one) for one in commands(case, now, said, actor))


def would(office: Office, command: Command) -> bool:
    try:
        office.desk.rehearse(command)
    except Refused:
        return False
    return True


# -- every errand, as the hands run it -----------------------------------------------------------------------------


def errands(office: Office) -> Iterator[Scene]:
    """What begins outside of the desk: a due deadline, a question to a registry, an answer of a provider."""
    seeds = iter(range(500, 999))

    def at(state: str, **options: Any) -> str:
        today = shanghai_day(office.ledger.now())
        return life.to_state(office, state, seed=next(seeds), **{"day": today} | options)

    yield Scene("registries answer", one := at("materials_uploaded"), lambda: ask_registries(office),
                before=lambda: life.skip(office, minutes=16))  # fmt: skip
    yield Scene("a face begins", one := at("face_check"), partial(begin, office, one), repeatable=False)
    for outcome, state in (("passed", "face_check"), ("no_match", "face_check"), ("passed", "offline_fallback")):
        one, call = heard(office, at("face_check"), outcome, state)
        yield Scene(f"a callback: {outcome} in {state}", one, call)
    one = at("face_check")
    life.faces(office).complete(life.start_face(office, one)["reference"], "passed")
    yield Scene("a poll", one, lambda: poll_faces(office), before=lambda: life.skip(office, hours=1))
    one = at("unbinding")
    right = Command("confirm_unbind", one, life.channel(), idempotency=Idempotency("alipay", one, "f"))
    yield Scene("an end by password", one, partial(confirm_unbind, office, right, "123456"))
    one = at("active")
    life.registries(office).put_person(_number(office, one), {"insured": {"status": "suspended"}})
    yield Scene("the daily look", one, lambda: recheck_insurance(office), before=lambda: life.skip(office, hours=49))
    one = at("face_check")
    life.start_face(office, one)
    now = office.ledger.now()
    for minutes in (0, 6):
        outages.found_down(office, "sandbox", now + timedelta(minutes=minutes))
    yield Scene("an outage is made good", one, lambda: outages.watch_outages(office),
                before=lambda: life.skip(office, minutes=25))  # fmt: skip
    yield from clocks(office, at)
    yield Scene("lines become letters", at("active"), lambda: fan_out(office))


def clocks(office: Office, at: Callable[..., str]) -> Iterator[Scene]:
    """Every state whose deadline the clock fires; the child comes of age, and of age again in the month after."""
    grows = shanghai_day(office.ledger.now())
    grown = date(grows.year - 16, grows.month, grows.day) + timedelta(days=40)
    one = at("active", member_born=grown, day=grows)
    yield due(office, one, "the child comes of age")
    yield due(office, one, "and is not verified")
    for state in ("submitted", "materials_uploaded", "face_check", "offline_fallback", "returned", "unbinding",
                  "agency_review", "suspended"):  # fmt: skip
        yield due(office, at(state), f"the clock in {state}")


def due(office: Office, binding_id: str, name: str) -> Scene:
    """A sweep at the moment at which the first deadline of this binding is due."""

    def skip() -> None:
        with office.ledger.connection() as conn:
            conn.execute(
                "update service_clock set ahead = greatest(ahead, (select min(due_at) from deadlines where"
                " binding_id = %s and not watch) - clock_timestamp())", (binding_id,),
            )  # fmt: skip

    first = version(office, binding_id)
    return Scene(name, binding_id, lambda: sweep(office) and version(office, binding_id) > first, before=skip)


def begin(office: Office, binding_id: str) -> object:
    command = Command("face_started", binding_id, life.channel(), {"subject": "member"})
    return start_face_check(office, command)


def heard(office: Office, binding_id: str, outcome: str, state: str) -> tuple[str, Callable[[], object]]:
    session = life.start_face(office, binding_id)
    callback = life.faces(office).complete(session["reference"], outcome)
    if state == "offline_fallback":
        life.say(office, "route_offline", binding_id, reason="other")
    return binding_id, lambda: hear(office, "sandbox", callback.headers, callback.body, {})


def _number(office: Office, binding_id: str) -> str:
    return str(life.look(office, binding_id).application.parties["member"]["id_number"])


# -- the drill -----------------------------------------------------------------------------------------------------


def our_process_dies(office: Office, fuse: Fuse, scene: Scene, step: Callable[[], int], counted: Counter[str]) -> None:
    """At point after point, until the scene gets through, or has got through although we died."""
    first, point = version(office, scene.binding_id), step()
    while point < GIVEN_UP:
        scene.before()
        fuse.light(point)
        try:
            scene.act()
        except Killed:
            buried(office)
        except Refused:
            assert version(office, scene.binding_id) > first, scene.name
        finally:
            fuse.light(0) if not fuse.struck else None
        counted["processes killed"] += fuse.struck
        if settled(office, scene, first, struck=fuse.struck):
            return
        point += step()
    pytest.fail(f"{scene.name}: never done")


def the_backend_dies(office: Office, scene: Scene, step: Callable[[], int], counted: Counter[str]) -> None:
    """The same inside the database; whoever lives on may try again by himself, as the sweep does."""
    first, point = version(office, scene.binding_id), step()
    while point < GIVEN_UP:
        scene.before()
        with backend_dies_at(office, point) as came:
            with suppress(psycopg.OperationalError, Refused):
                scene.act()
            struck = came()
        counted["backends killed"] += struck
        if settled(office, scene, first, struck=struck):
            return
        point += step()
    pytest.fail(f"{scene.name}: never done")


def settled(office: Office, scene: Scene, first: int, *, struck: bool) -> bool:
    """Whether it is done; then doing it again changes nothing."""
    done = version(office, scene.binding_id)
    if done == first and struck:
        return False
    if scene.repeatable and done > first:
        with suppress(Refused):
            scene.act()
        assert version(office, scene.binding_id) == done, f"{scene.name}: done twice"
    return True


def played(office: Office, what: str, who: str) -> Iterator[Scene]:
    """All scenes; of the moves, in the short form, every third before a backend that dies, for they are long to set."""
    if what == "errands":
        yield from errands(office)
        return
    thinned = 1 if parts.LONG or who == "our process" else 3
    for place, make in enumerate(moves(office)):
        if place % thinned == 0:
            yield make()


@pytest.mark.parametrize("what", ["moves", "errands"])
@pytest.mark.parametrize("who", ["our process", "the backend"])
def test_a_crash_between_any_two_statements(office: Office, what: str, who: str) -> None:
    fuse, counted, rng = Fuse(), Counter[str](), random.Random(4)
    mortal(office, fuse)
    for scene in played(office, what, who):
        counted["scenes"] += 1
        counted[f"said {scene.name.partition(' ')[0]}"] += 1
        if who == "our process":
            our_process_dies(office, fuse, scene, lambda: 1 if parts.LONG else rng.randint(1, 3), counted)
        else:
            the_backend_dies(office, scene, lambda: 1 if parts.LONG else rng.randint(3, 9), counted)
    while sweep(office):
        pass
    check(office)
    parts.prove(office.ledger.url)
    said = {name.removeprefix("said ") for name in counted if name.startswith("said ")}
    if what == "moves" and (parts.LONG or who == "our process"):
        assert said >= {move.said for move in MOVES if not move.by <= {"clock"}} - FOLLOWING - BY_ERRANDS - ALONE
    parts.figures(f"crash points, {what}, {who}", {name: counted[name] for name in counted if "said" not in name})


# moves of which no binding of these two products has an occasion when it is made in one go
ALONE = {"confirm_authorisation", "confirm_registry_record", "resume"}
