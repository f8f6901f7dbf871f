"""All windows of one process, opened once at its start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateways.documents import DocumentStore, open_documents
from gateways.sandbox.faces import SandboxFaces
from gateways.sandbox.registries import SandboxRegistries
from models.settings import sandbox

if TYPE_CHECKING:
    from gateways.faces import FaceProvider
    from gateways.registries import Registries
    from gateways.sandbox import Pool


class NotConfigured(Exception):
    """The windows cannot be opened; the message names each that has no adapter and what to set."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Every opening to the outside: face providers by name, the registries, the documents."""

    faces: dict[str, FaceProvider]
    registries: Registries
    documents: DocumentStore


def open_windows(pool: Pool) -> Windows:
    """Open the stand-ins when `KINBIND_SANDBOX=1`; refuse otherwise, for no real adapter is written yet.

    `pool` gives autocommit connections, apart from those of the desk. Raises `NotConfigured` and `SettingWrong`.
    """
    if not sandbox():
        raise NotConfigured(
            "no face provider and no registries are configured, and no adapter to real ones is written yet; "
            "`kinbind up --sandbox` (or KINBIND_SANDBOX=1) runs on stand-ins, never in production"
        )
    faces = SandboxFaces(pool)
    return Windows({faces.name: faces}, SandboxRegistries(pool), open_documents())
