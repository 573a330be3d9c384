#!/usr/bin/env bash
# up DIR [options]: makes DIR if it is new (token, CA, store with N serials, M of them revoked), starts both daemons in the background and
# returns when they answer. A second `up` on the same DIR starts from what is there. What it leaves is listed in docs/operations.md.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/common.sh"

usage='usage: ./dev up DIR [--certs N] [--revoked M] [--key p256|rsa2048] [--listen ADDR:PORT] [--workers W]'
[ $# -ge 1 ] || die "$usage"
case $1 in -*) die "$usage" ;; esac
dir=$1
shift
certs=1000 revoked=10 key=p256 listen=127.0.0.1:8080 workers=1 given=' '
while [ $# -gt 0 ]; do
        [ $# -ge 2 ] || die "$1 wants a value. $usage"
        case $1 in
        --certs) certs=$2 ;;
        --revoked) revoked=$2 ;;
        --key) key=$2 ;;
        --listen) listen=$2 ;;
        --workers) workers=$2 ;;
        *) die "unknown option '$1'. $usage" ;;
        esac
        given+="$1 "
        shift 2
done
[[ $given == *" --revoked "* || ! $certs =~ ^[0-9]$ ]] || revoked=0 # the default of 10 is more than so few
[[ $certs =~ ^[0-9]+$ && $revoked =~ ^[0-9]+$ && $workers =~ ^[0-9]+$ ]] || die "--certs, --revoked and --workers want numbers"
[[ $listen =~ ^([0-9.]+|\[[0-9a-fA-F:]+\]):[0-9]+$ ]] || die "--listen wants ADDR:PORT, as 127.0.0.1:8080 or [::1]:8080, not '$listen'"
[ "$revoked" -le "$certs" ] || die "--revoked $revoked is more than --certs $certs"
case $key in p256 | rsa2048) ;; *) die "--key is p256 or rsa2048" ;; esac

build=$(readlink -f "${TOCSIN_BUILD:?run me as ./dev up}")
tocsin=$build/tools/tocsin
[ -x "$tocsin" ] || die "$tocsin is not built: ./dev build"

[ -e "$dir" ] || mkdir -p "$dir"
[ -d "$dir" ] || die "$dir is a file, not a folder"
[ -w "$dir" ] || die "$dir cannot be written by $(id -un): take another DIR"
dir=$(readlink -f "$dir")
env=$dir/env
for which in SIGNER_PID RESPONDER_PID; do
        ! alive "$(value "$env" $which)" || die "already up: process $(value "$env" $which) ($which) runs. ./dev down $dir first"
done

# What is there and was not made here stays there: all below is removed and made anew when an `up` was interrupted. A `store` may be a mount.
mark='# Made by ./dev up'
is_ours() { [ -f "$dir/ready" ] || grep -qs "^$mark" "$dir/softhsm2.conf" || [ -z "$(find "$dir" -mindepth 1 ! -path "$dir/store" -print -quit)" ]; }
is_ours || die "$dir is not empty, and what is in it was not made by ./dev up: take another DIR"

# is_free ADDR:PORT: can it be listened on?
is_free() {
        /usr/bin/python3 - "$1" <<'C'
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
try:
    probe = socket.socket(socket.AF_INET6 if "[" in host else socket.AF_INET)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind((host.strip("[]"), int(port)))
except (OSError, OverflowError) as problem:
    sys.exit(f"up: cannot listen on {sys.argv[1]}: {problem}")
C
}

# Each daemon under its own user, as in production, where we are root and those users can reach DIR; else all as we are.
users=
if [ "$(id -u)" = 0 ] && getent passwd tocsin tocsin-vault tocsin-responder >/dev/null; then
        chmod 755 "$dir"
        if setpriv --reuid=tocsin --regid=tocsin --clear-groups test -x "$dir" -a -x "$build/signer"; then
                users=1
        else
                echo "up: a folder above $dir is closed to the daemons' users: they run as root, without separation" >&2
        fi
fi

export SOFTHSM2_CONF=$dir/softhsm2.conf
base=http://$listen
new=
if [ ! -f "$dir/ready" ]; then
        new=1
        is_free "$listen" || die "name another address: --listen 127.0.0.1:PORT"
        rm -rf "$dir"/{token,crl,run,issuers} "$dir"/store/*
        mkdir -p "$dir/token"
        printf '%s\ndirectories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$mark" "$dir/token" >"$SOFTHSM2_CONF"
        (umask 077 && od -An -N8 -tx1 /dev/urandom | tr -d ' \n' >"$dir/pin")
        softhsm2-util --init-token --free --label tocsin --so-pin "$(<"$dir/pin")" --pin "$(<"$dir/pin")" >/dev/null
        [ -z "$users" ] || chown -R tocsin-vault: "$dir/token" "$dir/pin"
        chmod -R go= "$dir/token"
        cat >"$dir/tocsin.yaml" <<C
# Made by ./dev up. Every option: tocsin.yaml(5), conf/tocsin.yaml.
users:
  engine: "${users:+tocsin}"
  vault: "${users:+tocsin-vault}"
  responder: "${users:+tocsin-responder}"
token:
  module: /usr/lib/softhsm/libsofthsm2.so
  label: tocsin
  pin_file: pin
responder:
  listen: ["$listen"]
  workers: $workers
C
        "$here/ca.sh" "$dir" "$key" "$base/" "$base/crl/demo-ca.crl" "$base/ca/demo-ca.cer" "$tocsin" >"$dir/ca.log" 2>&1 ||
                { tail -n 20 "$dir/ca.log" >&2; die "making the CA failed; all of it is in $dir/ca.log"; }
        "$tocsin" --config "$dir/tocsin.yaml" --quiet issuer add demo-ca --cert "$dir/issuer.pem" --ocsp-key ocsp-1 \
                --ocsp-cert "$dir/ocsp-signer.pem" --crl-key issuing-ca --crl-url "$base/crl/demo-ca.crl" \
                --delta-url "$base/crl/demo-ca-delta.crl" --delta-period 1h --set crl.after_revocation=2s
        rm "$dir/ocsp-signer.pem"
        : >"$dir/serials.txt"
        for name in good demo revoked; do
                serial=$(openssl x509 -in "$dir/cert-$name.pem" -noout -serial)
                echo "${serial#serial=} ${name/demo/good}" >>"$dir/serials.txt"
        done
        /usr/bin/python3 "$here/serials.py" "$certs" "$revoked" "$dir/serials.csv" "$dir/serials.txt"
fi
if [ -z "$new" ]; then
        [[ $given != *" --listen "* ]] || grep -qF "\"$listen\"" "$dir/tocsin.yaml" ||
                die "$dir was made for another address, which stands in its certificates: leave --listen out, or take a new DIR"
        [[ $given != *" --workers "* ]] || sed -i "s/^  workers: .*/  workers: $workers/" "$dir/tocsin.yaml"
        ! [[ $given =~ \ --(certs|revoked|key)\  ]] || echo "up: $dir goes on from what is there: --certs, --revoked and --key are for a new DIR" >&2
fi
listen=$(sed -n 's/^  listen: \["\(.*\)"\]$/\1/p' "$dir/tocsin.yaml")
base=http://$listen

[ -n "$new" ] || is_free "$listen" || die "what listens there must end first"

cat >"$env" <<C
TOCSIN=$(quoted "$tocsin")
TOCSIN_CONFIG=$(quoted "$dir/tocsin.yaml")
OCSP_URL=$base/
CRL_URL=$base/crl/demo-ca.crl
DELTA_URL=$base/crl/demo-ca-delta.crl
AIA_URL=$base/ca/demo-ca.cer
CONTROL_SOCKET=$(quoted "$dir/run/control.sock")
SOFTHSM2_CONF=$(quoted "$SOFTHSM2_CONF")
C

# An `up` that fails leaves nothing running.
up=
stop_all() {
        [ -z "$up" ] || return 0
        for which in RESPONDER_PID SIGNER_PID; do
                stop "$(value "$env" $which)" 15 || true
        done
}
trap stop_all EXIT

# start NAME COMMAND...: in the background, detached, its log in DIR/NAME.log; NAME_PID into env.
start() {
        local name=$1
        shift
        setsid "$@" </dev/null >>"$dir/$name.log" 2>&1 &
        echo "${name^^}_PID=$!" >>"$env"
}

# await WHAT PID COMMAND...: until the command succeeds, at most 30 s; or the process ends.
await() {
        local what=$1 pid=$2 i
        shift 2
        for ((i = 0; i < 600; i++)); do
                ! "$@" >/dev/null 2>&1 || return 0
                alive "$pid" || break
                sleep 0.05
        done
        tail -n 5 "$dir/$what.log" >&2
        die "$what does not answer; all it said is in $dir/$what.log"
}

token_is_up() { "$tocsin" --config "$dir/tocsin.yaml" --json status | grep -A2 '"token"' | grep -q '"state": "up"'; }

start signer "$build/signer/tocsin-signer" --config "$dir/tocsin.yaml"
await signer "$(value "$env" SIGNER_PID)" "$tocsin" --config "$dir/tocsin.yaml" status

if [ -n "$new" ]; then
        "$tocsin" --config "$dir/tocsin.yaml" --quiet import --issuer demo-ca "$dir/serials.csv"
        "$tocsin" --config "$dir/tocsin.yaml" --quiet import --issuer demo-ca "$dir/cert-good.pem" "$dir/cert-demo.pem" "$dir/cert-revoked.pem"
        "$tocsin" --config "$dir/tocsin.yaml" --quiet revoke --issuer demo-ca --reason superseded --yes --cert "$dir/cert-revoked.pem"
        await signer "$(value "$env" SIGNER_PID)" token_is_up # CRLs are signed now; an answer could wait
        "$tocsin" --config "$dir/tocsin.yaml" --quiet crl issue --issuer demo-ca --full --delta
        touch "$dir/ready"
fi

start responder "$build/responder/tocsin-responder" --config "$dir/tocsin.yaml"
await responder "$(value "$env" RESPONDER_PID)" openssl ocsp -issuer "$dir/issuer.pem" -cert "$dir/cert-good.pem" \
        -url "$base/" -CAfile "$dir/root.pem"
up=1
