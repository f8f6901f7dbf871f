"""How fast kinbind is on this machine, as ratios to pgbench on the same."""
