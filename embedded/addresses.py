"""Where the servers are: as the environment says, else as the supervisor wrote down in var/."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

VAR, DATABASE, READER, BROKER = (
    "KINBIND_VAR",
    "KINBIND_DATABASE_URL",
    "KINBIND_READER_URL",
    "KINBIND_BROKER_URL",
)


@dataclass(frozen=True)
class Addresses:
    """`reader_url` None: views read through `database_url`."""

    database_url: str
    broker_url: str
    reader_url: str | None = None

    def environment(self) -> dict[str, str]:
        """The variables that tell a child process."""
        named = {DATABASE: self.database_url, BROKER: self.broker_url, READER: self.reader_url}
        return {name: url for name, url in named.items() if url}


def var_folder() -> Path:
    """`KINBIND_VAR`, else ./var, as an absolute path; need not exist."""
    return Path(given(VAR) or "var").resolve()


def given(name: str) -> str | None:
    """A setting in the environment, without the white space around it; an empty one is none."""
    return os.environ.get(name, "").strip() or None


def running(var: Path | None = None) -> Addresses | None:
    """The servers to talk to at this moment; None: no URLs are set and no supervisor runs on `var`."""
    database, broker = given(DATABASE), given(BROKER)
    noted = _read(var or var_folder())
    database, broker = database or noted.get("database_url"), broker or noted.get("broker_url")
    if not database or not broker:
        return None
    return Addresses(database, broker, given(READER) or noted.get("reader_url"))


def noted_sandbox() -> bool:
    """Whether the supervisor that runs here is a sandbox."""
    return _read(var_folder()).get("sandbox") is True


def note(var: Path, addresses: Addresses) -> None:
    """Writes down the addresses, and whether it is a sandbox, for other commands here; passwords: this account only."""
    partial = _file(var).with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(asdict(addresses) | {"sandbox": given("KINBIND_SANDBOX") == "1"}))
    partial.replace(_file(var))


def forget(var: Path) -> None:
    _file(var).unlink(missing_ok=True)


def _file(var: Path) -> Path:
    return var / "addresses.json"


def _read(var: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        noted: dict[str, Any] = json.loads(_file(var).read_text())
        return noted
    return {}
