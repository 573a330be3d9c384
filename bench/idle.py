"""idle: what an idle keep-alive connection costs a worker in memory of its own (RssAnon), over cleartext HTTP/1.1.

Every connection asks one question, is answered, and stays. See docs/benchmarks.md.
"""
import argparse
import base64
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


def settled(pid):
    time.sleep(0.5)
    return anon_kb(pid)


def measure_n(server, n):
    """A fresh worker, n connections: RssAnon before, with all open, with all answered, with all closed again."""
    server.start()
    sockets = []
    try:
        [worker] = server.worker_pids()
        requests = requests_of(server)
        first = open_one(server.port, 0)
        ask_each([first], requests)  # what the first request of all allocates is no connection's
        first.close()
        row = {"connections": n, "before_kb": settled(worker)}
        sockets += [open_one(server.port, i) for i in range(n)]
        row["open_kb"] = settled(worker)
        row["answered"] = ask_each(sockets, requests)
        row["idle_kb"] = settled(worker)
        for s in sockets:
            s.close()
        row["closed_kb"] = settled(worker)
        return row
    finally:
        for s in sockets:
            s.close()
        server.stop()


def report(rows):
    lines = []
    for r in rows:
        target = TARGET_MB.get(r["connections"])
        each = (r["idle_kb"] - r["before_kb"]) * 1024 / r["connections"]
        cells = [f"{r[name] / 1000:.1f}" for name in ("before_kb", "open_kb", "idle_kb", "closed_kb")]
        lines.append([f"{r['connections']:,}", *cells, f"{each:,.0f}", f"{target} MB" if target else ""])
    return measure.table(["connections", "none, MB", "open", "answered and idle", "closed", "octets each", "to reach"], lines)


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench idle", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="1,000 and 10,000 connections only")
    parser.add_argument("--connections", type=lambda text: [int(n) for n in text.split(",")], metavar="N,N", help="how many (10000,50000)")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    options.connections = options.connections or ([1_000, 10_000] if options.quick else [10_000, 50_000])
    return options


def as_many_as_allowed(wanted):
    """Each count, or the most this process may have open instead; those instead."""
    counts, lowered = [], []
    for n in wanted:
        if not allow_descriptors(n + SPARE_DESCRIPTORS):
            lowered.append(n)
            n = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_DESCRIPTORS
        counts.append(n)
    return counts, lowered


def run(folder, options):
    """(rows, counts that were lowered)"""
    ca = folder / "ca"
    ca.mkdir()
    throwaway_ca.make(ca, 1)
    counts, lowered = as_many_as_allowed(options.connections)
    server = StoreServer(folder / "store", 10_000, ca, idle_timeout="1h", max_connections=max(counts) + 100)
    server.make()
    return [measure_n(server, n) for n in counts], lowered


def main(arguments):
    options = options_of(arguments)
    measure.end_on_sigterm()
    description = measure.describe()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-idle-"))
    try:
        rows, lowered = run(folder, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(report(rows))
    for n in lowered:
        print(f"not {n:,} but fewer: more descriptors than `ulimit -Hn` allows want CAP_SYS_RESOURCE")
    measure.write_json(options.json, {"bench": "idle", **description, "rows": rows, "lowered": lowered})
    wrong = [r for r in rows if r["answered"] != r["connections"]]
    over = [r for r in rows if r["idle_kb"] / 1000 > TARGET_MB.get(r["connections"], float("inf"))]
    return 1 if wrong or over else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
