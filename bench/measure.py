"""What every benchmark needs: a ledger of its own on durable storage, figures, and interleaved rounds."""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from embedded.postgres import Postgres
from models import ledger

WARM_UP = 0.5  # seconds at the beginning of each turn that do not count


@dataclass(frozen=True, slots=True)
class Did:
    """One commit: when it was answered, how long that took (both in seconds), and the steps in it."""

    at: float
    took: float
    steps: int = 1


@dataclass(frozen=True, slots=True)
class Figure:
    """What a turn, or a round of turns, gave: steps a second, latencies of a commit (ms), memory (MiB)."""

    rate: float
    p50: float
    p99: float
    memory: float


def figure(done: Sequence[Did], begin: float, seconds: float, memory: float) -> Figure:
    """The figure of what was answered within `seconds` after `begin`; `memory` in bytes."""
    inside = [did for did in done if begin <= did.at < begin + seconds]
    assert inside, "nothing was done within the round"
    took = sorted(did.took for did in inside)
    p50, p99 = (1000 * took[int(share * (len(took) - 1))] for share in (0.5, 0.99))
    return Figure(sum(did.steps for did in inside) / seconds, p50, p99, memory / 2**20)


def own_memory() -> int:
    """What this process holds in memory (resident, bytes)."""
    return int(psutil.Process().memory_info().rss)


def options(what: str) -> bool:
    """Read the command line: whether a short run is asked for, for a look and not for a figure."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: a look, not a figure")
    return bool(parser.parse_args().quick)


@contextmanager
def own_ledger() -> Iterator[Path]:
    """A migrated ledger on a server with the settings of the service; the environment then names it.

    Gives the folder, in which the keys lie too. Nothing is switched off: a commit waits for the disk.
    """
    with tempfile.TemporaryDirectory(prefix="kinbind-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server may run under another account
        with Postgres(folder / "postgres") as server:
            os.environ |= {"KINBIND_DATABASE_URL": server.url, "KINBIND_VAR": name, "KINBIND_SANDBOX": "1"}
            for elsewhere in ("KINBIND_KEYS_FILE", "KINBIND_READER_URL", "KINBIND_PACKS", "KINBIND_ENV"):
                os.environ.pop(elsewhere, None)
            ledger.migrate(server.url)
            yield folder


def rounds(ways: Mapping[str, Callable[[], Figure]], times: int, turns: int = 3) -> dict[str, list[Figure]]:
    """Measure every way `times` times, each time in short turns: the machine's speed swings, for all of them alike."""
    found: dict[str, list[Figure]] = {name: [] for name in ways}
    for _ in range(times):
        taken = [{name: way() for name, way in ways.items()} for _ in range(turns)]
        for name, figures in found.items():
            figures.append(_joined([turn[name] for turn in taken]))
    return found


def _joined(turns: Sequence[Figure]) -> Figure:
    rate, p50, p99, memory = (
        statistics.mean(getattr(one, part) for one in turns) for part in ("rate", "p50", "p99", "memory")
    )
    return Figure(rate, p50, p99, memory)


def tell(found: Mapping[str, Sequence[Figure]], yardstick: str) -> None:
    """Print the medians of all ways, and last the ratio of each to the yardstick of its own round."""
    print(f"{'':24}{'steps/s':>10}{'p50 ms':>10}{'p99 ms':>10}{'MiB':>8}")
    for name, figures in found.items():
        rate, p50, p99, memory = (
            statistics.median(getattr(one, part) for one in figures) for part in ("rate", "p50", "p99", "memory")
        )
        print(f"{name:24}{rate:10.0f}{p50:10.2f}{p99:10.2f}{memory:8.0f}")
    for name, figures in found.items():
        if name != yardstick:
            pairs = zip(figures, found[yardstick], strict=True)
            ratios = [one.rate / other.rate for one, other in pairs]
            spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
            print(f"{name}: {len(ratios)} rounds, {spread}")
    for name, figures in found.items():
        if name != yardstick:
            pairs = zip(figures, found[yardstick], strict=True)
            print(f"{name} ratio {statistics.median(one.rate / other.rate for one, other in pairs):.2f}")
