"""The commands as people meet them: ./dev from anywhere, every tocsin command with good and bad words, on a terminal and without."""
import os
import pathlib
import shlex
import socket
import subprocess

import pytest

from conftest import ROOT, free_port

PATHS = ("TOCSIN", "TOCSIN_CONFIG", "CONTROL_SOCKET", "SOFTHSM2_CONF")


def dev(*words, cwd="/", program=ROOT / "dev", **options):
    return subprocess.run([program, *map(str, words)], text=True, capture_output=True, cwd=cwd, timeout=240, **options)


def sourced(env_file, line):
    done = subprocess.run(["bash", "-euc", f"set -a; . {shlex.quote(str(env_file))}; set +a; {line}"], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- ./dev ----

def test_dev_up_takes_paths_from_where_it_was_called_through_a_symlink_and_with_spaces(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "link").symlink_to(ROOT / "dev")
    made = dev("up", "a b", "--certs", 5, "--listen", f"127.0.0.1:{free_port()}", cwd=tmp_path, program=tmp_path / "link")
    assert made.returncode == 0, made.stderr
    try:
        env = tmp_path / "a b" / "env"
        assert len((tmp_path / "a b" / "serials.txt").read_text().splitlines()) == 5 + 3
        said = sourced(env, 'printf "%s\\n" ' + " ".join(f'"${name}"' for name in PATHS)).splitlines()
        assert all(os.path.exists(path) for path in said), said
        assert "engine" in sourced(env, '"$TOCSIN" status')
        again = dev("up", "a b", cwd=tmp_path)
        assert again.returncode == 1 and "already up" in again.stderr and "down" in again.stderr
    finally:
        assert dev("down", "a b", cwd=tmp_path).returncode == 0
    assert dev("down", "a b", cwd=tmp_path).returncode == 0  # nothing left to stop is no mistake
    more = dev("up", "a b", "--certs", 9, "--workers", 2, cwd=tmp_path)
    assert more.returncode == 0 and "--certs" in more.stderr  # it says that this is for a new DIR
    try:
        assert int(sourced(env, 'ps --no-headers --ppid "$RESPONDER_PID" | wc -l')) >= 2
    finally:
        assert dev("down", tmp_path / "a b").returncode == 0


def test_dev_up_touches_no_folder_that_it_did_not_make(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "mine").touch()
    (tmp_path / "other").touch()
    done = dev("up", tmp_path)
    assert done.returncode == 1 and "not empty" in done.stderr
    assert (tmp_path / "store" / "mine").exists() and (tmp_path / "other").exists()


def test_dev_up_names_an_address_that_is_taken_before_it_makes_anything(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = dev("up", tmp_path / "d", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 1 and "--listen" in done.stderr and "in use" in done.stderr
    assert not list((tmp_path / "d").iterdir())


@pytest.mark.parametrize("words, told", [
    (("up",), "usage"), (("up", "-x"), "usage"), (("up", "d", "--certs"), "wants a value"), (("up", "d", "--bad", "1"), "--bad"),
    (("up", "d", "--certs", "x"), "numbers"), (("up", "d", "--certs", "5", "--revoked", "6"), "more than"), (("up", "d", "--key", "x"), "p256"),
    (("up", "d", "--listen", "8080"), "ADDR:PORT"), (("down",), "usage"), (("down", "/nonexistent"), "./dev up"), (("nothing",), "./dev help"),
    (("help", "nothing"), "./dev help"), (("test", "-k"), "usage"), (("test", "--bad"), "usage"), (("bench",), "./dev help bench"), (("build", "--bad"), "--bad"),
    (("setup", "bad"), "build, test, bench"),
])
def test_dev_says_what_is_wrong_with_the_words(tmp_path, words, told):
    done = dev(*words, cwd=tmp_path)
    assert done.returncode in (1, 2) and told in done.stderr and "unbound" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_dev_says_what_to_do_without_root_and_sudo(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root to become nobody")
    script = ROOT / "dev"
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("bash", "env", "dirname", "readlink", "realpath", "id", "getent", "dpkg-query", "grep", "useradd"):
        for folder in ("/usr/bin", "/usr/sbin", "/bin"):
            if pathlib.Path(folder, name).exists():
                (bare / name).symlink_to(f"{folder}/{name}")
                break
    (bare / "getent").unlink()
    (bare / "getent").write_text("#!/bin/sh\nexit 2\n")  # a machine without the daemons' users
    (bare / "getent").chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder != pathlib.Path("/tmp") and str(folder).startswith("/tmp"):
            folder.chmod(0o755)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", f"PATH={bare}", script, "setup", "build"],
                          text=True, capture_output=True, cwd="/")
    assert done.returncode == 1 and "root" in done.stderr and "sudo" in done.stderr
