"""Trains turtleidx's own LightGlue on drawn turtles."""
