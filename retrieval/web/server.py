"""A server on this machine for one person's browser, or on request for others on the same network."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from index.catalog import Catalog
from index.errors import InputError
from retrieval.web.application import application
from retrieval.web.desk import Desk, ReviewOptions
from retrieval.web.guard import Door

LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"


@dataclass(frozen=True, slots=True)
class Opened:
    """Where the page is: the address for this machine, and that for others (None without `--lan`)."""

    address: str
    for_others: str | None


def serve(
    catalog: Path, options: ReviewOptions, tell: Callable[[Opened], None], stop: threading.Event | None = None
) -> None:
    """Serve a catalogue's review page until Ctrl-C, or until `stop`; `tell` is called once the page is there.

    Raises
    ------
    CatalogMissing, InputError
        The port is taken.
    """
    listening = _listening(EVERYWHERE if options.lan else LOOPBACK, options.port)
    with listening:
        port = int(listening.getsockname()[1])
        others = own_address() if options.lan else None
        names = ["127.0.0.1", "localhost", *([others] if others else [])]
        door = Door([f"{name}:{port}" for name in names], f"turtleidx_{port}", options.read_only)
        desk = Desk(Catalog.open(catalog), options, door)
        config = uvicorn.Config(
            application(desk),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=2,
        )
        server = uvicorn.Server(config)
        opened = Opened(
            f"http://127.0.0.1:{port}/?k={door.token}", f"http://{others}:{port}/?k={door.token}" if others else None
        )
        threading.Thread(target=_when_there, args=(server, options, opened, tell), daemon=True).start()
        if stop is not None:
            threading.Thread(target=_end_after, args=(server, stop), daemon=True).start()
        server.run(sockets=[listening])


def _when_there(server: uvicorn.Server, options: ReviewOptions, opened: Opened, tell: Callable[[Opened], None]) -> None:
    pause = threading.Event()
    while not server.started:
        if server.should_exit:
            return
        pause.wait(0.02)
    tell(opened)
    if options.browser:
        webbrowser.open(opened.address)


def _end_after(server: uvicorn.Server, stop: threading.Event) -> None:
    stop.wait()
    server.should_exit = True


def _listening(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except (OSError, OverflowError) as error:
        made.close()
        raise InputError(f"Port {port} cannot be used ({error}); leave --port out for a free one.") from error
    return made


def own_address() -> str | None:
    """This machine's address in the local network; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address of documentation: a datagram socket only chooses a route
            return str(probe.getsockname()[0])
        except OSError:
            return None
