"""Repairs: what operators do to bindings that no ordinary door was made for; always through the desk's own machine."""
