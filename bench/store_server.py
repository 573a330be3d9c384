"""A responder without an engine, on a store of any size that bench/mkstore made, all of it signed: for benches that ask and never revoke."""
import json
import pathlib
import shutil
import subprocess
import time

import measure

LABEL = "demo-ca"
CONFIG = """store: {{path: "{store}"}}
users: {{engine: "", vault: "", responder: ""}}
responder:
  listen: ["127.0.0.1:{port}"]
  workers: {workers}
"""
ISSUER = "ocsp: {key: none}\ncrl: {key: none}\n"


class StoreServer:
    """`settings` are options of the configuration's section `responder`."""

    name = "tocsin"

    def __init__(self, folder, certs, ca, asked=None, workers=1, **settings):
        self.folder, self.certs, self.ca = folder, certs, ca
        self.asked = min(asked or certs, certs)
        self.workers, self.settings = workers, settings
        self.store, self.list = folder / "store", folder / "serials.txt"
        self.port = self.process = self.made = None

    def share(self, other):
        """Instead of make(): the same store as another."""
        self.folder.mkdir(parents=True)
        self.store, self.list = other.store, other.list

    def make(self):
        self.store.mkdir(parents=True)
        begun = time.monotonic()
        arguments = [self.store, self.certs, self.list, self.asked, LABEL]
        arguments += [self.ca / "ca.pem", self.ca / "signer.pem", self.ca / "signer.key"]
        done = subprocess.run([str(a) for a in [measure.built("mkstore"), *arguments]], stdout=subprocess.PIPE, text=True, check=True)
        self.made = json.loads(done.stdout) | {"seconds": time.monotonic() - begun}
        self.made["octets"] = (self.store / "data.mdb").stat().st_blocks * 512
        measure.say(f"{self.certs:,} certificates: {self.made['octets'] / 1e6:,.0f} MB, {self.made['real_signatures']:,} real signatures")

    def _configure(self):
        self.port = measure.free_port()
        more = "".join(f"  {name}: {value}\n" for name, value in self.settings.items())
        (self.folder / "tocsin.yaml").write_text(CONFIG.format(store=self.store, port=self.port, workers=self.workers) + more)
        issuer = self.folder / "issuers" / LABEL
        issuer.mkdir(parents=True, exist_ok=True)
        (issuer / "issuer.yaml").write_text(ISSUER)
        shutil.copy(self.ca / "ca.pem", issuer / "ca.pem")
        shutil.copy(self.ca / "signer.pem", issuer / "ocsp-signer.pem")
        for name in ("crl", "run"):
            (self.folder / name).mkdir(exist_ok=True)

    def start(self, cpu=measure.SERVER_CPU, before=()):
        """cpu None: wherever the kernel puts it. `before`: words of a program that becomes the responder."""
        self._configure()
        command = [*before, measure.built("tocsin-responder"), "--config", self.folder / "tocsin.yaml"]
        self.process = measure.start(command, cpu=cpu, log=self.folder / "responder.log")
        if not measure.wait_for_port(self.port, self.process):
            raise RuntimeError((self.folder / "responder.log").read_text())

    @property
    def questions(self):
        """The load generator's options for asking this one's certificates."""
        return ["--issuer", self.ca / "ca.pem", "--list", self.list]

    def pids(self):
        return [self.process.pid]

    def worker_pids(self):
        """Processes below the master."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def stop(self):
        if self.process:
            measure.stop(self.process)
