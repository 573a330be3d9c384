"""crl: what a CRL of 100 MB costs that 1,000 readers take a little at a time: memory of the worker's own, of its sockets, CPU per MB.

Beside nginx, which sends the same file with sendfile to the same readers, and while honest clients ask OCSP. See docs/benchmarks.md.
"""
import argparse
import json
import mmap
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import measure
import peers
import throwaway_ca
from idle import allow_descriptors, anon_kb
from store_server import LABEL, StoreServer

ENTRY_OCTETS = 49  # mkcrl's
PATH = f"/crl/{LABEL}.crl"
TARGET_EACH = 4096  # octets of RssAnon for a cleartext reader: what a connection costs, and nothing of the file
RECEIVE_BUFFER = 16 * 1024
PIECE = 8 * 1024  # each reader takes this much, four times a second
PERIOD_S = 0.25
TICK_S = 0.1
WARM_S = 1
NGINX_CONF = peers.NGINX_CONF.replace("sendfile off", "sendfile on").replace("access_log off;", "access_log off; tcp_nopush on;")


class Nginx(peers.Nginx):
    def command(self):
        return [self.path(), "-p", self.folder, "-c", self.write_conf(NGINX_CONF)]

    def worker(self):
        [worker] = [pid for pid in measure.tree_of(self.pids()) if pid != self.process.pid]
        return worker


class Tocsin(StoreServer):
    def worker(self):
        [worker] = self.worker_pids()
        return worker


def make_crl(server, megabytes):
    (server.folder / "crl").mkdir()
    n = int(megabytes * 1e6 / ENTRY_OCTETS) + 1
    arguments = [server.store, server.folder / "crl", LABEL, n, server.ca / "ca.pem", server.ca / "ca.key"]
    done = subprocess.run([str(a) for a in [measure.built("mkcrl"), *arguments]], stdout=subprocess.PIPE, text=True, check=True)
    made = json.loads(done.stdout)
    measure.say(f"a CRL of {made['entries']:,} entries, {made['octets'] / 1e6:,.1f} MB")
    return server.folder / "crl" / made["file"], made


# ---- readers ----


class Reader:
    """Takes the body a piece at a time, and holds it to the file."""

    def __init__(self, port, content, tls=None, receive_buffer=None):
        s = socket.socket()
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.settimeout(20)
        s.connect(("127.0.0.1", port))
        self.socket = tls.wrap_socket(s) if tls else s
        self.content, self.at, self.head, self.is_wrong, self.is_over = content, 0, b"", False, False
        self.socket.sendall(f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())

    def take(self, n):
        """Octets of the body that came, if any are there."""
        try:
            data = self.socket.recv(n)
        except (BlockingIOError, ssl.SSLWantReadError):
            return 0
        except OSError:
            data = b""
        if not data:
            self.is_over = True
            return 0
        if self.at == 0:
            self.head += data
            head, mark, data = self.head.partition(b"\r\n\r\n")
            self.is_wrong |= bool(mark) and not head.startswith(b"HTTP/1.1 200 ")
        self.is_wrong |= data != self.content[self.at : self.at + len(data)]
        self.at += len(data)
        return len(data)


class Crowd(threading.Thread):
    """Many readers, each of which takes a piece each PERIOD_S until stop()."""

    def __init__(self, port, content, n, tls):
        super().__init__(daemon=True)
        self.readers = []
        for _ in range(n):
            reader = Reader(port, content, tls, RECEIVE_BUFFER)
            reader.socket.setblocking(False)
            self.readers.append(reader)
        self.taken, self.is_stopping = 0, False

    def run(self):
        due = time.monotonic()
        while not self.is_stopping:
            for i, reader in enumerate(self.readers):
                self.taken += reader.take(PIECE)
                if i % 50 == 49:
                    due += PERIOD_S * 50 / len(self.readers)
                    time.sleep(max(0, due - time.monotonic()))

    def stop(self):
        self.is_stopping = True
        self.join()
        for reader in self.readers:
            reader.socket.close()

    def failures(self):
        return sum(reader.is_wrong or reader.is_over or reader.at == 0 for reader in self.readers)


def read_whole(port, content, tls):
    """One that takes what it can get; False: not the file."""
    reader = Reader(port, content, tls)
    while reader.at < len(content) and not reader.is_over:
        reader.take(1 << 18)
    reader.socket.close()
    return reader.at == len(content) and not reader.is_wrong


# ---- figures ----


def socket_pages():
    """What TCP's memory limit counts, in pages: pages of the page cache that wait in a socket count as well."""
    line = next(line for line in pathlib.Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:"))
    return int(line.split()[line.split().index("mem") + 1])


class Peaks(threading.Thread):
    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.anon_kb, self.pages, self.is_stopping = pid, 0, 0, False

    def run(self):
        while not self.is_stopping:
            self.anon_kb = max(self.anon_kb, anon_kb(self.pid))
            self.pages = max(self.pages, socket_pages())
            time.sleep(TICK_S)

    def stop(self):
        self.is_stopping = True
        self.join()


def cpu_us(pid):
    """Of one thread, finer than /proc/PID/stat's hundredths of a second: slow readers cost little."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1000


def octets_written(pid):
    """To files and sockets, by sendfile, too: what a reader did not take yet is in it."""
    lines = pathlib.Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("wchar:")).split()[1])


class Spent:
    """CPU and octets of a process since it was made."""

    def __init__(self, pid):
        self.pid, self.us, self.octets = pid, cpu_us(pid), octets_written(pid)

    def so_far(self):
        return {"us": cpu_us(self.pid) - self.us, "mb": (octets_written(self.pid) - self.octets) / 1e6}


def honest(server, options, seconds=None):
    arguments = ["--url", f"http://127.0.0.1:{server.port}/", *server.questions, "--connections", 16, "--rate", options.rate]
    return measure.load([*arguments, "--duration", seconds or options.seconds])


def measure_crowd(server, port, content, tls, options):
    """The crowd alone, then with honest clients if it is a responder."""
    pid = server.worker()
    row = {"before_kb": anon_kb(pid), "before_pages": socket_pages()}
    peaks, spent = Peaks(pid), Spent(pid)
    crowd = Crowd(port, content, options.readers, tls)
    peaks.start()
    crowd.start()
    time.sleep(options.seconds)
    row |= {"slow": spent.so_far(), "taken_mb": crowd.taken / 1e6}
    if isinstance(server, Tocsin) and not tls:
        row["honest"] = honest(server, options)
    peaks.stop()
    row |= {"failures": crowd.failures(), "peak_kb": peaks.anon_kb, "peak_pages": peaks.pages}
    crowd.stop()
    return row


def measure_fast(server, port, content, tls, options):
    spent = Spent(server.worker())
    right = [read_whole(port, content, tls) for _ in range(options.downloads)]
    return {"fast": spent.so_far(), "wrong": right.count(False)}


def measure_row(server, port, content, tls, options):
    read_whole(port, content, tls)  # what the first request of all allocates is no reader's; and it is in the page cache
    row = measure_fast(server, port, content, tls, options)
    return row | measure_crowd(server, port, content, tls, options)


def cells(row, options):
    each = (row["peak_kb"] - row["before_kb"]) * 1024 / options.readers
    sockets = (row["peak_pages"] - row["before_pages"]) * 4096 / options.readers
    return [
        f"{row['before_kb'] / 1000:.1f}",
        f"{row['peak_kb'] / 1000:.1f}",
        f"{each:,.0f}",
        f"{sockets / 1000:,.0f}",
        f"{row['slow']['mb']:,.0f}",
        f"{row['taken_mb']:,.0f}",
        f"{row['slow']['us'] / row['slow']['mb']:,.0f}",
        f"{row['fast']['us'] / row['fast']['mb']:,.0f}",
        str(row["failures"] + row["wrong"]),
    ]


def report(rows, options):
    columns = ["", "anon none, MB", "anon peak", "octets each", "socket kB each", "MB sent", "MB taken", "us/MB slow", "us/MB fast", "failures"]
    columns[0] = f"{options.readers:,} readers of {options.megabytes} MB"
    return measure.table(columns, [[name, *cells(row, options)] for name, row in rows.items()])


# ---- the run ----


def client_tls():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return tls


def measure_nginx(folder, ca, file, content, options):
    if not Nginx.path():
        measure.say(f"skipped: nginx ({Nginx.package})")
        return {}
    www = folder / "www"
    (www / "crl").mkdir(parents=True)
    shutil.copy(file, www / PATH[1:])
    server = Nginx(folder, www, ca)
    try:
        server.start()
        return {"nginx, sendfile": measure_row(server, server.port, content, None, options)}
    finally:
        server.stop()


def measure_tocsin(server, content, tls_port, options):
    rows, before = {}, None
    try:
        server.start()
        honest(server, options, WARM_S)
        before = honest(server, options)
        rows["tocsin"] = measure_row(server, server.port, content, None, options)
        rows["tocsin, TLS"] = measure_row(server, tls_port, content, client_tls(), options)
    finally:
        server.stop()
    return rows, before


def run(folder, options):
    ca = folder / "ca"
    ca.mkdir()
    throwaway_ca.make(ca, 1)
    tls_port = measure.free_port(first=18400, last=18499)
    more = {"tls_listen": f'["127.0.0.1:{tls_port}"]', "tls_certificate": ca / "ca.pem", "tls_key": ca / "ca.key"}
    server = Tocsin(folder / "store", 10_000, ca, max_connections=options.readers + 100, **more)
    server.make()
    file, made = make_crl(server, options.megabytes)
    measure.take_cpu(measure.LOAD_CPU)
    with open(file, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as content:
        rows, before = measure_tocsin(server, content, tls_port, options)
        rows |= measure_nginx(folder, ca, file, content, options)
    return rows, before, made


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench crl", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="200 readers of 20 MB, shorter; for a look, not for a claim")
    parser.add_argument("--readers", type=int, help="slow readers (1,000; 200 with --quick)")
    parser.add_argument("--megabytes", type=int, help="size of the CRL (100; 20 with --quick)")
    parser.add_argument("--seconds", type=float, help="seconds for each measurement (10; 3 with --quick)")
    parser.add_argument("--downloads", type=int, default=5, help="by one fast reader (5)")
    parser.add_argument("--rate", type=float, default=1000, help="questions of honest clients, a second (1000)")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    options.readers = options.readers or (200 if options.quick else 1000)
    options.megabytes = options.megabytes or (20 if options.quick else 100)
    options.seconds = options.seconds or (3 if options.quick else 10)
    return options


def main(arguments):
    options = options_of(arguments)
    measure.end_on_sigterm()
    if not allow_descriptors(options.readers + 500):
        raise SystemExit("bench: more descriptors than `ulimit -Hn` allows")
    description = measure.describe()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-crl-"))
    folder.chmod(0o755)
    try:
        rows, before, made = run(folder, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(report(rows, options))
    meanwhile = rows["tocsin"]["honest"]
    print(f"honest clients, p99 us: {before['latency_us']['p99']:,.0f} before, {meanwhile['latency_us']['p99']:,.0f} meanwhile")
    settings = {name: getattr(options, name) for name in ("readers", "megabytes", "seconds", "downloads", "rate")}
    measure.write_json(options.json, {"bench": "crl", **description, "settings": settings, "crl": made, "before": before, "rows": rows})
    each = (rows["tocsin"]["peak_kb"] - rows["tocsin"]["before_kb"]) * 1024 / options.readers
    failures = sum(row["failures"] + row["wrong"] for row in rows.values()) + before["failures"] + meanwhile["failures"]
    print(f"RssAnon for each cleartext reader: {each:,.0f} octets; to reach: at most {TARGET_EACH:,}")
    return 1 if failures or each > TARGET_EACH else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
