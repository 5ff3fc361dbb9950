"""Visitors who keep a gateway busy, and what each of them may be given while the weights move."""

import threading
from dataclasses import dataclass, field

from client import Closed, Connection, ask_all

BATCH = 64


class InForce:
    """Which of the pushed settings may be in force: from the last that is known to be, to the last that was pushed."""

    def __init__(self, first):
        self.pushed = [first]
        self.known = 0

    def push(self, setting, push):
        self.pushed.append(setting)
        push()
        self.known = len(self.pushed) - 1

    def since(self, known):
        return self.pushed[known:]


@dataclass
class Load:
    """Threads that send batches until they are stopped.

    `batch(thread)` makes requests, each with a function that says what is wrong with its response given the settings that may have been
    in force (None: nothing).
    """

    port: int
    in_force: InForce
    batch: callable
    threads: int = 4
    tls: bool = False
    requests: int = 0
    faults: list = field(default_factory=list)

    def __enter__(self):
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._running = [threading.Thread(target=self._run, args=(at,), daemon=True) for at in range(self.threads)]
        for thread in self._running:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._running:
            thread.join()

    def _run(self, at):
        with Connection(self.port, self.tls) as connection:
            while not self._stop.is_set():
                pairs = self.batch(at)
                known = self.in_force.known
                try:
                    responses = ask_all([connection], [request for request, _ in pairs])
                except (Closed, OSError) as error:
                    self.faults.append(f"{type(error).__name__}: {error}")
                    connection.close()
                    continue
                settings = self.in_force.since(known)
                wrong = [
                    f"{problem}: {request!r} gave {response}"
                    for (request, check), response in zip(pairs, responses)
                    if (problem := check(response, settings))
                ]
                with self._lock:
                    self.requests += len(responses)
                    self.faults += wrong


def misrouted(response):
    """What is wrong with where a request went (None: nothing). An echo_listener says who it is and which header it saw."""
    if response.status != 200:
        return "failed"
    return None if response.value("x-seen") == response.value("x-served-by") else "routed elsewhere than decided"


def rss(envoy):
    """Resident memory of its process, in KiB."""
    with open(f"/proc/{envoy.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def homes(connection, requests):
    """Which subset each of these requests is given, now that nothing moves."""
    served = []
    for at in range(0, len(requests), BATCH):
        for response in ask_all([connection], requests[at : at + BATCH]):
            assert response.status == 200, response
            served.append(response.value("x-served-by"))
    return served
