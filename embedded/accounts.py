"""Under which account PostgreSQL runs, which refuses to be root, and to be a number without a name.

As root it is run as `nobody`; where that is not allowed (a container without CAP_SETUID), in a user
namespace in which we look like an ordinary user; else not at all. A user whom the system does not know
(`docker run --user 1234`) gets the namespace too.
"""

import ctypes
import functools
import os
import pwd
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
OTHERS_MAY_ENTER = 0o001

# Loaded here, since nothing may be loaded between fork and exec.
_libc = ctypes.CDLL(None, use_errno=True)
_ON_LINUX = sys.platform == "linux"


class NoAccount(RuntimeError):
    """PostgreSQL refuses to be who we are, and no other account can be had."""


@dataclass(frozen=True)
class Account:
    """`name` is the system account to change to, None to stay; `namespace` means a user namespace."""

    name: str | None = None
    namespace: bool = False

    def popen_arguments(self) -> dict[str, Any]:
        """What Popen needs to change to this account."""
        if self.namespace:
            _ordinary_user()  # read now, and remembered: nothing may be read after the fork
        if self.name is None:
            return {}
        return {"user": self.name, "group": pwd.getpwnam(self.name).pw_gid, "extra_groups": []}

    def enter(self) -> None:
        """Between fork and exec: the part that Popen cannot do."""
        if self.namespace:
            _enter_namespace(_ordinary_user())

    def own(self, path: Path) -> None:
        """Hands a file or folder over to this account."""
        if self.name is not None:
            entry = pwd.getpwnam(self.name)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def can_reach(self, path: Path) -> bool:
        """Whether every folder above `path` lets this account through."""
        if self.name is None:
            return True
        above = (folder for folder in path.resolve().parents if folder.exists())
        return all(folder.stat().st_mode & OTHERS_MAY_ENTER for folder in above)


@functools.cache
def _ordinary_user() -> int:
    """Any that the system knows by name, save root; what it is called does not matter."""
    return min((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0), default=0)


def _enter_namespace(inside: int) -> None:
    uid, gid = os.geteuid(), os.getegid()
    if _libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "no user namespace")
    # The order is the kernel's: groups may be mapped only once setgroups is given up.
    for file, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{inside} {uid} 1"),
        ("gid_map", f"{inside} {gid} 1"),
    ):
        Path("/proc/self", file).write_text(text)


def die_with(parent: int, with_signal: signal.Signals) -> None:
    """Between fork and exec: asks the kernel to send `with_signal` when the parent dies.

    "Parent" is the *thread* that started us, so servers are started from a thread that stays.
    A change of account clears the request: it comes after Account.enter.
    """
    if _ON_LINUX:
        _libc.prctl(PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0)
    if os.getppid() != parent:  # it died before we could ask
        os._exit(1)


def _works(account: Account) -> bool:
    try:
        arguments = account.popen_arguments()
        subprocess.run(["/bin/sh", "-c", ":"], check=True, cwd="/", preexec_fn=account.enter, **arguments)
    except (OSError, KeyError, LookupError, subprocess.SubprocessError):
        return False
    return True


@functools.cache
def server_account() -> Account:
    """The account for a server that refuses root. Raises NoAccount."""
    if os.geteuid() == 0:
        candidates = [Account(name="nobody"), Account(namespace=True)]
    elif _is_known(os.geteuid()):
        return Account()
    else:
        candidates = [Account(namespace=True)]
    for account in candidates:
        if (_ON_LINUX or not account.namespace) and _works(account):
            return account
    raise NoAccount(
        "PostgreSQL runs neither as root nor as a user without a name, and here we can neither become "
        "`nobody` nor make a user namespace. Start kinbind as an ordinary user, or set KINBIND_DATABASE_URL."
    )


def _is_known(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
