# shellcheck shell=bash
# common: what up.sh and down.sh share. Sourced.

die() {
        printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2
        exit 1
}

# alive PID: is it running? One that has ended and that nobody has waited for yet (Z) is not.
alive() { [ -n "${1:-}" ] && grep -qs '^State:.[^ZX]' "/proc/$1/status"; }

# value FILE KEY: one value of an env file, or nothing.
value() { [ ! -f "$1" ] || sed -n "s/^$2=//p" "$1" | tail -n 1; }

# wait_gone PID SECONDS: until it has ended.
wait_gone() {
        local i
        for ((i = 0; i < $2 * 20; i++)); do
                alive "$1" || return 0
                sleep 0.05
        done
        return 1
}

# stop PID SECONDS: ends it, if it runs.
stop() {
        ! alive "$1" || kill -TERM "$1"
        wait_gone "$1" "$2"
}

# quoted VALUE: as a shell reads it back; words without anything odd stay as they are.
quoted() { printf '%s' "${1@Q}" | sed -E "s|^'([A-Za-z0-9_./:@%+,=-]*)'\$|\1|"; }
