"""`kinbind simulate`: months of a region's families in minutes, on the real desk; the same seed gives the same end."""
