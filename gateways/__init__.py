"""The windows: the only openings to outside systems, never opened within a transaction of the desk."""
