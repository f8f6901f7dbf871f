"""The desk: the machine, its deadlines, the engine, the commands and the read-only views."""
