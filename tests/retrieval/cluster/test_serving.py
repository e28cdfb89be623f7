"""The server as `turtleidx serve` runs it: a process of its own on a cluster, asked over HTTP, stopped by Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import pytest

from index.catalog.catalog import Catalog
from index.shards.sharding import shard_catalog
from synthetic.samples import SampleSet
from tests.retrieval.shelling import Shell

BOUNDARY = uuid.uuid4().hex


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def multipart(path: Path, side: str) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="side"\r\n\r\n{side}\r\n--{BOUNDARY}\r\n'
    named = f'Content-Disposition: form-data; name="photo"; filename="{path.name}"\r\n\r\n'
    return (head + named).encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()


def asked(address: str, body: bytes | None = None, token: str = "secret") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="several nodes in one machine are for Linux")
def test_users_are_answered_as_on_the_command_line(
    cluster: Any, own: Shell, samples: SampleSet, tmp_path: Path
) -> None:
    shard_catalog(Catalog.open(own.catalog), tmp_path / "shards", 2)
    photo = next(samples.folder / one.photo for one in samples.samples if one.photo.endswith("-2.jpg"))
    told = own("query", photo, "--side", "left", "--matcher", "nearest", "--json").out
    expected = json.loads(told.replace(str(photo), photo.name))
    port = free_port()
    command = [sys.executable, "-m", "retrieval", "--catalog", str(own.catalog), "serve", "--matcher", "nearest"]
    command += ["--cluster", cluster.address, "--shards", str(tmp_path / "shards"), "--port", str(port)]
    server = subprocess.Popen(
        command, env=os.environ | {"TURTLEIDX_TOKEN": "secret"}, stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stderr is not None
        assert "Answering at" in next(line for line in server.stderr if "ing at" in line or "cannot" in line)
        address = f"http://127.0.0.1:{port}"
        assert asked(f"{address}/ready") == (200, {"ready": True, "not_reached": []})
        assert asked(f"{address}/query", multipart(photo, "left"), "guess")[0] == 401
        for _ in range(3):
            status, found = asked(f"{address}/query", multipart(photo, "left"))
            assert (status, found | {"seconds": 0}) == (200, expected | {"seconds": 0})
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 130
        assert server.stderr is not None
        server.stderr.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.5)
    raise AssertionError("the port is still open")
