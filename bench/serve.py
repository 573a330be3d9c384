"""serve: what one answered request costs the server, in CPU time, beside peers and the floor, all in one run.

The servers live on one CPU and the load on another. Rows are measured in turns, several rounds of them, so that a machine that grows slower
or faster meanwhile does so for all; the median of the rounds counts. Cost = (user + system time of the server's processes) / answers that
were checked to be right. See docs/benchmarks.md.
"""
import argparse
import base64
import pathlib
import random
import shutil
import socket
import sys
import tempfile
import urllib.parse

import measure
import peers
import throwaway_ca
from ocsp_ask import Issuer
from store_server import StoreServer
from tocsin_dir import TocsinDir

ANSWER_TOTAL = 730  # octets of an answer when there is no Tocsin to ask
WARM_S = 0.3
LATENCY_S = 2
N_QUESTIONS = 200_000  # of the store's serials, a random sample


class Row:
    """One line of the table: a server asked in one way."""

    def __init__(self, name, server, arguments, floor=None, connections=64, requests=0):
        self.name = name
        self.server = server
        self.arguments = arguments
        self.floor = floor  # name of the row it is divided by
        self.connections = connections
        self.requests = requests  # 0: as many as fit into the round
        self.rounds = []
        self.warm = False

    def load(self, seconds):
        url = f"http://127.0.0.1:{self.server.port}"
        limit = ["--requests", self.requests] if self.requests and seconds > WARM_S else ["--duration", seconds]
        return measure.load([*self.arguments(url), "--connections", self.connections, *limit])

    def measure(self, seconds):
        if not self.warm:
            self.load(WARM_S)
            self.warm = True
        before = measure.cpu_us(self.server.pids())
        result = self.load(seconds)
        if result is None:
            return
        result["cpu_us"] = measure.cpu_us(self.server.pids()) - before
        result["us_per_request"] = result["cpu_us"] / result["right"] if result["right"] else None
        self.rounds.append(result)

    def measure_latency(self, seconds):
        """Open loop at half of what the row can do at most."""
        url = f"http://127.0.0.1:{self.server.port}"
        rate = self.rate() / 2
        return measure.load([*self.arguments(url), "--connections", self.connections, "--rate", rate, "--duration", seconds])

    def failures(self):
        return sum(r["failures"] for r in self.rounds)

    def cost(self):
        return measure.median([r["us_per_request"] for r in self.rounds if r["us_per_request"] is not None])

    def busy(self):
        """The server's share of its CPU. Below 1 it waited for the load generator, and to be woken costs."""
        return measure.median([r["cpu_us"] / (r["seconds"] * 1e6) for r in self.rounds])

    def rate(self):
        return measure.median([r["rate"] for r in self.rounds])

    def p99(self):
        return measure.median([r["latency_us"]["p99"] for r in self.rounds])


class TocsinServer:
    """Tocsin seen as a peer."""

    name = "tocsin"

    def __init__(self, folder, options):
        measure.say(f"tocsin: {options.certs:,} certificates ({options.key}): making the CA, importing, signing ...")
        self.dir = TocsinDir(folder / "tocsin", options.certs, options.certs // 100, options.key)
        self.port = self.dir.host_port[1]
        self.issuer, self.serials = self.dir.folder / "issuer.pem", self.dir.folder / "serials.txt"

    def ready(self, seconds):
        signed = self.dir.wait_until_signed(seconds)
        self.dir.pin()
        measure.say(f"tocsin: up after {self.dir.up_s:.1f} s, {signed:,} answers signed")

    def pids(self):
        return [self.dir.responder]

    def stop(self):
        self.dir.down()


class MadeServer(StoreServer):
    """The responder over a store of bench/mkstore: where signing that many would take a token too long (RSA). See there what is real."""

    def __init__(self, folder, options):
        ca = folder / "made-ca"
        ca.mkdir()
        throwaway_ca.make(ca, 1, options.key)
        super().__init__(folder / "made", options.certs, ca)
        self.issuer, self.serials = ca / "ca.pem", self.list

    def ready(self, seconds):
        self.make()
        self.start()


def answer_of(port, path):
    """One GET: head and body."""
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        whole = b""
        while piece := s.recv(65536):
            whole += piece
    head, _, body = whole.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", body


def ocsp_path(server):
    """The path of a GET for the first serial of its list."""
    with open(server.serials) as lines:
        serial = lines.readline().split()[0]
    return "/" + urllib.parse.quote(base64.b64encode(Issuer(server.issuer).request(serial)), safe="")


def write_sample(lines, path):
    """So that each run of the load generator need not read a million lines for it."""
    path.write_text("\n".join(random.sample(lines, min(N_QUESTIONS, len(lines)))) + "\n")
    return path


def start_tocsin(folder, options):
    """The server, or None and why not."""
    server = None
    try:
        server = (TocsinServer if options.key == "p256" else MadeServer)(folder, options)
        server.ready(options.sign_timeout)
        return server, None
    except Exception as problem:
        if server:
            server.stop()
        return None, str(problem)


def rows_of_tocsin(server):
    common = ["--issuer", server.issuer, "--list", server.serials]
    return [
        Row("tocsin GET", server, lambda url: ["--url", url + "/", *common, "--get"], "floor GET"),
        Row("tocsin POST", server, lambda url: ["--url", url + "/", *common, "--post"], "floor POST"),
    ]


def rows_of_floor(server, issuer, serials):
    common = ["--issuer", issuer, "--list", serials, "--constant"]
    return [
        Row("floor GET", server, lambda url: ["--url", url + "/", *common, "--get"], "floor GET"),
        Row("floor POST", server, lambda url: ["--url", url + "/", *common, "--post"], "floor POST"),
    ]


def row_of_static(server):
    return Row(f"{server.name} static file", server, lambda url: ["--url", url + "/answer.der", "--static"], "floor GET")


def row_of_ocsp_peer(server, ca, label, **limits):
    common = ["--issuer", ca / "ca.pem", "--list", ca / "serials.txt", "--post"]
    return Row(label, server, lambda url: ["--url", url + "/", *common], "floor POST", **limits)


def pipelined(row, depth):
    more = Row(f"{row.name}, {depth} pipelined", row.server, lambda url: [*row.arguments(url), "--pipeline", depth])
    more.floor = f"{row.floor}, {depth} pipelined"
    return more


def multiplexed(row, streams):
    """The same over cleartext HTTP/2; there is no floor for that: it is divided by h2o."""
    name = f"h2c {streams} stream{'s' if streams > 1 else ''}"
    return Row(
        f"{row.name}, {name}",
        row.server,
        lambda url: [*row.arguments(url), "--h2", "--streams", streams],
        floor=f"h2o static file, {name}",
        connections=8,
    )


class Bench:
    def __init__(self, folder, options):
        self.folder = folder
        self.options = options
        self.ca = folder / "ca"
        self.www = folder / "www"
        self.rows, self.servers, self.skipped, self.versions, self.latencies = [], [], [], {}, []
        self.total, self.body = ANSWER_TOTAL, None
        for path in (self.ca, self.www):
            path.mkdir()
        throwaway_ca.make(self.ca)
        self.issuer, self.serials = self.ca / "ca.pem", self.ca / "serials.txt"

    def wanted(self, name):
        return not self.options.only or name in self.options.only

    def add(self, server, rows):
        self.servers.append(server)
        self.rows += rows
        self.versions[server.name] = server.version() if hasattr(server, "version") else "this tree"

    def add_tocsin(self):
        server, why = start_tocsin(self.folder, self.options)
        if server is None:
            self.skipped.append({"name": "tocsin", "why": why})
            return
        with open(server.serials) as lines:
            server.serials = write_sample(lines.read().splitlines(), self.folder / "sample.txt")
        self.add(server, rows_of_tocsin(server))
        self.issuer, self.serials = server.issuer, server.serials
        head, self.body = answer_of(server.port, ocsp_path(server))
        self.total = len(head) + len(self.body) - len(b"Connection: close\r\n")

    def add_peer(self, kind, make_rows, *more):
        if not self.wanted(kind.name):
            return
        if not kind.path():
            self.skipped.append({"name": kind.name, "why": f"not installed: apt-get install {kind.package}"})
            return
        server = kind(self.folder, self.www, self.ca, *more)
        try:
            server.start()
        except RuntimeError as problem:
            self.skipped.append({"name": kind.name, "why": str(problem)})
            return
        self.add(server, make_rows(server))

    def start(self):
        if self.wanted("tocsin"):
            self.add_tocsin()
        (self.www / "answer.der").write_bytes(self.body or (self.ca / "answer.der").read_bytes())
        self.add_peer(peers.Floor, lambda s: rows_of_floor(s, self.issuer, self.serials), self.total)
        self.add_peer(peers.H2o, lambda s: [row_of_static(s)])
        self.add_peer(peers.Nginx, lambda s: [row_of_static(s)])
        self.add_variants()
        self.add_peer(peers.Cfssl, lambda s: [row_of_ocsp_peer(s, self.ca, "cfssl ocspserve POST", connections=16, requests=2000)])
        self.add_peer(peers.OpensslOcsp, lambda s: [row_of_ocsp_peer(s, self.ca, "openssl ocsp POST, signs each", connections=1, requests=200)])

    def add_variants(self):
        firsts = [row for row in self.rows if not row.name.endswith("POST")]
        if self.options.pipeline:
            self.rows += [pipelined(row, self.options.pipeline) for row in firsts]
        for streams in self.options.h2 or []:
            self.rows += [multiplexed(row, streams) for row in firsts if row.server.name in ("tocsin", "h2o")]

    def measure(self):
        for i in range(self.options.rounds):
            measure.say(f"round {i + 1} of {self.options.rounds}")
            for row in random.sample(self.rows, len(self.rows)):  # whoever came before has left the caches to it
                row.measure(self.options.seconds)
        for row in self.rows if self.options.latency else []:
            if row.rounds and row.server.name in ("tocsin", "h2o") and row.rate() and "pipelined" not in row.name:
                self.latencies.append((row.name, row.measure_latency(LATENCY_S)))

    def stop(self):
        for server in self.servers:
            server.stop()


def ratio(row, rows):
    """Of each round to its own base, which was measured seconds before or after it: the median of those."""
    base = next((r for r in rows if r.name == row.floor), None)
    if not base or len(base.rounds) != len(row.rounds):
        return None
    pairs = [(r["us_per_request"], b["us_per_request"]) for r, b in zip(row.rounds, base.rounds)]
    return measure.median([mine / its for mine, its in pairs if mine and its])


def report(bench):
    lines = []
    for row in bench.rows:
        r, cost = ratio(row, bench.rows), row.cost()
        lines.append(
            [
                row.name,
                f"{cost:.2f}" if cost is not None else "-",
                f"{r:.2f}" if r is not None else "-",
                f"{row.busy():.0%}" if row.rounds else "-",
                f"{row.rate():,.0f}" if row.rounds else "-",
                f"{row.p99():,.0f}" if row.rounds else "-",
                f"{row.failures():,}" if row.rounds else "no run",
            ]
        )
    table = measure.table(["one request", "us CPU", "x base", "busy", "answers/s", "p99 us", "failures"], lines)
    return table + "\nbase: the floor of the same kind; over HTTP/2 h2o"


def report_latencies(bench):
    lines = [
        [name, f"{r['asked_rate']:,.0f}", *[f"{r['latency_us'][q]:,.0f}" for q in ("p50", "p99", "p99.9")], f"{r['failures']:,}"]
        for name, r in bench.latencies
        if r
    ]
    return measure.table(["open loop at half of that", "asked/s", "p50 us", "p99 us", "p99.9 us", "failures"], lines)


def result_of(bench, description):
    options = bench.options
    rows = [
        {
            "name": row.name,
            "server": row.server.name,
            "us_per_request": row.cost(),
            "ratio_to_base": ratio(row, bench.rows),
            "busy": row.busy(),
            "answers_per_second": row.rate(),
            "p99_us": row.p99(),
            "failures": row.failures(),
            "connections": row.connections,
            "rounds": row.rounds,
        }
        for row in bench.rows
    ]
    settings = {"certs": options.certs, "key": options.key, "rounds": options.rounds, "seconds": options.seconds}
    settings |= {"answer_octets": bench.total, "body_octets": (bench.www / "answer.der").stat().st_size}
    return {"bench": "serve", **description, "settings": settings, "versions": bench.versions, "rows": rows, "skipped": bench.skipped} | {
        "open_loop": dict(bench.latencies)
    }


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench serve", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="under a minute: fewer certificates, shorter rounds; for a look, not for a claim")
    parser.add_argument("--certs", type=int, help="certificates in Tocsin's store (1,000,000; 20,000 with --quick)")
    parser.add_argument("--key", choices=["p256", "rsa2048"], default="p256")
    parser.add_argument("--rounds", type=int, help="rounds (25; 5 with --quick)")
    parser.add_argument("--seconds", type=float, help="seconds for each row in a round (0.4)")
    parser.add_argument("--pipeline", type=int, metavar="K", help="rows with K requests pipelined as well; 0: none (16; 0 with --quick)")
    parser.add_argument(
        "--h2",
        type=lambda text: [int(n) for n in text.split(",") if n],
        metavar="N,N",
        help="rows over h2c with so many streams at once; '': none (1,8,32; none with --quick)",
    )
    parser.add_argument("--only", type=lambda text: text.split(","), metavar="NAMES", help="of tocsin,floor,h2o,nginx,cfssl,openssl")
    parser.add_argument("--no-latency", dest="latency", action="store_false", help="not the open loop at half of each saturated rate, afterwards")
    parser.add_argument("--sign-timeout", type=int, default=170, metavar="S", help="how long to wait for the store to be signed (170)")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    options.certs = options.certs or (20_000 if options.quick else 1_000_000)
    options.rounds = options.rounds or (5 if options.quick else 25)
    options.seconds = options.seconds or 0.4
    options.pipeline = options.pipeline if options.pipeline is not None else 0 if options.quick else 16
    options.h2 = options.h2 if options.h2 is not None else [] if options.quick else [1, 8, 32]
    options.latency = options.latency and not options.quick
    return options


def main(arguments):
    options = options_of(arguments)
    measure.end_on_sigterm()
    description = measure.describe()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
    folder.chmod(0o755)
    bench = None
    try:
        bench = Bench(folder, options)
        bench.start()
        bench.measure()
        print(report(bench))
        if bench.latencies:
            print("\n" + report_latencies(bench))
        for skip in bench.skipped:
            print(f"skipped {skip['name']}: {skip['why']}")
        measure.write_json(options.json, result_of(bench, description))
    finally:
        if bench:
            bench.stop()
        shutil.rmtree(folder, ignore_errors=True)
    missing = any(skip["name"] == "tocsin" for skip in bench.skipped)
    return 1 if missing or any(row.failures() or not row.rounds for row in bench.rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
