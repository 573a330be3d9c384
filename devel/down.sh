#!/usr/bin/env bash
# down DIR: stops the daemons that `up` started there: the responder drains first, then the signer finishes its commit.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/common.sh"

[ $# -eq 1 ] || die "usage: ./dev down DIR"
env=$1/env
[ -f "$env" ] || die "$1 has no env file: nothing was started there by ./dev up"

for key in RESPONDER_PID SIGNER_PID; do
        pid=$(value "$env" $key)
        stop "$pid" 15 || die "process $pid ($key) has not ended 15 s after SIGTERM; see $1/*.log"
done
sed -i '/^\(RESPONDER\|SIGNER\)_PID=/d' "$env"
