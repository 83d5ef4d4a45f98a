"""Processes of one run without torchrun, forked from one that has torch loaded already: they start at once."""

import multiprocessing
import os
import socket
from collections.abc import Callable
from typing import Any

_SECONDS = 300


def in_processes(count: int, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What `work(*arguments)` returns or raises in each of `count` processes, which know of one another."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pose2mesh.training.trainer", "torch._dynamo"])
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    lines = [context.Pipe(duplex=False) for _ in range(count)]
    started = [
        context.Process(target=_begin, args=(rank, count, port, line[1], work, arguments), daemon=False)
        for rank, line in enumerate(lines)
    ]
    for process in started:
        process.start()
    try:
        for _, sending in lines:
            sending.close()  # else nobody would notice that the other end has died
        assert all(line[0].poll(_SECONDS) for line in lines)
        return [line[0].recv() for line in lines]
    finally:
        for process in started:
            process.kill()
            process.join()


def _begin(rank: int, count: int, port: int, line: Any, work: Callable[..., Any], arguments: tuple) -> None:
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_RANK": str(rank), **address}
    try:
        line.send(work(*arguments))
    except BaseException as error:
        line.send(error)
