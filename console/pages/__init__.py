"""One file a room: what is shown there, and what may be said."""
