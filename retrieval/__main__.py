"""`python -m retrieval` is `turtleidx`."""

from retrieval.cli import main

if __name__ == "__main__":
    main()
