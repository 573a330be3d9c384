"""idle: what an idle keep-alive connection costs a worker in memory of its own (RssAnon), over cleartext HTTP/1.1.

Every connection asks one question, is answered, and stays. Where one process may not have so many descriptors there are several workers, and
several processes that hold the other ends. See docs/benchmarks.md.
"""
import argparse
import base64
import multiprocessing
import pathlib
import resource
import shutil
import socket
import sys
import tempfile
import time
import urllib.parse

import measure
import throwaway_ca
from ocsp_ask import Issuer
from store_server import StoreServer

TARGET_MB = {10_000: 40}
FROM_EACH_ADDRESS = 20_000  # a source address has some 28,000 ports
SPARE_DESCRIPTORS = 2_000
AT_ONCE = 500
IP_BIND_ADDRESS_NO_PORT = 24  # the port is chosen when connecting, which does not slow down with each one taken


def allow_descriptors(n):
    """May this process, and what it starts, open so many? Root may raise the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= n:
        return True
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (n, max(n, hard)))
        return True
    except (ValueError, OSError):
        return False


def anon_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise RuntimeError("no RssAnon in this kernel's /proc/PID/status")


def open_one(port, i):
    s = socket.socket()
    s.settimeout(20)
    s.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    s.bind((f"127.0.0.{1 + i // FROM_EACH_ADDRESS}", 0))
    s.connect(("127.0.0.1", port))
    return s


def is_answered(s):
    """Reads one answer whole; is it a 200?"""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = s.recv(65536)
        if not piece:
            return False
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1])
    while len(body) < length:
        body += s.recv(65536)
    return head.split(b" ", 2)[1] == b"200"


def ask_each(sockets, requests):
    """One question on each, many at a time; how many were answered."""
    right = 0
    for at in range(0, len(sockets), AT_ONCE):
        some = sockets[at : at + AT_ONCE]
        for i, s in enumerate(some):
            s.sendall(requests[(at + i) % len(requests)])
        right += sum(is_answered(s) for s in some)
    return right


def requests_of(server):
    issuer = Issuer(server.ca / "ca.pem")
    made = []
    for line in server.list.read_text().splitlines()[:1000]:
        path = urllib.parse.quote(base64.b64encode(issuer.request(line.split()[0])), safe="")
        made.append(f"GET /{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return made


def hold(pipe, port, numbers, requests):
    """A process, until it is killed: each word that comes through the pipe is done, then answered."""
    sockets = []
    while True:
        word = pipe.recv()
        if word == "open":
            sockets += [open_one(port, i) for i in numbers]
            pipe.send(len(sockets))
        elif word == "ask":
            pipe.send(ask_each(sockets, requests))
        elif word == "close":
            for s in sockets:
                s.close()
            pipe.send(len(sockets))


class Holders:
    """The clients' ends of n connections, in so many processes."""

    def __init__(self, port, n, n_processes, requests):
        self.pipes, self.processes = [], []
        for i in range(n_processes):
            ours, theirs = multiprocessing.Pipe()
            numbers = range(n * i // n_processes, n * (i + 1) // n_processes)
            self.processes.append(multiprocessing.Process(target=hold, args=(theirs, port, numbers, requests), daemon=True))
            self.processes[-1].start()
            theirs.close()
            self.pipes.append(ours)

    def all(self, word):
        """The sum of their answers; EOFError if one has died."""
        for pipe in self.pipes:
            pipe.send(word)
        return sum(pipe.recv() for pipe in self.pipes)

    def end(self):
        for process in self.processes:
            process.kill()
            process.join()


def settled(workers):
    time.sleep(0.5)
    return sum(anon_kb(pid) for pid in workers)


def measure_n(server, n, n_processes):
    """Fresh workers, n connections: RssAnon before, with all open, with all answered, with all closed again."""
    server.workers = n_processes
    server.start(cpu=None)
    requests = requests_of(server)
    holders = Holders(server.port, n, n_processes, requests)
    try:
        workers = server.worker_pids()
        for _ in range(20 * n_processes):  # what the first request of all allocates is no connection's
            with open_one(server.port, 0) as first:
                ask_each([first], requests)
        row = {"connections": n, "workers": n_processes, "before_kb": settled(workers)}
        holders.all("open")
        row["open_kb"] = settled(workers)
        row["answered"] = holders.all("ask")
        row["idle_kb"] = settled(workers)
        holders.all("close")
        row["closed_kb"] = settled(workers)
        return row
    finally:
        holders.end()
        server.stop()


def report(rows):
    lines = []
    for r in rows:
        target = TARGET_MB.get(r["connections"])
        each = (r["idle_kb"] - r["before_kb"]) * 1024 / r["connections"]
        cells = [f"{r[name] / 1000:.1f}" for name in ("before_kb", "open_kb", "idle_kb", "closed_kb")]
        lines.append([f"{r['connections']:,}", str(r["workers"]), *cells, f"{each:,.0f}", f"{target} MB" if target else ""])
    return measure.table(["connections", "workers", "none, MB", "open", "answered and idle", "closed", "octets each", "to reach"], lines)


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench idle", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="1,000 and 10,000 connections only")
    parser.add_argument("--connections", type=lambda text: [int(n) for n in text.split(",")], metavar="N,N", help="how many (10000,50000)")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    options.connections = options.connections or ([1_000, 10_000] if options.quick else [10_000, 50_000])
    return options


def processes_for(n):
    """How many it takes to have so many open."""
    if allow_descriptors(n + SPARE_DESCRIPTORS):
        return 1
    return -(-n // (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_DESCRIPTORS))


def run(folder, options):
    ca = folder / "ca"
    ca.mkdir()
    throwaway_ca.make(ca, 1)
    server = StoreServer(folder / "store", 10_000, ca, idle_timeout="1h", max_connections=max(options.connections) + 100)
    server.make()
    return [measure_n(server, n, processes_for(n)) for n in options.connections]


def main(arguments):
    options = options_of(arguments)
    measure.end_on_sigterm()
    description = measure.describe()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-idle-"))
    try:
        rows = run(folder, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(report(rows))
    measure.write_json(options.json, {"bench": "idle", **description, "rows": rows})
    wrong = [r for r in rows if r["answered"] != r["connections"]]
    for r in wrong:
        print(f"of {r['connections']:,} connections {r['answered']:,} were answered")
    over = [r for r in rows if r["idle_kb"] / 1000 > TARGET_MB.get(r["connections"], float("inf"))]
    return 1 if wrong or over else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
