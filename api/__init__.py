"""The doors for systems: HTTP in, commands to the desk, answers out; no rule lives here."""
