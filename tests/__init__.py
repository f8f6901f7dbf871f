"""Proof, by kind of evidence: each folder is one kind, and gives its tests the marker of its name."""
