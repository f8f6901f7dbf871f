"""Where the families' documents lie, sealed: a folder here, an object store for a province."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from models.keyring import Keyring, keyring
from models.settings import given

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ABANDONED_SECONDS = 3600


class DocumentMissing(LookupError):
    """There is no document of this id: never put, or deleted."""


class DocumentsAway(OSError):
    """The store cannot be reached, or takes nothing: full, read-only, gone. To try again helps once it is mended."""


class DocumentStore(Protocol):
    """Sealed bytes by our own id; what the family called the file is never part of a path."""

    def put(self, document_id: str, content: bytes) -> None:
        """Keep `content`, durable when this returns; put again, it replaces. Raises `DocumentsAway`, as do all."""

    def get(self, document_id: str) -> bytes:
        """The content, unsealed. Raises `DocumentMissing`, `SealBrokenError`, `KeyUnknownError`."""

    def delete(self, document_id: str) -> None:
        """Forget the content; of an id that is not there, silently (retention runs twice)."""

    def older_than(self, seconds: float, part: int = 0, parts: int = 1) -> Iterator[str]:
        """The ids of documents put longer ago than this (real time); some may have been deleted meanwhile.

        Only those of this `part` of so many `parts`, all of about one size; an id is always in the same one.
        """


class FolderStore:
    """Documents as sealed files under one folder (AES-256-GCM, bound to their id)."""

    def __init__(self, root: Path, keys: Keyring | None = None) -> None:
        """Use `root`, made for its owner alone, and the keyring of the process unless another is given."""
        self._root = root
        self._keys = keys or keyring()
        self._incoming = root / ".incoming"
        root.mkdir(mode=0o700, parents=True, exist_ok=True)  # the mode is the last folder's only
        self._incoming.mkdir(mode=0o700, exist_ok=True)
        self._drop_abandoned()

    def put(self, document_id: str, content: bytes) -> None:
        """Write a temporary file, then rename it: a reader sees all of it or nothing, even after a power cut."""
        target = self._path(document_id)
        sealed = self._keys.seal(content, _context(document_id))
        with _reached():
            self._write(target, sealed)

    def _write(self, target: Path, sealed: bytes) -> None:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=self._incoming)  # 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            Path(beside).replace(target)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
        _sync_folder(self._root)  # the shard's own name, where it is new

    def get(self, document_id: str) -> bytes:
        """Read and unseal."""
        path = self._path(document_id)
        with _reached():
            try:
                sealed = path.read_bytes()
            except FileNotFoundError as missing:
                if not self._root.exists():
                    raise
                raise DocumentMissing(document_id) from missing
        return self._keys.open(sealed, _context(document_id))

    def delete(self, document_id: str) -> None:
        """Unlink, durable when this returns."""
        path = self._path(document_id)
        with _reached():
            path.unlink(missing_ok=True)
            if path.parent.exists():
                _sync_folder(path.parent)

    def older_than(self, seconds: float, part: int = 0, parts: int = 1) -> Iterator[str]:
        """Go through the shards of this part; a file's own time says when it was put."""
        before = time.time() - seconds
        for shard in self._root.glob("s??"):
            if zlib.crc32(shard.name.encode()) % parts != part:
                continue
            for path in shard.iterdir():
                with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                    if _ID.fullmatch(path.name) and path.stat().st_mtime < before:
                        yield path.name

    def _path(self, document_id: str) -> Path:
        # The last two characters of our ids are random, the first ones are time: shards stay even.
        if not _ID.fullmatch(document_id):
            raise ValueError("document ids are 1 to 64 of A-Z a-z 0-9 _ -")
        return self._root / f"s{document_id[-2:].lower()}" / document_id

    def _drop_abandoned(self) -> None:
        # Half-written files of a killed process would otherwise be kept for ever.
        for path in self._incoming.iterdir():
            try:
                if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()
            except FileNotFoundError:
                continue  # another process was faster


def open_documents() -> FolderStore:
    """The store of this process."""
    return FolderStore(documents_folder())


def documents_folder() -> Path:
    """Where documents lie: `KINBIND_DOCUMENTS`, else `documents` in `KINBIND_VAR`."""
    return Path(given("KINBIND_DOCUMENTS") or Path(given("KINBIND_VAR") or "var") / "documents")


@contextlib.contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise DocumentsAway(*fault.args) from fault


def _context(document_id: str) -> str:
    return f"document:{document_id}"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
