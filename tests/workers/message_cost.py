"""What a message between a model's process and the launcher costs: ``python -m tests.workers.message_cost``.

Prints JSON: for each message its ``bytes`` and the microseconds to make bytes of it (``encode_us``), to read
them (``decode_us``), and for the whole way through the pipe, both sides' work together (``way_us``); each the
median of 5 rounds.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from collections.abc import Callable

from launcher.messages import ChatRequest, Chunk, Message, Usage
from launcher.workers.message_pipe import MessagePipe, message_pipe
from launcher.workers.protocol import Ask, FromWorker, Heartbeat, Said, ToWorker
from launcher.workers.wire import FROM_WORKER_BYTES, from_worker, to_bytes, to_worker

ROUNDS, EACH = 5, 20_000

LONG = ChatRequest(tuple(Message(role, "word " * 200) for role in ("user", "assistant") * 20))
SAID: dict[str, FromWorker] = {
    "a word": Said(12, Chunk(" word")),
    "an end": Said(12, Chunk("", "stop", Usage(1024, 256, 512, 0.05, 4.5))),
    "a heartbeat": Heartbeat(),
}
ASKED: dict[str, ToWorker] = {"a question after 40 turns": Ask(12, LONG)}


def microseconds(work: Callable[[], object], times: int) -> float:
    def once() -> float:
        begun_s = time.perf_counter()
        for _ in range(times):
            work()
        return (time.perf_counter() - begun_s) / times * 1e6

    return round(statistics.median(once() for _ in range(ROUNDS)), 2)


def way_us(message: FromWorker) -> float:
    """EACH messages at a time through the pipe, from a thread that sends to one that reads."""
    ours, end = message_pipe(FROM_WORKER_BYTES)
    theirs = MessagePipe(end, FROM_WORKER_BYTES)

    def send() -> None:
        for _ in range(EACH):
            theirs.send(to_bytes(message))

    def cross() -> None:
        sender = threading.Thread(target=send)
        sender.start()
        left = EACH
        while left:
            if (data := ours.receive()) is not None:
                from_worker(data)
                left -= 1
        sender.join()

    taken_us = round(microseconds(cross, 1) / EACH, 2)
    ours.close()
    theirs.close()
    return taken_us


def main() -> None:
    costs = {}
    for name, said in SAID.items():
        data = to_bytes(said)
        costs[name] = {
            "bytes": len(data),
            "encode_us": microseconds(lambda said=said: to_bytes(said), EACH),
            "decode_us": microseconds(lambda data=data: from_worker(data), EACH),
            "way_us": way_us(said),
        }
    for name, asked in ASKED.items():
        data = to_bytes(asked)
        costs[name] = {
            "bytes": len(data),
            "encode_us": microseconds(lambda asked=asked: to_bytes(asked), EACH // 20),
            "decode_us": microseconds(lambda data=data: to_worker(data), EACH // 20),
        }
    json.dump(costs, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
