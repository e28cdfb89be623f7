"""The commands of `turtleidx`, imported when they are asked for."""
