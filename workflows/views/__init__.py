"""What is shown of bindings: read-only, masked by default, and the same words at every door."""
