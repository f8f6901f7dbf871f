"""Reviews that pass by themselves where a pack says so: a decision like any other, and some drawn for a person."""

import functools
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.keyring import keyring
from policies.book import lawbook
from tasks.office import Office
from tests import life
from tests.doors.conftest import Caller
from tests.doors.family import act, application, key, submitted, with_materials
from workflows.sampling import draw
from workflows.submission import Request

CHANNEL = "yueyibao_alipay"
SHARES = {"441300": "0", "441400": "1", "440600": "0.5"}  # of what is drawn for a person, by city


@pytest.fixture(autouse=True)
def packs(settings: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Three cities of Guangdong whose agencies let reviews pass by themselves, and look at some."""
    folder = tmp_path / "packs"
    folder.mkdir()
    for city, share in SHARES.items():
        (folder / f"CN-{city[:4]}.account_sharing.yaml").write_text(
            f'pack: CN-{city[:4]}\nversion: "7"\neffective_from: 2025-01-01\nregion: "{city[:4]}"\n'
            "inherits: CN-44-guangdong/account_sharing\nproduct: account_sharing\n"
            "title: {zh: 抽查, en: Spot checks}\nsources: [S2]\nfacts: {review: [C4]}\nreplaces: [channels]\n"
            "channels: {needs: bind, open: {yueyibao_alipay: {entry: {zh: 粤医保, en: Yueyibao}, as_of: 2023-04-16,"
            f' cities: {{"{city[:4]}": bind}}}}}}}}\n'
            f"review: {{mode: auto_then_sample, sample_share: {share}}}\n",
            encoding="utf-8",
        )
    settings.setenv("KINBIND_PACKS", str(folder))
    lawbook.cache_clear()
    yield
    lawbook.cache_clear()


def checked(client: httpx.Client, region: str, body: dict[str, Any] | None = None) -> str:
    """A sharing of that city (or `body`) whose registries have answered."""
    made = submitted(client, body or application(product="account_sharing", region=region))
    with_materials(client, made)
    assert act(client, made["id"], "submit_materials").status_code == 200
    assert client.post("/v1/sandbox/clock/advance", json={"seconds": 1}).status_code == 200
    return str(made["id"])


def decided(as_: Caller, binding_id: str) -> list[tuple[str, str, str | None]]:
    """Event, actor and reason of all that was said of the review."""
    told = as_("reviewer").get(f"/v1/reviews/{binding_id}").json()["timeline"]
    return [(line["event"], line["actor"], line["reason"]) for line in told
            if line["event"] in ("review_begun", "approved", "activated")]  # fmt: skip


def test_it_passes_by_itself_as_a_decision_of_the_system_under_a_rule(as_: Caller) -> None:
    binding_id = checked(as_(CHANNEL), "441300")
    assert as_(CHANNEL).get(f"/v1/bindings/{binding_id}").json()["state"] == "active"
    assert decided(as_, binding_id) == [
        ("review_begun", "system", None), ("approved", "system", "automatic"), ("activated", "system", None),
    ]  # fmt: skip
    (line,) = [one for one in as_("reviewer").get(f"/v1/reviews/{binding_id}").json()["timeline"]
               if one["event"] == "approved"]  # fmt: skip
    assert line["note"].startswith("CN-4413 7: review.mode auto_then_sample, sample_share 0, drawn 0.")
    assert as_("reviewer").get("/v1/reviews").json()["items"] == []


def test_what_is_drawn_goes_to_a_person(as_: Caller) -> None:
    binding_id, reviewer = checked(as_(CHANNEL), "441400"), as_("reviewer")
    told = as_(CHANNEL).get(f"/v1/bindings/{binding_id}").json()
    assert (told["state"], told["waiting_on"]["party"]) == ("agency_review", "agency")
    assert decided(as_, binding_id) == [("review_begun", "system", "sampled")]
    assert [one["binding_id"] for one in reviewer.get("/v1/reviews").json()["items"]] == [binding_id]
    for said in ("claim", "approve"):
        assert reviewer.post(f"/v1/reviews/{binding_id}/{said}", json={}).status_code == 200
    assert decided(as_, binding_id)[1:] == [
        ("approved", "reviewer:sandbox-reviewer", None), ("activated", "system", None),
    ]  # fmt: skip


def drawn(as_: Caller, binding_id: str) -> tuple[str, str]:
    """Automatic or sampled, and under which rule."""
    (line,) = [one for one in as_("reviewer").get(f"/v1/reviews/{binding_id}").json()["timeline"]
               if one["reason"] in ("automatic", "sampled")]  # fmt: skip
    return line["reason"], line["note"]


def test_whoever_has_the_keys_draws_again(as_: Caller) -> None:
    """As docs/packs.md says: the index of each person from his number, then the digest of the two and the product."""
    keys, found = keyring(), set()
    for _ in range(2):
        body = application(product="account_sharing", region="440600")
        holder, member = (keys.person("citizen18", body[role]["id_number"]) for role in ("holder", "member"))
        digest = hashlib.sha256(f"{holder}:{member}:account_sharing".encode()).hexdigest()
        again = int(digest[:8], 16) / 2**32
        reason, note = drawn(as_, checked(as_(CHANNEL), "440600", body))
        assert reason == ("sampled" if again < 0.5 else "automatic")
        assert f"sample_share 0.5, drawn {again:.6f} " in note
        found.add(again)
    assert len(found) == 2


def test_withdrawing_and_applying_anew_draws_the_same(office: Office) -> None:
    """The number is in no hand of a channel: neither the id that the 201 shows, nor the time, nor another try."""
    of_city = functools.partial(life.a_request, office.desk.book, product="account_sharing", region="440600")
    request = next(one for one in (of_city(seed=seed) for seed in range(40)) if draw_of(office, one) < 0.5)
    tries = [life.submit(office, request)]
    for _ in range(8):
        life.hand_in(office, tries[-1])
        assert life.registries_say_yes(office, tries[-1]).state == "agency_review"
        life.say(office, "withdraw", tries[-1])
        tries.append(life.submit(office, request))
    page = (Path(__file__).parents[2] / "docs" / "packs.md").read_text(encoding="utf-8")
    (statement,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    with office.ledger.connection() as conn:
        again = conn.execute(statement.replace("bnd_…", tries[-1])).fetchall()
    assert [float(row[0]) for row in again] == [draw_of(office, request)]


def draw_of(office: Office, request: Request) -> float:
    """What the two people of an application draw."""
    keys, people = office.desk.keys, (request.holder, request.member)
    holder, member = (keys.person("citizen18", one.id_number or "") for one in people)
    return draw(holder, member, request.product)


def test_whatever_was_drawn_stays_drawn_after_a_correction(as_: Caller) -> None:
    channel, reviewer = as_(CHANNEL), as_("reviewer")
    binding_id = checked(channel, "441400")
    reviewer.post(f"/v1/reviews/{binding_id}/claim", json={})
    body = {"reason": "letter_unsigned", "items": [{"kind": "commitment_letter", "reason": "letter_unsigned"}]}
    assert reviewer.post(f"/v1/reviews/{binding_id}/return", json=body).status_code == 200
    with_materials(channel, {"id": binding_id, "plan": {"materials": [{"any_of": [["commitment_letter"]]}]}})
    assert act(channel, binding_id, "submit_materials").status_code == 200
    assert channel.post("/v1/sandbox/clock/advance", json={"seconds": 1}).status_code == 200
    assert channel.get(f"/v1/bindings/{binding_id}").json()["state"] == "agency_review"


def test_nothing_passes_by_itself_against_a_registrys_word(as_: Caller, office: Office) -> None:
    """What a clerk holds for right though a registry says no is looked at by a person, drawn or not (0026)."""
    counter, body = as_("counter"), application(product="account_sharing", region="441300")
    life.registries(office).put_person(body["member"]["id_number"], {"name": "曾用名"})
    made = counter.post("/v1/counter/tickets", json=body, headers=key()).json()
    life.give_materials(office, made["id"])
    assert act(counter, made["id"], "submit_materials").status_code == 200
    as_(CHANNEL).post("/v1/sandbox/clock/advance", json={"seconds": 1})
    told = {"method": "document_reader", "registry_checked": True, "note": "曾用名，户口本有记载"}
    done = counter.post(f"/v1/counter/tickets/{made['id']}/verify", json=told)
    assert done.json()["state"] == "agency_review"
    assert [event for event, _, _ in decided(as_, made["id"])] == ["review_begun"]
    items = [{"kind": "commitment_letter", "reason": "letter_unsigned"}]
    life.claim(office, made["id"])
    life.say(office, "return_for_correction", made["id"], life.REVIEWER, reason="letter_unsigned", items=items)
    life.registries(office).put_person(body["member"]["id_number"], {"name": body["member"]["name"]})
    life.give_materials(office, made["id"])
    assert act(counter, made["id"], "submit_materials").status_code == 200
    as_(CHANNEL).post("/v1/sandbox/clock/advance", json={"seconds": 1})
    again = life.look(office, made["id"])
    assert (again.state, again.progress.objection) == (
        "agency_review",
        None,
    )
