"""The servers that kinbind brings along, and the one who keeps everything running."""
