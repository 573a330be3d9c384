"""attack: the p99 of honest clients while 2,000 connections are held by slowhttptest, against the same without them, in one run.

Honest clients are an open loop at a modest rate, so that their latency is the server's and not their own queue's. See docs/benchmarks.md.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import measure
import throwaway_ca
from store_server import StoreServer

TARGET = 5
ATTACKERS = 2000
HELD_AT_LEAST = 0.75  # of them, all the while, or it was no attack and the round does not count
UP_WITHIN_S = 20
KINDS = {
    "slow headers": ["-H", "-i", "1", "-x", "8"],
    "slow bodies": ["-B", "-i", "1", "-x", "8", "-s", "8192", "-f", "application/ocsp-request"],
    "slow readers": ["-X", "-w", "1", "-y", "2", "-n", "1", "-z", "1", "-k", "3"],
}


def established(port):
    """Connections the server has at the port."""
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "01" for line in lines)


def behind_the_load():
    """On the load's core, but only while the load sleeps: slowhttptest writes to all its connections at once, and a load that waits for it to
    have written would measure that."""
    os.sched_setaffinity(0, {measure.LOAD_CPU})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


class Attack:
    """slowhttptest, until done() ends it."""

    def __init__(self, port, kind, seconds):
        path = "/" if kind != "slow readers" else "/ca/demo-ca.cer"
        command = ["slowhttptest", *KINDS[kind], "-c", ATTACKERS, "-r", ATTACKERS, "-l", seconds, "-p", 5, "-v", 0]
        self.port = port
        command += ["-u", f"http://127.0.0.1:{port}{path}"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([str(part) for part in command], preexec_fn=behind_the_load, **quiet)

    def wait_until_up(self):
        until = time.monotonic() + UP_WITHIN_S
        while established(self.port) < ATTACKERS * 0.95 and time.monotonic() < until:
            time.sleep(0.05)

    def done(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        while established(self.port) > ATTACKERS // 100:
            time.sleep(0.05)


def honest(server, options):
    arguments = ["--url", f"http://127.0.0.1:{server.port}/", *server.questions, "--connections", 32]
    return measure.load([*arguments, "--rate", options.rate, "--duration", options.seconds])


def one_round(server, kind, options):
    """Before, under attack, after."""
    before = honest(server, options)
    attack = Attack(server.port, kind, int(options.seconds) + UP_WITHIN_S + 20)
    try:
        attack.wait_until_up()
        held_at_first = established(server.port)
        during = honest(server, options)
        held = min(held_at_first, established(server.port))
    finally:
        attack.done()
    after = honest(server, options)
    p99 = [row["latency_us"]["p99"] for row in (before, during, after)]
    return {
        "held": held,
        "p99_us": p99,
        "ratio": p99[1] / ((p99[0] + p99[2]) / 2),
        "failures": sum(row["failures"] for row in (before, during, after)),
    }


def that_count(rounds):
    return [r for r in rounds if r["held"] >= ATTACKERS * HELD_AT_LEAST]


def is_weak(rounds):
    return 2 * len(that_count(rounds)) <= len(rounds)


def report(rows):
    lines = []
    for kind, rounds in rows.items():
        rounds = rounds if is_weak(rounds) else that_count(rounds)
        p99 = [measure.median([r["p99_us"][i] for r in rounds]) for i in range(3)]
        ratio = measure.median([r["ratio"] for r in rounds])
        held = min(r["held"] for r in rounds)
        lines.append([kind, f"{held:,}", *[f"{us:,.0f}" for us in p99], f"{ratio:.2f}", str(sum(r["failures"] for r in rounds))])
    return measure.table(["attack", "held", "p99 us before", "meanwhile", "after", "times", "failures"], lines)


def run(folder, options):
    ca = folder / "ca"
    ca.mkdir()
    throwaway_ca.make(ca, 1)
    server = StoreServer(folder / "store", 100_000, ca, header_timeout="5m", write_timeout="5m")
    rows = {kind: [] for kind in KINDS}
    try:
        server.make()
        server.start()
        honest(server, options)
        for i in range(options.rounds):
            measure.say(f"round {i + 1} of {options.rounds}")
            for kind in KINDS:
                rows[kind].append(one_round(server, kind, options))
    finally:
        server.stop()
    return rows


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench attack", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round; for a look, not for a claim")
    parser.add_argument("--rounds", type=int, help="rounds (5; 1 with --quick)")
    parser.add_argument("--seconds", type=float, help="seconds for each measurement (3; 2 with --quick)")
    parser.add_argument("--rate", type=float, default=2000, help="questions of honest clients, a second (2000)")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (2 if options.quick else 3)
    return options


def main(arguments):
    options = options_of(arguments)
    measure.end_on_sigterm()
    if not shutil.which("slowhttptest"):
        raise SystemExit("bench: not installed: apt-get install slowhttptest")
    description = measure.describe()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-attack-"))
    try:
        rows = run(folder, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(report(rows))
    print(f"times: p99 meanwhile over the mean of before and after; to reach: at most {TARGET}")
    settings = {"attackers": ATTACKERS, "rate": options.rate, "rounds": options.rounds, "seconds": options.seconds}
    measure.write_json(options.json, {"bench": "attack", **description, "settings": settings, "target": TARGET, "rows": rows})
    weak = [kind for kind, rounds in rows.items() if is_weak(rounds)]
    for kind in weak:
        print(f"{kind}: the attack did not hold its connections in most rounds, so its row tells nothing")
    return 1 if weak or any(r["failures"] for rounds in rows.values() for r in rounds) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
