"""Draws sea-turtle heads that never lived: sample photos for the demo and the tests, training pairs for the matcher."""
