"""The servers that Tocsin is compared with: each makes its own configuration in a folder of its own and runs on the loopback.

A peer knows which Debian package has it; one that is not installed is named as skipped. System services are never touched.
"""
import os
import shutil

import measure

# sendfile off: for a body this small it is the cheaper of the two.
NGINX_CONF = """\
daemon off;
user root;
worker_processes 1;
error_log {dir}/error.log;
pid {dir}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
        access_log off;
        sendfile off;
        tcp_nodelay on;
        keepalive_timeout 600;
        keepalive_requests 1000000000;
        open_file_cache max=1000;
        open_file_cache_valid 3600s;
        default_type application/ocsp-response;
        client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
        server {{ listen 127.0.0.1:{port} backlog=4096; root {www}; }}
}}
"""

H2O_CONF = """\
user: root
num-threads: 1
max-connections: 8192
http1-request-timeout: 600
http2-idle-timeout: 600
error-log: {dir}/error.log
pid-file: {dir}/h2o.pid
hosts:
  default:
    listen: {{ host: 127.0.0.1, port: {port} }}
    paths:
      "/":
        file.dir: {www}
        file.mime.setdefaulttype: application/ocsp-response
"""


class Peer:
    """`program` is looked for in the PATH (and sbin); `version` is what it says of itself."""

    name = program = package = version_command = None

    def __init__(self, folder, www, ca):
        self.folder = folder / self.name
        self.folder.mkdir(exist_ok=True)
        self.www = www  # a folder with answer.der
        self.ca = ca  # made by throwaway_ca
        self.port = None
        self.process = None

    @classmethod
    def path(cls):
        return shutil.which(cls.program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")

    @classmethod
    def version(cls):
        text = measure.run_text([cls.path(), *cls.version_command])
        return text.splitlines()[0] if text else "?"

    def command(self):
        raise NotImplementedError

    def start(self):
        self.port = measure.free_port()
        self.process = measure.start(self.command(), measure.SERVER_CPU, self.folder / "log", cwd=self.folder)
        if not measure.wait_for_port(self.port, self.process):
            measure.stop(self.process)
            raise RuntimeError(f"{self.name} did not start: {(self.folder / 'log').read_text()[-500:]}")

    def pids(self):
        return [self.process.pid]

    def stop(self):
        if self.process:
            measure.stop(self.process)

    def write_conf(self, text):
        path = self.folder / "conf"
        path.write_text(text.format(dir=self.folder, port=self.port, www=self.www))
        return path


class Floor(Peer):
    name, program = "floor", None

    def __init__(self, folder, www, ca, total):
        super().__init__(folder, www, ca)
        self.total = total  # octets of the whole answer, head and body

    @classmethod
    def path(cls):
        return str(measure.built("floor"))

    @classmethod
    def version(cls):
        return "bench/floor.c"

    def command(self):
        return [self.path(), "--port", self.port, "--size", self.total]


class Nginx(Peer):
    name, program, package, version_command = "nginx", "nginx", "nginx-light", ["-v"]

    def command(self):
        return [self.path(), "-p", self.folder, "-c", self.write_conf(NGINX_CONF)]


class H2o(Peer):
    name, program, package, version_command = "h2o", "h2o", "h2o", ["-v"]

    def command(self):
        return [self.path(), "-c", self.write_conf(H2O_CONF)]


class Cfssl(Peer):
    name, program, package, version_command = "cfssl", "cfssl", "golang-cfssl", ["version"]

    def command(self):
        answers = self.ca / "responses.txt"
        return [self.path(), "ocspserve", "-address", "127.0.0.1", "-port", self.port, "-responses", answers, "-loglevel", "5"]


class OpensslOcsp(Peer):
    name, program, package, version_command = "openssl", "openssl", "openssl", ["version"]

    def command(self):
        ca = self.ca
        files = ["-index", ca / "index.txt", "-CA", ca / "ca.pem", "-rsigner", ca / "signer.pem", "-rkey", ca / "signer.key"]
        return [self.path(), "ocsp", "-port", self.port, "-ndays", "4", *files]
