"""The tables of the ledger. What is written often is slim; what is looked up is indexed; nothing else is."""

from models.tables import channels, hands, life, staff
from models.tables.base import Xid8, metadata

__all__ = ["Xid8", "channels", "hands", "life", "metadata", "staff"]
