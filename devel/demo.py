"""demo: what a mass revocation looks like with Tocsin, run for real: a token, a CA, two daemons, OpenSSL and GnuTLS as clients."""
import argparse
import json
import os
import random
import shlex
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
COLORS = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
BOLD, GREEN, RED, DIM, END = ("\033[1m", "\033[32m", "\033[31m", "\033[2m", "\033[0m") if COLORS else ("",) * 5
CERTS, BATCH = 10_000, 1_000


def step(text):
    print(f"\n{BOLD}{text}{END}", flush=True)


def shell(line):
    print(f"  {DIM}$ {line}{END}", flush=True)


def run(*command, env=None, check=True):
    done = subprocess.run(command, text=True, capture_output=True, env=env)
    if check and done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def free_port():
    for port in [8080, *random.sample(range(20000, 30000), 50)]:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    sys.exit("no free port found")


def read_env(path):
    return dict(word.split("=", 1) for word in shlex.split(open(path).read()))


class Demo:
    def __init__(self, directory):
        self.dir = directory
        self.times = []

    def path(self, name):
        return os.path.join(self.dir, name)

    def up(self):
        step(f"1. A root, an issuing CA and an OCSP signer, their RSA-2048 keys in a SoftHSM token; {CERTS:,} certificates; two daemons")
        began = time.monotonic()
        command = [os.path.join(HERE, "up.sh"), self.dir, "--certs", str(CERTS), "--revoked", "100", "--key", "rsa2048",
                   "--listen", f"127.0.0.1:{free_port()}"]
        shell("./dev up " + shlex.join(command[1:]))
        child = subprocess.Popen(command)
        while child.poll() is None:
            if sys.stdout.isatty():
                print(f"\r  {time.monotonic() - began:4.0f} s ...", end="", flush=True)
            time.sleep(0.2)
        if child.returncode != 0:
            sys.exit("demo: ./dev up failed; what it said stands above")
        self.env = read_env(self.path("env"))
        self.child_env = {**os.environ, **self.env}
        self.took("token, CA, daemons, import", began)
        shell("tocsin status")
        print(indent(self.tocsin("status").stdout))

    def tocsin(self, *words, **options):
        return run(self.env["TOCSIN"], *words, env=self.child_env, **options)

    def took(self, what, began):
        self.times.append((what, time.monotonic() - began))
        if sys.stdout.isatty():
            print("\r", end="")

    def ask_openssl(self, wanted):
        line = ["openssl", "ocsp", "-issuer", self.path("issuer.pem"), "-cert", self.path("cert-demo.pem"), "-url", self.env["OCSP_URL"],
                "-CAfile", self.path("root.pem")]
        shell("openssl ocsp -issuer issuer.pem -cert cert-demo.pem -url $OCSP_URL -CAfile root.pem")
        done = run(*line)
        text = done.stdout + done.stderr
        if f"cert-demo.pem: {wanted}" not in text or "Response verify OK" not in text:
            sys.exit(f"demo: openssl ocsp was expected to verify '{wanted}' and said:\n{text}")
        print(indent(paint(text)))

    def ask_gnutls(self, wanted):
        shell("ocsptool --ask=$OCSP_URL --load-cert cert-demo.pem --load-issuer issuer.pem")
        text = run("ocsptool", "--ask=" + self.env["OCSP_URL"], "--load-cert", self.path("cert-demo.pem"), "--load-issuer",
                   self.path("issuer.pem")).stdout
        lines = [line.strip() for line in text.splitlines() if "Certificate Status" in line or "Verifying OCSP Response" in line
                 or "Revocation time" in line]
        if f"Certificate Status: {wanted}" not in text:
            sys.exit(f"demo: ocsptool was expected to say '{wanted}' and said:\n{text}")
        print(indent(paint("\n".join(lines))))

    def revoke(self):
        step(f"3. The alarm: {BATCH:,} serials revoked in one batch, cert-demo.pem among them")
        good = [line.split()[0] for line in open(self.path("serials.txt")) if line.endswith(" good\n")]
        serial = run("openssl", "x509", "-in", self.path("cert-demo.pem"), "-noout", "-serial").stdout.strip().split("=")[1]
        chosen = [s for s in good[2:] if s != serial][:BATCH - 1] + [serial]
        with open(self.path("incident.txt"), "w") as listing:
            listing.write("# weak keys, reported today\n" + "\n".join(chosen) + "\n")
        shell("tocsin revoke --issuer demo-ca --reason keyCompromise --incident 'weak keys' --file incident.txt --yes")
        began = time.monotonic()
        said = json.loads(self.tocsin("--json", "revoke", "--issuer", "demo-ca", "--reason", "keyCompromise", "--incident", "weak keys",
                                      "--file", self.path("incident.txt"), "--yes").stdout)
        self.took(f"the whole revoke command for {BATCH:,} serials", began)
        self.committed = time.monotonic()
        self.serial, self.batch = serial, said["batch"]
        print(f"  batch {said['batch']}: {said['rows']:,} serials staged in {said['staged_ms']} ms, "
              f"made true by one commit in {said['activated_ms']} ms, at {said['activated_at']}")

    def bulk_state(self):
        status = json.loads(self.tocsin("--json", "status").stdout)
        return next(b for b in status["batches"] if b["id"] == self.batch)

    def prove(self):
        step("4. The very next query, while the bulk signing goes on behind it")
        self.ask_openssl("revoked")
        state = self.bulk_state()
        print(f"  {BOLD}bulk signing at that moment: {state['signed']:,} of {state['items']:,}{END}")
        self.ask_gnutls("revoked")
        began = self.committed
        shown = began
        while (state := self.bulk_state())["signed"] < state["items"]:
            if sys.stdout.isatty():
                print(f"\r  bulk signing: {state['signed']:,} of {state['items']:,} ", end="", flush=True)
            elif time.monotonic() - shown > 5:  # a log wants few lines
                shown = time.monotonic()
                print(f"  bulk signing: {state['signed']:,} of {state['items']:,}", flush=True)
            time.sleep(0.25)
            if time.monotonic() - began > 120:
                sys.exit("demo: the bulk signing did not end within 2 minutes; see tocsin status")
        self.took(f"from the commit to the last of {BATCH:,} responses signed (RSA-2048)", began)
        print(("\r" if sys.stdout.isatty() else "") + f"  bulk signing: {state['signed']:,} of {state['items']:,}: done")

    def crls(self):
        step("5. The CRLs: full and delta, verified by OpenSSL")
        shell("tocsin crl issue --issuer demo-ca")
        began = time.monotonic()
        self.tocsin("crl", "issue", "--issuer", "demo-ca", "--full", "--delta")
        self.took("full and delta CRL built, signed, published", began)
        for name, url in (("full", self.env["CRL_URL"]), ("delta", self.env["DELTA_URL"])):
            target = self.path(f"{name}.crl")
            shell(f"curl -s {url} | openssl crl -inform DER -verify -CAfile issuer.pem -text")
            run("curl", "-sSf", "-o", target, url)
            done = run("openssl", "crl", "-inform", "DER", "-in", target, "-verify", "-CAfile", self.path("issuer.pem"), "-noout", "-text")
            text = done.stdout + done.stderr
            if "verify OK" not in text or self.serial not in text:
                sys.exit(f"demo: the {name} CRL did not verify, or does not list {self.serial}:\n{text[:2000]}")
            print(f"  {GREEN}verify OK{END}: {name} CRL, {text.count('Serial Number:'):,} entries, "
                  f"{os.path.getsize(target):,} octets, lists {self.serial}")

    def close(self, stop):
        step("What it took")
        for what, seconds in self.times:
            print(f"  {seconds:7.2f} s  {what}")
        if stop:
            run(os.path.join(HERE, "down.sh"), self.dir)
            print(f"\nStopped. Everything it made is in {self.dir}; ./dev up {shlex.quote(self.dir)} starts from there.")
            return
        print(f"""
Both daemons are still running. To go on:
  set -a; . {shlex.quote(self.path("env"))}; set +a; PATH=$PATH:{os.path.dirname(self.env['TOCSIN'])}
  tocsin status                                   what is running, what is left
  tocsin show {self.serial}
  tocsin revoke --issuer demo-ca --reason superseded SERIAL      one more (serials.txt has them)
  ./dev down {shlex.quote(self.dir)}          stops them; ./dev up {shlex.quote(self.dir)} starts them again
README.md has the five-minute tour; docs/ the rest.""")


def indent(text):
    return "\n".join("  " + line for line in text.rstrip("\n").splitlines())


def paint(text):
    return text.replace("good", f"{GREEN}good{END}").replace("revoked", f"{RED}revoked{END}")


def main():
    options = argparse.ArgumentParser(prog="./dev demo", description=__doc__)
    options.add_argument("--dir", help="folder for token, CA and store (default: a new one under /tmp)")
    options.add_argument("--stop", action="store_true", help="stop the daemons at the end")
    options = options.parse_args()
    if options.dir and os.path.exists(os.path.join(options.dir, "ready")):
        sys.exit(f"{options.dir} was set up before. Take another --dir, or go on there: ./dev up {shlex.quote(options.dir)}")
    demo = Demo(os.path.abspath(options.dir) if options.dir else tempfile.mkdtemp(prefix="tocsin-demo-"))
    finished = False
    try:
        demo.up()
        step("2. What relying parties see now")
        demo.ask_openssl("good")
        demo.ask_gnutls("good")
        demo.revoke()
        demo.prove()
        demo.crls()
        finished = True
    finally:
        if not finished and os.path.exists(demo.path("env")):
            print(f"\nSomething went wrong; what the daemons said is in {demo.dir}/*.log. Stopping them.", file=sys.stderr)
            run(os.path.join(HERE, "down.sh"), demo.dir, check=False)
    demo.close(options.stop)


main()
