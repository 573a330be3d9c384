"""What every bench shares: where the built programs are, CPU time of a process and all below it, pinning, and a description of the machine.

A figure without the machine, the versions and the commit it was measured with is not a figure: `describe` goes into every JSON file.
"""
import atexit
import datetime
import json
import os
import pathlib
import platform
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("TOCSIN_BUILD", ROOT / "build"))
TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")
LOAD_CPU = 0
NICE = -15
SERVER_CPU = 1 if (os.cpu_count() or 1) > 1 else 0


def say(text):
    print(text, file=sys.stderr, flush=True)


def end_on_sigterm():
    """So that `finally` stops the servers even when a bench is told to end."""
    atexit.register(go_first, nice=0)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


# ---- processes ----


def _stat(pid):
    """Fields of /proc/PID/stat behind the command name: index 1 is the parent, 11..14 utime stime cutime cstime."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2 :].split()


def tree_of(pids):
    """The given processes and all their descendants that live."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                children.setdefault(int(_stat(entry)[1]), []).append(int(entry))
            except OSError:
                continue
    found, todo = [], list(pids)
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def _run_us(pid):
    """Of all its threads, to the nanosecond: /proc/PID/stat rounds to clock ticks, which is much of a short round. But where the kernel does
    not keep it, or a thread has ended (then the sum is behind), the ticks count."""
    ticks = sum(int(ticks) for ticks in _stat(pid)[11:13]) * TICK_US
    try:
        exact = sum(int((thread / "schedstat").read_text().split()[0]) for thread in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1000
    except OSError:
        exact = 0
    return ticks if exact < ticks - 2 * TICK_US else exact


def cpu_us(pids):
    """User and system time of the processes' whole trees so far, ended and waited-for children included."""
    total = 0
    for pid in tree_of(pids):
        try:
            total += _run_us(pid) + sum(int(ticks) for ticks in _stat(pid)[13:15]) * TICK_US
        except OSError:
            continue
    return total


def go_first(process="self", nice=NICE):
    """Niceness counts only inside a session's group where the kernel groups by session (sched_autogroup), so the group gets it too."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0 if process == "self" else process, nice)
        pathlib.Path(f"/proc/{process}/autogroup").write_text(str(nice))
    except OSError:
        pass


def take_cpu(cpu, thread=0):
    """This thread (0: the caller) to one CPU, or to some, and before others there if we may: what else runs on the machine should not be
    measured."""
    os.sched_setaffinity(thread, {cpu} if isinstance(cpu, int) else cpu)
    go_first(thread or "self")


def prefer(pids):
    """Every thread of the processes' trees before others, on whatever CPU."""
    for pid in tree_of(pids):
        for thread in os.listdir(f"/proc/{pid}/task"):
            go_first(int(thread))


def pin(pids, cpu):
    """Every thread of the processes' trees to one CPU; what they start later inherits it."""
    for pid in tree_of(pids):
        for thread in os.listdir(f"/proc/{pid}/task"):
            try:
                take_cpu(cpu, int(thread))
            except OSError:
                continue


def start(command, cpu=None, log=None, **kw):
    """A server in the background, pinned from its first instruction."""
    out = open(log, "ab") if log else subprocess.DEVNULL
    pre = (lambda: take_cpu(cpu)) if cpu is not None else None
    return subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=pre, **kw)


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port(first=18300, last=18399):
    for port in range(first, last + 1):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise SystemExit("bench: no free port on the loopback")


def _listening(port):
    """By the kernel's table and not by connecting: openssl ocsp never recovers from a connection that asks nothing."""
    wanted = f":{port:04X}"
    for table_file in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = pathlib.Path(table_file).read_text().splitlines()[1:]
        except OSError:
            continue
        if any(line.split()[1].endswith(wanted) and line.split()[3] == "0A" for line in lines):
            return True
    return False


def wait_for_port(port, process=None, seconds=10):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process is not None and process.poll() is not None:
            return False
        if _listening(port):
            return True
        time.sleep(0.02)
    return False


# ---- figures ----


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    if not ordered:
        return None
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def run_text(command, **kw):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20, **kw)
        return done.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def describe():
    memory_kb = int(pathlib.Path("/proc/meminfo").read_text().split()[1])
    return {
        "when": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": {
            "cpu": _cpu_model(),
            "cpus": os.cpu_count(),
            "memory_mb": memory_kb // 1024,
            "kernel": platform.release(),
            "load_before": os.getloadavg()[0],
        },
        "pinned": {"server": SERVER_CPU, "load": LOAD_CPU},
        "commit": run_text(["git", "-C", str(ROOT), "rev-parse", "HEAD"]),
        "changed_files": len(run_text(["git", "-C", str(ROOT), "status", "--porcelain", "-uno"]).splitlines()),
    }


def write_json(path, result):
    if path:
        pathlib.Path(path).write_text(json.dumps(result, indent=2) + "\n")


def table(columns, rows):
    """Columns of text, the first to the left, the others to the right."""
    widths = [max(len(str(row[i])) for row in [columns, *rows]) for i in range(len(columns))]
    lines = []
    for row in [columns, *rows]:
        cells = [str(cell).ljust(w) if i == 0 else str(cell).rjust(w) for i, (cell, w) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(len(line) for line in lines))
    return "\n".join(lines)


def built(name):
    """Path of a program of ours in the build directory."""
    for folder in ("bench", "tools", "signer", "responder", "."):
        path = BUILD / folder / name
        if path.is_file():
            return path
    raise SystemExit(f"bench: {name} is not built in {BUILD}: run `./dev bench ...`, which builds it")


def load(arguments, cpu=LOAD_CPU, timeout=600):
    """One run of tocsin-load; its JSON, or None with the reason said."""
    command = [str(built("tocsin-load")), *[str(a) for a in arguments]]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, preexec_fn=lambda: take_cpu(cpu)
    )
    if done.returncode not in (0, 1):
        say(f"bench: {' '.join(command)}: {done.stderr.strip()}")
        return None
    return json.loads(done.stdout)
