"""growth: what one answer costs among 50 million certificates, against the same among one million, both in one run.

Two stores made by bench/mkstore (all signed; see there which signatures are real), a worker for each, asked in turns with the same number of
distinct serials. Before anything is measured each store is asked as many questions as it has serials asked, so that what they touch is
mapped. See docs/benchmarks.md.
"""
import argparse
import pathlib
import shutil
import sys
import tempfile

import measure
import throwaway_ca
from serve import Row
from store_server import StoreServer

TARGET = 1.3
ASKED = 1_000_000
OCTETS_EACH = 125  # of disk for a record


def rows_of(server, asked):
    common = [*server.questions, "--questions", asked]
    return [
        Row(f"{server.certs:,} certificates, {kind.upper()}", server, lambda url, kind=kind: ["--url", url + "/", *common, "--" + kind])
        for kind in ("get", "post")
    ]


def touch_all(row, asked):
    """Every question once, by GET."""
    url = f"http://127.0.0.1:{row.server.port}"
    result = measure.load([*row.arguments(url), "--connections", 64, "--requests", asked])
    row.warm = True
    return result and result["failures"] == 0


def growths(rows):
    """Cost among many over cost among few: the median of the rounds' own ratios, for each method."""
    half = len(rows) // 2
    found = {}
    for few, many in zip(rows[:half], rows[half:]):
        each = [b["us_per_request"] / a["us_per_request"] for a, b in zip(few.rounds, many.rounds)]
        found[few.name.rsplit(" ", 1)[1]] = {"growth": measure.median(each), "each_round": each}
    return found


def report(rows, found):
    lines = []
    for row in rows:
        growth = found[row.name.rsplit(" ", 1)[1]]["growth"] if row in rows[len(rows) // 2 :] else 1
        lines.append([row.name, f"{row.cost():.2f}", f"{growth:.2f}", f"{row.rate():,.0f}", f"{row.failures():,}"])
    return measure.table(["one request", "us CPU", "growth", "answers/s", "failures"], lines)


def run(folder, options):
    ca = folder / "ca"
    ca.mkdir()
    throwaway_ca.make(ca, 1)
    servers = [StoreServer(folder / str(certs), certs, ca, ASKED) for certs in options.certs]
    asked = min(ASKED, *options.certs)
    try:
        for server in servers:
            server.make()
            server.start()
        rows = [row for server in servers for row in rows_of(server, asked)]
        measure.say("asking everything once ...")
        whole = all([touch_all(row, asked) for row in rows])
        for i in range(options.rounds):
            measure.say(f"round {i + 1} of {options.rounds}")
            for row in (r for pair in zip(rows[: len(rows) // 2], rows[len(rows) // 2 :]) for r in pair):
                row.measure(options.seconds)
    finally:
        for server in servers:
            server.stop()
    return servers, rows, whole


def result_of(servers, rows, found, options, description):
    return {
        "bench": "growth",
        **description,
        "settings": {"certs": options.certs, "asked": min(ASKED, *options.certs), "rounds": options.rounds, "seconds": options.seconds},
        "target": TARGET,
        "growth": found,
        "stores": [server.made for server in servers],
        "rows": [{"name": r.name, "us_per_request": r.cost(), "failures": r.failures(), "rounds": r.rounds} for r in rows],
    }


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench growth", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="100,000 and 2,000,000 certificates, shorter rounds; for a look, not for a claim")
    parser.add_argument("--certs", type=lambda text: [int(n) for n in text.split(",")], metavar="FEW,MANY", help="sizes (1000000,50000000)")
    parser.add_argument("--rounds", type=int, help="rounds (5; 2 with --quick)")
    parser.add_argument("--seconds", type=float, help="seconds for each row in a round (3; 1 with --quick)")
    parser.add_argument("--dir", type=pathlib.Path, help="folder for the stores, 6 GB for 50 million (a temporary one)")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    options.certs = options.certs or ([100_000, 2_000_000] if options.quick else [1_000_000, 50_000_000])
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 3)
    if len(options.certs) != 2:
        parser.error("--certs wants two sizes")
    return options


def main(arguments):
    options = options_of(arguments)
    measure.end_on_sigterm()
    description = measure.describe()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-growth-", dir=options.dir))
    needed = OCTETS_EACH * sum(options.certs)
    if shutil.disk_usage(folder).free < needed:
        raise SystemExit(f"bench: {folder} has no room for {needed / 1e9:.1f} GB; say --dir, or fewer --certs")
    if int(pathlib.Path("/proc/meminfo").read_text().split()[7]) * 1024 < needed:
        measure.say("bench: less memory is free than the stores take: the disk will be measured as well")
    try:
        servers, rows, whole = run(folder, options)
        found = growths(rows)
        print(report(rows, found))
        print(f"growth (target: at most {TARGET}): " + ", ".join(f"{kind} {g['growth']:.2f}" for kind, g in found.items()))
        measure.write_json(options.json, result_of(servers, rows, found, options, description))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if whole and not any(row.failures() for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
