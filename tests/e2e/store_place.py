"""A responder without an engine, on a store of bench/mkstore, into which bench/mkcrl issues CRLs of any size with the engine's own code."""
import json
import pathlib
import subprocess
import sys

from conftest import ROOT, free_port

sys.path.insert(0, str(ROOT / "bench"))
import measure  # noqa: E402
import throwaway_ca  # noqa: E402
from store_server import LABEL, StoreServer  # noqa: E402

CRL_PATH = f"/crl/{LABEL}.crl"
CA_PATH = f"/ca/{LABEL}.cer"


class StorePlace(StoreServer):
    """`settings` as StoreServer's: options of the configuration's section `responder`. With TLS on tls_port."""

    def __init__(self, folder, certs=100, **settings):
        ca = folder / "ca"
        ca.mkdir()
        throwaway_ca.make(ca, 1)
        self.tls_port = free_port()
        tls = {"tls_listen": f'["127.0.0.1:{self.tls_port}"]', "tls_certificate": ca / "ca.pem", "tls_key": ca / "ca.key"}
        super().__init__(folder / "place", certs, ca, **tls, **settings)
        self.make()
        (self.folder / "crl").mkdir()

    def issue(self, n):
        """n entries more; the file's octets."""
        words = [measure.built("mkcrl"), self.store, self.folder / "crl", LABEL, n, self.ca / "ca.pem", self.ca / "ca.key"]
        done = subprocess.run([str(word) for word in words], text=True, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr
        self.file = self.folder / "crl" / json.loads(done.stdout)["file"]
        return self.file.read_bytes()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_url(self):
        return f"https://127.0.0.1:{self.tls_port}"

    @property
    def worker(self):
        [worker] = self.worker_pids()
        return worker

    def anon_kb(self):
        """Memory of the worker's own."""
        lines = pathlib.Path(f"/proc/{self.worker}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("RssAnon:")).split()[1])

    def is_asan(self):
        return "libasan" in pathlib.Path(f"/proc/{self.worker}/maps").read_text()

    def expect_all_well(self):
        """At the end: nothing died, no sanitizer had anything to say."""
        log = self.folder / "responder.log"
        text = log.read_text(errors="replace") if log.exists() else ""
        for mark in ("ERROR: AddressSanitizer", "LeakSanitizer", "runtime error:", "is replaced"):
            assert mark not in text, text
