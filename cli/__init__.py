"""The `kinbind` command: a door for those who run the service, and the one who brings it up on this machine."""
