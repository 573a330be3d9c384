"""flip: the operational figures: how long an import takes, a batch to stage and to activate, and how soon its truth is seen outside.

While the batch is staged, one process asks the responder for members of it as a relying party would, over and over, and another revokes
single serials, which shows how long the engine's writer is held. All times are CLOCK_MONOTONIC, which is one clock for all processes.
See docs/benchmarks.md.
"""
import argparse
import multiprocessing
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

import control
import measure
from ocsp_ask import Connection, Issuer, cert_status
from tocsin_dir import TocsinDir

PROBE_EVERY_S = 0.02
ASK_EVERY_S = 0.001
AFTER_S = 2.0


def write_csv(path, n):
    """N certificates, half a year to go; their serials."""
    not_after = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 180 * 86400))
    raw = bytearray(os.urandom(16 * n))
    raw[::16] = bytes(octet & 0x3F | 0x40 for octet in raw[::16])
    text = raw.hex().upper()
    serials = [text[i : i + 32] for i in range(0, len(text), 32)]
    with open(path, "w") as f:
        f.write("serial,notAfter,status,reason,revoked_at\n")
        f.writelines(f"{serial},{not_after},good,,\n" for serial in serials)
    return serials


def time_import(house, path):
    begun = time.monotonic()
    final = house.json("import", "--issuer", house.issuer, path)
    return {"seconds": time.monotonic() - begun, "engine_ms": final.get("elapsed_ms"), "rows": final.get("rows")}


def relying_party(host, port, issuer_path, serials, stop, out):
    """Asks for random members until told to stop: (sent, received, status, which) of each."""
    issuer = Issuer(issuer_path)
    questions = [(issuer.request(serial), issuer.cert_id(serial)) for serial in serials]
    connection = Connection(host, port)
    seen, choose = [], random.Random(1)
    measure.go_first()  # what it waits for should be the responder, not its own turn on a CPU
    while not stop.is_set():
        which = choose.randrange(len(questions))
        request, cert_id = questions[which]
        sent = time.monotonic()
        http, body = connection.post(request)
        seen.append((sent, time.monotonic(), cert_status(body, cert_id) if http == 200 else f"http:{http}", which))
        time.sleep(ASK_EVERY_S)
    out.put(seen)


def single_revoker(path, issuer, serials, stop, out):
    """Revokes one serial after another: (begun, seconds) of each."""
    times = []
    for serial in serials:
        if stop.is_set():
            break
        begun = time.monotonic()
        control.revoke(path, issuer, [serial])
        times.append((begun, time.monotonic() - begun))
        time.sleep(PROBE_EVERY_S)
    out.put(times)


class Watch:
    """A function in a process of its own; `done` tells it to stop and fetches what it gathered."""

    def __init__(self, function, *arguments):
        self.stop, self.out = multiprocessing.Event(), multiprocessing.Queue()
        self.process = multiprocessing.Process(target=function, args=(*arguments, self.stop, self.out), daemon=True)
        self.process.start()

    def done(self):
        self.stop.set()
        result = self.out.get(timeout=30)
        self.process.join()
        return result


def ms(seconds):
    return None if seconds is None else round(seconds * 1000, 3)


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def phase_time(packets, phase):
    return next((at for at, packet in packets if packet.get("progress", {}).get("phase") == phase), None)


def first_waits(rows):
    """How long each member's first answer took; the second finds it signed."""
    waits = {}
    for sent, received, status, which in rows:
        if status == "revoked":
            waits.setdefault(which, received - sent)
    return list(waits.values())


def judge_answers(seen, activating, known, signed):
    """What relying parties saw. The commit lies between the packets `activating` and the final one, `known`; at `signed` the bulk lane was
    through, and what is asked after that says nothing about signing on demand."""
    revoked = [received for _, received, status, _ in seen if status == "revoked"]
    after = [row for row in seen if row[0] >= known]
    waits = first_waits(row for row in after if row[0] <= signed)
    kinds = {}
    for _, _, status, _ in after:
        kinds[status] = kinds.get(status, 0) + 1
    return {
        "asked": len(seen),
        "asked_after_commit": len(after),
        "answers_after_commit": kinds,
        "good_after_commit": kinds.get("good", 0),
        "first_revoked_after_commit_known_ms": ms(min(revoked) - known) if revoked else None,
        "first_revoked_after_activation_began_ms": ms(min(revoked) - activating) if revoked and activating else None,
        "asked_while_signing": len(waits),
        "wait_p50_ms": ms(quantile(waits, 0.5)),
        "wait_p99_ms": ms(quantile(waits, 0.99)),
        "wait_max_ms": ms(max(waits, default=None)),
    }


def judge_singles(times, begun, known):
    before = [took for at, took in times if at + took < begun]
    during = [took for at, took in times if at + took >= begun and at <= known]
    return {
        "idle_p50_ms": ms(quantile(before, 0.5)),
        "idle_max_ms": ms(max(before, default=None)),
        "while_staging_n": len(during),
        "while_staging_p50_ms": ms(quantile(during, 0.5)),
        "while_staging_max_ms": ms(max(during, default=None)),
    }


def wait_signed(house, wanted, seconds=60):
    """When both lanes together had signed so many."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and signed_by(house) < wanted:
        time.sleep(0.05)
    return time.monotonic()


def signed_by(house):
    lanes = house.status()["lanes"]
    return lanes["bulk"]["signed"] + lanes["truth"]["signed"]


def flip(house, serials, batch):
    """Stages and activates a batch out of `serials` under the eyes of both watches."""
    measure.prefer([house.signer, house.responder])
    chosen = random.Random(2).sample(serials, batch + 5000)
    members, singles = chosen[:batch], chosen[batch:]
    host, port = house.host_port
    asked = random.Random(3).sample(members, min(20_000, batch))
    party = Watch(relying_party, host, port, str(house.folder / "issuer.pem"), asked)
    revoker = Watch(single_revoker, house.control, house.issuer, singles)
    time.sleep(AFTER_S)
    signed_before = signed_by(house)
    begun = time.monotonic()
    final, packets = control.revoke(house.control, house.issuer, members)
    known = packets[-1][0]
    signed = wait_signed(house, signed_before + batch)
    times, seen = revoker.done(), party.done()
    return {
        "batch": batch,
        "whole_ms": ms(known - begun),
        "staged_ms": final["staged_ms"],
        "activated_ms": final["activated_ms"],
        "signed_after_ms": ms(signed - known),
        "outside": judge_answers(seen, phase_time(packets, "activating"), known, signed),
        "single_revokes": judge_singles(times, begun, known),
        "writer_longest_us": house.status()["engine"]["longest_write_us"],
    }


def report(imported, flipped):
    outside, singles = flipped["outside"], flipped["single_revokes"]
    lines = [
        [f"import of {imported['rows']:,} CSV lines", f"{imported['seconds']:.1f} s", "20 s"],
        [f"staging {flipped['batch']:,} revocations", f"{flipped['staged_ms']} ms", "2,000 ms"],
        ["activating them", f"{flipped['activated_ms']} ms", "20 ms"],
        ["first `revoked` seen outside, after the commit was known", f"{outside['first_revoked_after_commit_known_ms']} ms", "20 ms"],
        [f"{outside['asked_while_signing']:,} members asked for the first time meanwhile: p99 wait", f"{outside['wait_p99_ms']} ms", "20 ms"],
        ["... the longest wait", f"{outside['wait_max_ms']} ms", ""],
        ["all of the batch signed, after the commit was known", f"{flipped['signed_after_ms'] / 1000:.1f} s", ""],
        ["`good` for a member asked after the commit", str(outside["good_after_commit"]), "0"],
        ["one revocation, idle: median", f"{singles['idle_p50_ms']} ms", ""],
        ["one revocation while staging: median", f"{singles['while_staging_p50_ms']} ms", ""],
        ["... the longest", f"{singles['while_staging_max_ms']} ms", ""],
    ]
    lines.append(["the writer's longest transaction since it started", f"{flipped['writer_longest_us'] / 1000:.1f} ms", "20 ms"])
    return measure.table(["what", "measured", "to reach, within"], lines)


def restart(house):
    """The writer's longest transaction counts from the engine's start: an import should not stand in it."""
    house.down()
    return TocsinDir(house.folder, house.certs)


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench flip", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="a twentieth of everything: for a look, not for a claim")
    parser.add_argument("--lines", type=int, metavar="N", help="CSV lines to import (1,000,000)")
    parser.add_argument("--batch", type=int, metavar="N", help="revocations in the batch (100,000)")
    parser.add_argument("--busy", action="store_true", help="flip while the import is still being signed")
    parser.add_argument("--sign-timeout", type=int, default=200, metavar="S", help="how long to wait for the import to be signed (200)")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    options.lines = options.lines or (50_000 if options.quick else 1_000_000)
    options.batch = options.batch or (5_000 if options.quick else 100_000)
    return options


def main(arguments):
    options = options_of(arguments)
    measure.end_on_sigterm()
    description = measure.describe()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
    folder.chmod(0o755)
    house = None
    try:
        serials = write_csv(folder / "list.csv", options.lines)
        house = TocsinDir(folder / "tocsin", 1000)
        imported = time_import(house, folder / "list.csv")
        measure.say(f"imported {options.lines:,} lines in {imported['seconds']:.1f} s")
        if not options.busy:
            house.wait_until_signed(options.sign_timeout)
            house = restart(house)
        flipped = flip(house, serials, options.batch)
    finally:
        if house:
            house.down()
        shutil.rmtree(folder, ignore_errors=True)
    print(report(imported, flipped))
    measure.write_json(options.json, {"bench": "flip", **description, "import": imported, "flip": flipped})
    return 1 if flipped["outside"]["good_after_commit"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
