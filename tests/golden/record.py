"""Records lives as this release lives them, for the next one to go on with: `python -m tests.golden.record 0.1.0`.

Of each step: who said what and when, what the release wrote (its own document for `desk_write_v1`), and what came of
it. The people are made up, and the keys are these lives' own.
"""

import base64
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import orjson
import psycopg
import pytest

from embedded.postgres import TEST_SETTINGS, Postgres
from models import keyring, ledger
from tasks.office import Office
from tests import life
from tests.conftest import address_of, own_database
from workflows import writing
from workflows.case import REVERIFICATION, STATES, SYSTEM, Actor
from workflows.engine import Desk

HERE = Path(__file__).parent
BEGIN = datetime.fromisoformat("2026-11-23T02:00:00+00:00")  # a Monday morning in Shanghai
STANDING_CLOCK = """
create or replace function kinbind_now() returns timestamptz language sql volatile as $$
  select timestamptz 'epoch' + ahead from service_clock
$$
"""
SET = "update service_clock set ahead = %s - timestamptz 'epoch'"
KEYS = {"current": "k001", "keys": {"k001": base64.b64encode(hashlib.sha256(b"golden seal").digest()).decode()},
        "index_key": base64.b64encode(hashlib.sha256(b"golden index").digest()).decode()}  # fmt: skip
LEASE = "select claimed_by, lease_until, epoch from review_cases where binding_id = %s"
MATERIALS = "select to_jsonb(m) from materials m where binding_id = %s order by id"
LINES = """
select event, from_state, to_state, actor, reason from history where binding_id = %s and sequence > %s order by sequence
"""


def stories() -> dict[str, Callable[[Office], object]]:
    """The lives: one to every state, and the ways that lead past them."""
    told: dict[str, Callable[[Office], object]] = {
        f"to {state}": partial(life.to_state, state=state, day=BEGIN.date()) for state in STATES if state != "expired"
    }
    return told | {
        "nothing is handed in": nothing_comes, "by a clerk": clerk, "the window closes": closes,
        "suspended, verified again": partial(suspended, said="counter_verified", actor=life.COUNTER),
        "suspended, resumed": partial(suspended, said="resume", actor=life.SUPERVISOR),
        "a child comes of age": grows, "an end taken back by the clock": taken_back, "approved late": approved,
    }  # fmt: skip


def nothing_comes(office: Office) -> None:
    """The clock ends it after seven days."""
    life.to_state(office, "submitted", day=BEGIN.date())
    strike(office, days=8)


def clerk(office: Office) -> None:
    """Declined the camera, verified at the counter."""
    one = life.to_state(office, "offline_fallback", day=BEGIN.date())
    life.say(office, "counter_verified", one, life.COUNTER, method="document_reader", subjects=["member"])


def suspended(office: Office, said: str, actor: Actor) -> None:
    """In force, suspended for a face or a suspicion, settled."""
    one = life.to_state(office, "active", day=BEGIN.date())
    if said == "resume":
        life.say(office, "suspend", one, life.SUPERVISOR, reason="suspected_fraud")
    else:
        life.say(office, "suspend", one, SYSTEM, suspended_for=REVERIFICATION, reason="name")
    life.say(office, said, one, actor, method="document_reader", subjects=["member"])


def closes(office: Office) -> None:
    """An attempt begins, nobody passes, and the clock sends it to the counter; nobody comes there either."""
    one = life.to_state(office, "face_check", day=BEGIN.date())
    life.start_face(office, one)
    strike(office, hours=24)
    strike(office, days=31)


def grows(office: Office) -> None:
    """A child in force reaches the face age, is asked, and is not verified."""
    born = date(BEGIN.year - 16, BEGIN.month, BEGIN.day) + timedelta(days=20)
    life.to_state(office, "active", member_born=born, day=BEGIN.date())
    strike(office, days=21)
    strike(office, days=31)


def taken_back(office: Office) -> None:
    """Asked for, never confirmed."""
    life.to_state(office, "unbinding", day=BEGIN.date())
    strike(office, minutes=31)


def approved(office: Office) -> None:
    """A review that the clock had to remind of."""
    one = life.to_state(office, "agency_review", day=BEGIN.date())
    strike(office, days=5)
    life.claim(office, one)
    life.say(office, "approve", one, life.REVIEWER)


def strike(office: Office, **by: float) -> None:
    """Move the clock and let it speak."""
    from workflows.sweeping import sweep

    life.skip(office, **by)
    while sweep(office.desk):
        pass


# -- the recording -------------------------------------------------------------------------------------------------


@contextmanager
def golden_keys() -> Iterator[keyring.Keyring]:
    """The keys of these lives, instead of a folder's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keys.json"
        path.write_text(json.dumps(KEYS))
        yield keyring.read(path)


def record(server_url: str, template: str, tell: Callable[[Office], object]) -> list[dict[str, Any]]:
    """Live one story on a database of its own; its steps."""
    steps: list[dict[str, Any]] = []
    documents: list[Any] = []
    run, serve = ledger.run, Desk.serve_on

    def writes(conn: Any, statement: Any, document: Any) -> Any:
        documents.append(orjson.loads(orjson.dumps(document)))
        return run(conn, statement, document)

    def serves(desk: Desk, conn: Any, commands: Any) -> Any:
        before = [_before(conn, command) for command in commands]
        documents.clear()
        outcomes = serve(desk, conn, commands)
        if documents:
            assert len(before) == 1, "one life at a time"
            steps.append(before[0] | _after(conn, commands[0], before[0], documents))
        return outcomes

    with own_database(server_url, "golden", cloned_from=template) as name, golden_keys() as keys:
        url = address_of(server_url, name)
        with life.office(url) as office:
            with office.ledger.connection() as conn:
                conn.execute(STANDING_CLOCK)
                conn.execute(SET, (BEGIN,))
            desk = Desk(office.ledger, office.desk.book, keys)
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(writing, "run", writes)
                patched.setattr(Desk, "serve_on", serves)
                tell(Office(office.ledger, desk, office.windows))
    return steps


def _before(conn: Any, command: Any) -> dict[str, Any]:
    row = conn.execute("select version from bindings where id = %s", (command.binding_id,)).fetchone()
    lease = conn.execute(LEASE, (command.binding_id,)).fetchone()
    now = conn.execute("select kinbind_now()").fetchone()[0]
    told: dict[str, Any] = msgspec.to_builtins({
        "said": command.said, "binding_id": command.binding_id, "actor": command.actor, "facts": dict(command.facts),
        "now": now, "version": row[0] if row else 0, "lease": lease,
        "materials": [one[0] for one in conn.execute(MATERIALS, (command.binding_id,)).fetchall()],
    })  # fmt: skip
    return told


def _after(conn: Any, command: Any, before: dict[str, Any], documents: list[Any]) -> dict[str, Any]:
    lines = conn.execute(LINES, (command.binding_id, before["version"])).fetchall()
    assert len(documents) == 1
    return {"document": documents[0], "lines": [list(line) for line in lines]}


def main(release: str) -> None:
    """Write the release's lives beside this file."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder) / "postgres", settings=TEST_SETTINGS)
        with server, own_database(server.url_of("postgres"), "template") as template:
            url = address_of(server.url_of("postgres"), template)
            ledger.migrate(url)
            with psycopg.connect(url) as conn:
                row = conn.execute(
                    "select version_num, pg_get_functiondef('desk_write_v1'::regproc) from alembic_version"
                ).fetchone()
            made = {name: record(server.url_of("postgres"), template, tell) for name, tell in stories().items()}
    assert row is not None
    told = {"release": release, "schema": row[0], "function": row[1], "write": writing._WRITE}
    lives = ",\n".join(f"{json.dumps(name)}: {json.dumps(steps, ensure_ascii=False)}" for name, steps in made.items())
    (HERE / f"lives-{release}.json").write_text(f'{json.dumps(told)[:-1]},\n"lives": {{\n{lives}\n}}}}\n')


if __name__ == "__main__":
    main(sys.argv[1])
