"""sign: the bulk lane beside a raw C_Sign loop on the same token, with the same number of sessions, in turns in one run.

A batch is revoked; from the moment its activation is known until its last answer is signed, the engine signs as fast as it can. Before and
after each batch, while the engine has nothing to sign, bench/rawsign signs with the same key and as many sessions. See docs/benchmarks.md.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import control
import measure
from tocsin_dir import TocsinDir, signing_of

POLL_S = 0.05
BATCH = {"p256": 20_000, "rsa2048": 3_000}
TO_REACH = 0.85


def raw_rate(house, sessions, seconds):
    """Signatures per second of the raw loop."""
    command = [measure.built("rawsign"), "--json", "--pin-file", house.folder / "pin", "--label", "ocsp-1"]
    command += ["--sessions", sessions, "--seconds", seconds]
    done = subprocess.run(
        [str(c) for c in command],
        env=house.environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=measure.go_first,
    )
    if done.returncode != 0:
        raise RuntimeError(f"rawsign: {done.stderr.strip()}")
    return json.loads(done.stdout)["rate"]


def bulk_signed(house):
    return house.status()["lanes"]["bulk"]["signed"]


def wait_idle(house, seconds):
    house.wait_until_signed(seconds)
    time.sleep(1)  # write-backs and CRLs that the last batch left behind


def bulk_rate(house, serials, timeout):
    """Revokes the serials; rate from the activation until all of them are signed."""
    before = bulk_signed(house)
    final, packets = control.revoke(house.control, house.issuer, serials)
    begun = packets[-1][0]
    samples = []
    while True:
        signed = bulk_signed(house) - before
        samples.append((time.monotonic() - begun, signed))
        if signed >= len(serials):
            break
        if samples[-1][0] > timeout:
            raise RuntimeError(f"only {signed} of {len(serials)} signed after {timeout} s")
        time.sleep(POLL_S)
    seconds = samples[-1][0]
    return {
        "n": len(serials),
        "seconds": seconds,
        "rate": len(serials) / seconds,
        "signed_before_activation_was_known": samples[0][1],
        "staged_ms": final["staged_ms"],
        "activated_ms": final["activated_ms"],
        "samples": samples,
    }


def measure_key(folder, key, options):
    batch = options.batch or (BATCH[key] // 10 if options.quick else BATCH[key])
    house = TocsinDir(folder / key, batch * options.rounds + 1000, 0, key)
    try:
        wait_idle(house, options.timeout)
        measure.prefer([house.signer])
        sessions = options.sessions or house.status()["token"]["sessions"]
        good = house.serials("good")
        raws, bulks = [raw_rate(house, sessions, options.seconds)], []
        for i in range(options.rounds):
            measure.say(f"{key}: round {i + 1} of {options.rounds}: {batch:,} answers")
            bulks.append(bulk_rate(house, good[i * batch : (i + 1) * batch], options.timeout))
            wait_idle(house, options.timeout)
            raws.append(raw_rate(house, sessions, options.seconds))
        left_due = signing_of(house.status())[1]
    finally:
        house.down()
    raw, bulk = measure.median(raws), measure.median([b["rate"] for b in bulks])
    # Each batch against the raw loops right before and after it: the machine drifts.
    ratios = [b["rate"] / ((before + after) / 2) for b, before, after in zip(bulks, raws, raws[1:])]
    return {"key": key, "sessions": sessions, "raw_rate": raw, "bulk_rate": bulk, "ratio": measure.median(ratios), "raw": raws, "bulk": bulks, "left_due": left_due}


def report(results):
    rows = []
    for r in results:
        rows.append([r["key"], r["sessions"], f"{r['raw_rate']:,.0f}", f"{r['bulk_rate']:,.0f}", f"{r['ratio']:.3f}", f"{TO_REACH:.2f}"])
    return measure.table(["key", "sessions", "raw C_Sign/s", "bulk answers/s", "bulk / raw", "to reach"], rows)


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench sign", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the batch, one round: for a look, not for a claim")
    parser.add_argument("--key", choices=["p256", "rsa2048"], help="one of them only")
    parser.add_argument("--batch", type=int, metavar="N", help="answers to sign in a round (20,000 for p256, 3,000 for rsa2048)")
    parser.add_argument("--rounds", type=int, help="rounds (7; 1 with --quick)")
    parser.add_argument("--seconds", type=int, default=2, help="seconds of each raw loop (2)")
    parser.add_argument("--sessions", type=int, help="sessions of the raw loop (as many as the engine has)")
    parser.add_argument("--timeout", type=int, default=120, metavar="S", help="how long a batch may take (120)")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else 7)
    return options


def main(arguments):
    options = options_of(arguments)
    measure.end_on_sigterm()
    description = measure.describe()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
    folder.chmod(0o755)
    try:
        results = [measure_key(folder, key, options) for key in ([options.key] if options.key else ["p256", "rsa2048"])]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(report(results))
    measure.write_json(options.json, {"bench": "sign", **description, "results": results})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
