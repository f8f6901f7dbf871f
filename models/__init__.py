"""The ledger: tables, sessions and the only commit; knows no rule."""
