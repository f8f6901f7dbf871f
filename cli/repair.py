"""`kinbind repair`: the orders of the API's door under the caller's own key; carried on here, and by the hands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from cli.caller import Key, at_the_desk
from cli.looking import plain
from cli.screen import Trouble, WronglyAsked, say, table
from models.ledger import Ledger
from workflows.access.principals import Principal
from workflows.engine import Desk
from workflows.repairs import carrying, orders
from workflows.repairs.orders import PACE, Wish
from workflows.repairs.verbs import VERBS
from workflows.views import repairs as shown
from workflows.views import stuck

app = typer.Typer(no_args_is_help=True, help="Repairs of one binding or many: tried, approved, done, undone.")
RepairId = Annotated[str, typer.Argument(metavar="ID", help="The repair's id, rep_….")]
Why = Annotated[str, typer.Option("--reason", help="Why; it stands in every history that this touches.")]
One = Annotated[str | None, typer.Option()]
_SAID = {
    "role_required": "this key has not the role for it",
    "second_person_required": "whoever asked for it or applied it cannot approve it; another supervisor must"
    " (keys of the same person are one; a key that names no person counts for nobody)",
    "filter_empty": "say which bindings: a filter that asks nothing would find all",
    "not_found": "there is no such repair within the regions of this key",
    "not_undoable": "what this repair does cannot be taken back",
    "repair_not_available": "this repair is not at the point where that can be said; `kinbind repair show` tells where",
    "agency_unserved": "nobody works for that agency",
}


@app.command("run")
def run(
    verb: Annotated[str, typer.Argument(help=f"One of {', '.join(VERBS)}.")],
    reason: Why,
    key: Key,
    binding: Annotated[list[str] | None, typer.Option(help="Of this binding; may be repeated.")] = None,
    cause: Annotated[str | None, typer.Option(help="Of all stuck for this cause.")] = None,
    fingerprint: Annotated[
        str | None, typer.Option(help="Of all stuck in this way, as `repair stuck` shows it.")
    ] = None,
    state: Annotated[list[str] | None, typer.Option(help="In this state; may be repeated.")] = None,
    pack: Annotated[str | None, typer.Option(help="Pinned to this pack.")] = None,
    version: Annotated[str | None, typer.Option(help="In this version of it.")] = None,
    product: One = None,
    channel: One = None,
    region: One = None,
    armed: Annotated[str | None, typer.Option(help="With this deadline armed.")] = None,
    to: Annotated[str | None, typer.Option(help="move: the state.")] = None,
    deadline: Annotated[str | None, typer.Option(help="fire_now: which.")] = None,
    to_pack: Annotated[str | None, typer.Option(help="replan: another pack than the one pinned.")] = None,
    to_version: Annotated[str | None, typer.Option(help="replan: of the pack.")] = None,
    recompute: Annotated[
        list[str] | None, typer.Option(help="replan: a deadline to be counted anew; * is all. Others are kept.")
    ] = None,
    agency: Annotated[str | None, typer.Option(help="reassign: which has it now.")] = None,
    staff: Annotated[str | None, typer.Option(help="reassign: to whom the lease; nobody where not given.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the difference; `repair apply` does it.")
    ] = False,
    pace: Annotated[int, typer.Option(min=1, max=orders.FASTEST, help="Bindings a second, at most.")] = PACE,
) -> None:
    """Order a repair and carry it on: to its end, to the end of its dry run, or until a second person must say yes."""
    if verb not in VERBS:
        raise WronglyAsked(f"no such repair; there are {', '.join(VERBS)}")
    wanted = {"binding_ids": binding or None, "cause": cause, "fingerprint": fingerprint, "states": state or None,
              "pack": pack, "version": version, "product": product, "channel": channel, "region": region,
              "deadline": armed}  # fmt: skip
    args = {"to": to, "deadline": deadline, "pack": to_pack, "version": to_version, "recompute": recompute or None,
            "agency": agency, "staff": staff}  # fmt: skip
    asked = {name: value for name, value in wanted.items() if value is not None}
    if cause is not None and cause not in stuck.CAUSES:
        raise WronglyAsked(f"no such cause; there are {', '.join(stuck.CAUSES)}")
    wish = Wish(verb, reason, asked, args, dry_run=dry_run, pace=pace)
    with _at_the_desk(key, "operator") as (desk, caller):
        _carry_on(desk, caller, orders.make(desk.ledger, caller, wish))


@app.command("apply")
def apply(repair_id: RepairId, key: Key) -> None:
    """Do what the dry run has shown; what has moved since is left alone."""
    _tell(repair_id, key, orders.apply, "operator")


@app.command("approve")
def approve(repair_id: RepairId, key: Key) -> None:
    """Say yes as the second person, and carry it on."""
    _tell(repair_id, key, orders.approve, "supervisor")


@app.command("withdraw")
def withdraw(repair_id: RepairId, reason: Why, key: Key) -> None:
    """Let it be, before anything of it is done; as a supervisor: do not approve it."""
    _tell(repair_id, key, lambda ledger, caller, one: orders.withdraw(ledger, caller, one, reason))


@app.command("pause")
def pause(repair_id: RepairId, key: Key) -> None:
    """Stop after the batch under way."""
    _tell(repair_id, key, orders.pause)


@app.command("resume")
def resume(repair_id: RepairId, key: Key) -> None:
    """Go on."""
    _tell(repair_id, key, orders.resume)


@app.command("undo")
def undo(repair_id: RepairId, reason: Why, key: Key) -> None:
    """Take back what was done, wherever nothing has happened since."""
    _tell(repair_id, key, lambda ledger, caller, one: orders.undo(ledger, caller, one, reason))


@app.command("show")
def show(
    repair_id: RepairId,
    key: Key,
    state: Annotated[str | None, typer.Option(help="Only the bindings that stand so: done, refused, …")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
) -> None:
    """Show what became of a repair: counts, groups, bindings."""
    with _at_the_desk(key) as (desk, caller):
        _shown(desk.ledger, caller, repair_id, limit, state)


@app.command("list")
def list_(key: Key, limit: Annotated[int, typer.Option(min=1, max=1000)] = 20) -> None:
    """Show the latest repairs."""
    with _at_the_desk(key) as (desk, caller):
        found = shown.recent(desk.ledger, caller, limit)["items"]
    heads = ("id", "repair", "state", "created_at", "asked_by", "approved_by", "reason")
    table(heads, ([plain(one[head]) for head in heads] for one in found), nothing="no repair has been ordered")


@app.command("stuck")
def stuck_(key: Key, cause: One = None) -> None:
    """Show what is stuck, by fingerprint: what `run --fingerprint` takes."""
    if cause is not None and cause not in stuck.CAUSES:
        raise WronglyAsked(f"no such cause; there are {', '.join(stuck.CAUSES)}")
    with _at_the_desk(key) as (desk, caller):
        found = stuck.groups(desk.ledger, caller.regions, cause)
    heads = ("count", "fingerprint", "oldest_since", "example")
    table(heads, ([plain(one[head]) for head in heads] for one in found), nothing="nothing is stuck")


# -- common ------------------------------------------------------------------------------------------------------


@contextmanager
def _at_the_desk(key: str, *roles: str) -> Iterator[tuple[Desk, Principal]]:
    with at_the_desk(key, _SAID, *(roles or ("operator", "supervisor"))) as found:
        yield found


def _tell(repair_id: str, key: str, tell: Callable[[Ledger, Principal, str], None], *roles: str) -> None:
    with _at_the_desk(key, *roles) as (desk, caller):
        tell(desk.ledger, caller, repair_id)
        _carry_on(desk, caller, repair_id)


def _carry_on(desk: Desk, caller: Principal, repair_id: str) -> None:
    carrying.to_its_end(desk, repair_id, float("inf"))
    view = _shown(desk.ledger, caller, repair_id, 20, None)
    if view["state"] == "done" and not view["counts"].get("done"):
        raise Trouble("nothing has been repaired")


def _shown(ledger: Ledger, caller: Principal, repair_id: str, limit: int, state: str | None) -> dict[str, Any]:
    view: dict[str, Any] = shown.repair(ledger, caller, repair_id, limit, None, state)
    paused = ", paused" if view["paused_at"] else ""
    counts = ", ".join(f"{count} {name}" for name, count in view["counts"].items()) or "no bindings"
    say(f"{view['id']} {view['repair']}: {view['state']}{paused}; {counts}")
    if not view["groups"] and view["state"] != "planning":
        say("nothing matched: no binding within the regions of this key is as the order asks")
        return view
    table(("bindings", "stand", "why not", "difference", "for example"), (
        [str(one["count"]), one["state"], one["code"] or "-", "-" if one["code"] else one["summary"], one["example"]]
        for one in view["groups"]
    ))  # fmt: skip
    if view["state"] == "awaiting_approval":
        say(f"another supervisor must say yes: kinbind repair approve {view['id']}")
    if view["state"] == "planned" and view["counts"].get("planned"):
        say(f"nothing has been changed; kinbind repair apply {view['id']} does it")
    return view
