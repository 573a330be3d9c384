"""Tocsin as a bench sees it: a folder made by `./dev up`, its addresses, its processes, and what `tocsin --json` says."""
import json
import os
import subprocess
import time
import urllib.parse

import control
import measure

# The daemons' own users must reach the folder and the programs (./dev up separates them when it runs as root).
START_TIMEOUT_S = 280


class TocsinDir:
    def __init__(self, folder, certs, revoked=0, key="p256", port=None, workers=1):
        self.folder = folder
        self.certs = certs
        command = [str(measure.ROOT / "dev"), "up", str(folder), "--certs", str(certs), "--revoked", str(revoked), "--key", key]
        command += ["--workers", str(workers)]
        if not (folder / "ready").exists():  # else its address stands in its certificates
            command += ["--listen", f"127.0.0.1:{port or measure.free_port()}"]
        environment = dict(os.environ, TOCSIN_BUILD=str(measure.BUILD))
        begun = time.monotonic()
        done = subprocess.run(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=START_TIMEOUT_S
        )
        if done.returncode != 0:
            raise RuntimeError(f"./dev up failed:\n{done.stdout.strip()}")
        self.up_s = time.monotonic() - begun
        self.env = read_env(folder / "env")
        self.url = self.env["OCSP_URL"]
        self.responder = int(self.env["RESPONDER_PID"])
        self.signer = int(self.env["SIGNER_PID"])

    @property
    def host_port(self):
        parts = urllib.parse.urlsplit(self.url)
        return parts.hostname, parts.port

    def command(self, *arguments):
        return [self.env["TOCSIN"], "--config", str(self.folder / "tocsin.yaml"), *[str(a) for a in arguments]]

    def environment(self):
        return dict(os.environ, SOFTHSM2_CONF=self.env.get("SOFTHSM2_CONF", ""))

    def json(self, *arguments, check=True, timeout=600):
        """The final object that `tocsin --json ...` prints."""
        done = subprocess.run(
            self.command("--json", *arguments),
            env=self.environment(),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=timeout,
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"tocsin {' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr.strip()} {done.stdout[-500:]}")
        return last_object(done.stdout)

    @property
    def control(self):
        return self.env["CONTROL_SOCKET"]

    @property
    def issuer(self):
        return self.status()["issuers"][0]["name"]

    def serials(self, status):
        lines = (self.folder / "serials.txt").read_text().splitlines()
        return [line.split()[0] for line in lines if line.endswith(" " + status)]

    def status(self):
        return control.ask(self.control, {"command": "status"})[0]

    def wait_until_signed(self, seconds, told=measure.say):
        """Waits until every record has its answer and the bulk lane is empty; how many are signed then."""
        until, next_word = time.monotonic() + seconds, time.monotonic() + 5
        while True:
            status = self.status()
            signed, due = signing_of(status)
            records = sum(issuer["records"] for issuer in status["issuers"])
            queued = status["lanes"]["bulk"]["queued"] + status["lanes"]["bulk"]["in_flight"]
            if due == 0 and queued == 0 and signed >= records:
                return signed
            if time.monotonic() > until:
                raise RuntimeError(f"not all signed after {seconds} s: {signed} of {records}, {due} due, {queued} queued")
            if time.monotonic() > next_word:
                told(f"  signing: {signed:,} of {records:,}")
                next_word += 5
            time.sleep(0.2)

    def pin(self):
        measure.pin([self.responder], measure.SERVER_CPU)
        measure.pin([self.signer], measure.LOAD_CPU)

    def unpin(self):
        for cpu_set in (set(range(os.cpu_count() or 1)),):
            for pid in measure.tree_of([self.signer, self.responder]):
                for thread in os.listdir(f"/proc/{pid}/task"):
                    os.sched_setaffinity(int(thread), cpu_set)

    def down(self):
        subprocess.run([str(measure.ROOT / "dev"), "down", str(self.folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)


def signing_of(status):
    """(signed, due) over all issuers."""
    rows = [issuer["ocsp"] for issuer in status["issuers"]]
    return sum(row["signed"] for row in rows), sum(row["due"] for row in rows)


def last_object(text):
    """`--json` may print interim objects, one a line, before the last; or one object over many lines."""
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(text.strip().splitlines()[-1])


def read_env(path):
    values = {}
    for line in path.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals:
            values[name] = value.strip().strip("'\"")
    return values
