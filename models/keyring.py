"""Keys that seal names and numbers, and the blind index by which a sealed number is still found.

Fields are AES-256-GCM: `key id (4 bytes) · nonce (12) · ciphertext and tag`. The blind index is
HMAC-SHA-256 under a key of its own, cut to 128 bits: equal numbers give equal indexes, nothing more.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models.settings import given, in_production

_NONCE = 12
_KEY_ID = 4
_KEY = 32  # bytes
# No person's index is made of these, as that has the form "family:number".
_MARK = b"kinbind keyring, 1"
_SIGNING = b"kinbind signing key, ed25519, 1"


class KeyUnknownError(LookupError):
    """The field was sealed with a key that this keyring does not hold."""


class SealBrokenError(ValueError):
    """The sealed bytes were changed, or belong to another row."""


class KeyringMissingError(RuntimeError):
    """In production there is no keyring: it has to be made once, kept, and copied to every host."""


class KeyringBrokenError(RuntimeError):
    """The keyring's file is broken: cut short, or changed by hand. The message never quotes it."""

    def __init__(self, path: Path) -> None:
        """Say which file it is, and what to do."""
        super().__init__(f"{path} is no keyring; restore it from its backup")


class KeyringUnreadableError(RuntimeError):
    """The keyring's file is there, and this process may not read it, or cannot."""

    def __init__(self, path: Path, fault: OSError) -> None:
        """Say which file it is, and why."""
        super().__init__(f"{path} cannot be read: {fault.strerror}")


class AnotherKeyringError(RuntimeError):
    """The ledger belongs to another keyring."""

    def __init__(self) -> None:
        """Say which file it is, and what to do."""
        way_out = "set KINBIND_VAR or KINBIND_KEYS_FILE to the service's own, or restore its backup"
        super().__init__(f"{keys_file()} is not the keyring of this ledger; {way_out}")


class Sealer:
    """Sealing keys by id, the current one among them."""

    def __init__(self, keys: dict[str, bytes], current: str) -> None:
        """Hold the keys; `keys` maps 4-character ids to 32 bytes each."""
        self._keys = {key_id.encode(): AESGCM(key) for key_id, key in keys.items()}
        self._current = current.encode()

    @property
    def key_ids(self) -> list[str]:
        """Ids of the sealing keys held, for backups to name."""
        return sorted(key_id.decode() for key_id in self._keys)

    @property
    def current(self) -> str:
        """The id of the key that seals now."""
        return self._current.decode()

    def seal(self, text: bytes, context: str) -> bytes:
        """Encrypt `text`, bound to `context` (row and field), so that it opens nowhere else."""
        nonce = os.urandom(_NONCE)
        return self._current + nonce + self._keys[self._current].encrypt(nonce, text, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt what `seal` made for the same `context`.

        Raises `KeyUnknownError` and `SealBrokenError`.
        """
        key_id, nonce = bytes(sealed[:_KEY_ID]), bytes(sealed[_KEY_ID : _KEY_ID + _NONCE])
        key = self._keys.get(key_id)
        if key is None:
            raise KeyUnknownError(key_id.decode(errors="replace"))
        try:
            return key.decrypt(nonce, bytes(sealed[_KEY_ID + _NONCE :]), context.encode())
        except InvalidTag as broken:
            raise SealBrokenError(context) from broken


class Keyring(Sealer):
    """The sealing keys of the house, and its index key."""

    def __init__(self, keys: dict[str, bytes], current: str, index_key: bytes) -> None:
        """Hold the keys, those of the `Sealer` and the one of all that is compared and signed."""
        super().__init__(keys, current)
        self._index_key = index_key

    def fingerprint(self, message: bytes) -> str:
        """A keyed digest, 64 hex characters: a text can be compared with it, but not guessed from it."""
        return hmac.digest(self._index_key, message, hashlib.sha256).hex()

    @property
    def mark(self) -> str:
        """What a ledger knows its keyring by: of the index key alone, which stays whatever sealing keys are added."""
        return self.fingerprint(_MARK)

    def sign(self, message: bytes) -> bytes:
        """Sign (ed25519, 64 bytes) what leaves the house and must be recognised later: exports of the history."""
        return self._signing.sign(message)

    @property
    def public_key(self) -> bytes:
        """The key (32 bytes) that verifies what `sign` has signed; told to whoever must check it."""
        return self._signing.public_key().public_bytes_raw()

    @property
    def _signing(self) -> Ed25519PrivateKey:
        # derived from the index key, which never changes and is backed up: no new keyring is needed for it
        return Ed25519PrivateKey.from_private_bytes(hmac.digest(self._index_key, _SIGNING, hashlib.sha256))

    def person(self, family: str, number: str) -> str:
        """The blind index of a person: 32 hex characters for (document family, normalised number)."""
        message = f"{family}:{number}".encode()
        return hmac.digest(self._index_key, message, hashlib.sha256)[:16].hex()


def make(path: Path) -> None:
    """Write a fresh keyring file, readable by its owner alone; an existing one is left as it is."""
    if path.exists():
        return
    body = {
        "current": "k001",
        "keys": {"k001": base64.b64encode(secrets.token_bytes(_KEY)).decode()},
        "index_key": base64.b64encode(secrets.token_bytes(_KEY)).decode(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written to a temporary file and then linked: processes that start together never read half a file, or two keys.
    with _beside(path, body) as whole, suppress(FileExistsError):
        os.link(whole, path)


def add(path: Path) -> str:
    """Add a sealing key that only opens so far; return its id. Every process must have it before one `use`s it.

    Raises what `read` does, and `OSError` where the file cannot be written.
    """
    ids = read(path).key_ids
    fresh = next(one for number in range(1, 1000) if (one := f"k{number:03}") not in ids)
    body = json.loads(path.read_bytes())
    body["keys"][fresh] = base64.b64encode(secrets.token_bytes(_KEY)).decode()
    _rewrite(path, body)
    return fresh


def use(path: Path, key_id: str) -> None:
    """Seal with this key from now on; what was sealed before is opened with the keys that it names.

    Raises `KeyUnknownError`, what `read` does, and `OSError` where the file cannot be written.
    """
    if key_id not in read(path).key_ids:
        raise KeyUnknownError(key_id)
    _rewrite(path, json.loads(path.read_bytes()) | {"current": key_id})


def _rewrite(path: Path, body: dict[str, Any]) -> None:
    path = path.resolve()  # the file itself: if it replaced a link, other hosts would keep the old keys
    with _beside(path, body) as whole:
        before = path.stat()
        if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(whole, before.st_uid, before.st_gid)  # done by root, and read by the service as before
        whole.chmod(stat.S_IMODE(before.st_mode))
        whole.replace(path)


@contextmanager
def _beside(path: Path, body: dict[str, Any]) -> Iterator[Path]:
    """A temporary file with the whole keyring, durable, for its owner alone; deleted in the end if not renamed."""
    handle, name = tempfile.mkstemp(dir=path.parent)  # 0600
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(body, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def read(path: Path) -> Keyring:
    """Read a keyring file made by `make`.

    Raises `KeyringBrokenError` for one that does not hold all it should, and `KeyringUnreadableError`.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as fault:
        raise KeyringUnreadableError(path, fault) from fault
    try:
        body = json.loads(content)
        keys = {key_id: base64.b64decode(key) for key_id, key in body["keys"].items()}
        current, index_key = body["current"], base64.b64decode(body["index_key"])
        whole = all(len(key_id.encode()) == _KEY_ID and len(key) == _KEY for key_id, key in keys.items())
        if not whole or current not in keys or len(index_key) != _KEY:
            raise KeyringBrokenError(path)
        return Keyring(keys, current, index_key)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise KeyringBrokenError(path) from None


def keys_file() -> Path:
    """Where the keyring lies: `KINBIND_KEYS_FILE`, else `keys.json` in `KINBIND_VAR`."""
    return Path(given("KINBIND_KEYS_FILE") or Path(given("KINBIND_VAR") or "var") / "keys.json")


@lru_cache(maxsize=4)
def _read_cached(path: Path) -> Keyring:
    if in_production() and not path.exists():
        # if each pod made keys for itself, a ledger sealed under them would be lost with the pod
        raise KeyringMissingError(path.name)
    make(path)
    return read(path)


def keyring() -> Keyring:
    """The process's keyring; made on first use where there is none.

    Raises `KeyringBrokenError`, and `KeyringMissingError` in production, where it must have been brought along.
    """
    return _read_cached(keys_file())
