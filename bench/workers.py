"""workers: what one answer costs with several workers, against one worker, and against as many servers of one worker each, in one run.

Were a shared line written per request, several workers would cost more than as many servers that know nothing of each other. The servers have
half of the cores and the load the other half; where there are too few for that, all share all, in every row. See docs/benchmarks.md.
"""
import argparse
import concurrent.futures
import os
import pathlib
import shutil
import sys
import tempfile

import measure
import throwaway_ca
from serve import WARM_S
from store_server import StoreServer

TARGET = 1.1
CONNECTIONS_EACH = 64


def cores(most):
    """(the servers', the load's)"""
    everything = sorted(os.sched_getaffinity(0))
    half = len(everything) // 2
    if half < most:
        return everything, everything
    return everything[half:], everything[:half]


def confine(pids, cpus):
    for pid in measure.tree_of(pids):
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), cpus)
    measure.prefer(pids)


class Row:
    """Servers asked at the same time, by a load generator for each of their workers."""

    def __init__(self, name, servers, load_cpus):
        self.name, self.servers, self.load_cpus, self.rounds = name, servers, load_cpus, []

    def load_one(self, server, seconds):
        arguments = ["--url", f"http://127.0.0.1:{server.port}/", *server.questions, "--get", "--duration", seconds]
        return measure.load([*arguments, "--connections", CONNECTIONS_EACH], cpu=self.load_cpus)

    def load(self, seconds):
        targets = [server for server in self.servers for _ in range(server.workers)]
        with concurrent.futures.ThreadPoolExecutor(len(targets)) as pool:
            return list(pool.map(lambda server: self.load_one(server, seconds), targets))

    def worker_pids(self):
        return [pid for server in self.servers for pid in server.worker_pids()]

    def measure(self, seconds):
        self.load(WARM_S)
        before = {pid: measure.cpu_us([pid]) for pid in self.worker_pids()}
        results = self.load(seconds)
        spent = [measure.cpu_us([pid]) - us for pid, us in before.items()]
        self.rounds.append(
            {
                "us_per_request": sum(spent) / sum(r["right"] for r in results),
                "busiest_share": max(spent) / sum(spent),  # how evenly the kernel spread the connections
                "rate": sum(r["rate"] for r in results),
                "failures": sum(r["failures"] for r in results),
            }
        )

    def median(self, name):
        return measure.median([r[name] for r in self.rounds])

    def ratio_to(self, other):
        """The median of the rounds' own ratios."""
        return measure.median([mine["us_per_request"] / theirs["us_per_request"] for mine, theirs in zip(self.rounds, other.rounds)])


def report(rows):
    lines = []
    for row in rows:
        ratios = [f"{row.ratio_to(rows[0]):.2f}", f"{row.ratio_to(rows[1]):.2f}"]
        cells = [f"{row.median('us_per_request'):.2f}", *ratios, f"{row.median('busiest_share'):.0%}", f"{row.median('rate'):,.0f}"]
        lines.append([row.name, *cells, f"{sum(r['failures'] for r in row.rounds):,}"])
    return measure.table(["GET, one request", "us CPU", "x one worker", "x apart", "busiest worker", "answers/s", "failures"], lines)


def servers_of(folder, options):
    """One worker alone, as many of those as there shall be workers, and one server with all of them; on one store."""
    ca = folder / "ca"
    ca.mkdir()
    throwaway_ca.make(ca, 1)
    counts = [1] * options.workers + [options.workers]
    servers = [StoreServer(folder / str(i), options.certs, ca, workers=n) for i, n in enumerate(counts)]
    servers[0].make()
    for server in servers[1:]:
        server.share(servers[0])
    return servers


def run(folder, options):
    server_cpus, load_cpus = cores(options.workers)
    servers = servers_of(folder, options)
    try:
        for server in servers:
            server.start(cpu=None)
            confine(server.pids(), server_cpus)
        apart, together = servers[:-1], servers[-1:]
        rows = [
            Row("one worker", servers[:1], load_cpus),
            Row(f"{options.workers} servers of one worker, apart", apart, load_cpus),
            Row(f"one server of {options.workers} workers", together, load_cpus),
        ]
        for i in range(options.rounds):
            measure.say(f"round {i + 1} of {options.rounds}")
            for row in rows:
                row.measure(options.seconds)
    finally:
        for server in servers:
            server.stop()
    return rows, {"server": server_cpus, "load": load_cpus}


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench workers", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="20,000 certificates, shorter rounds; for a look, not for a claim")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="how many (2)")
    parser.add_argument("--certs", type=int, help="certificates in each store (1,000,000; 20,000 with --quick)")
    parser.add_argument("--rounds", type=int, help="rounds (7; 3 with --quick)")
    parser.add_argument("--seconds", type=float, help="seconds for each row in a round (3; 1 with --quick)")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    options.certs = options.certs or (20_000 if options.quick else 1_000_000)
    options.rounds = options.rounds or (3 if options.quick else 7)
    options.seconds = options.seconds or (1 if options.quick else 3)
    return options


def main(arguments):
    options = options_of(arguments)
    measure.end_on_sigterm()
    description = measure.describe()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-workers-"))
    try:
        rows, cpus = run(folder, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(report(rows))
    if cpus["server"] == cpus["load"]:
        print(f"servers and load share {len(cpus['load'])} cores, so `x one worker` counts the load's disturbance too; `x apart` does not")
    settings = {"workers": options.workers, "certs": options.certs, "rounds": options.rounds, "seconds": options.seconds, "cpus": cpus}
    ratios = {"to_one_worker": rows[2].ratio_to(rows[0]), "to_apart": rows[2].ratio_to(rows[1])}
    measured = [{"name": row.name, "rounds": row.rounds} for row in rows]
    measure.write_json(options.json, {"bench": "workers", **description, "settings": settings, "target": TARGET, **ratios, "rows": measured})
    return 1 if any(r["failures"] for row in rows for r in row.rounds) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
