#!/usr/bin/env bash
# try_in_fresh_debian.sh [--suite NAME] COMMAND...
#
# Does what a newcomer does: in a minimal Debian with git and nothing else, clones the last commit of
# this repository and types `./run COMMAND`, each command in a root of its own. Needs root and
# debootstrap, takes packages from wherever this machine's apt takes them. Not part of CI.
#
#     tests/package/try_in_fresh_debian.sh tests demo
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

suite=bookworm
if [[ ${1:-} == --suite ]]; then
    suite=$2
    shift 2
fi
if (($# == 0)); then
    echo 'usage: try_in_fresh_debian.sh [--suite NAME] COMMAND...' >&2
    exit 2
fi
if ((EUID != 0)) || ! command -v debootstrap >/dev/null; then
    echo 'try_in_fresh_debian.sh: needs root and debootstrap' >&2
    exit 2
fi

work=$PWD/build/fresh
base=$work/$suite.tar
mkdir -p "$work"

# The first package source of this machine.
mirror()
{
    cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list /etc/apt/sources.list \
        2>/dev/null | awk '
        /^URIs:/ && !found {print $2; found = 1}
        /^deb / && !found {for (i = 2; i <= NF; i++) if ($i ~ /^[a-z]+:\/\//) {print $i; found = 1; break}}'
}

make_base()
{
    local root=$work/base
    rm -rf --one-file-system "$root"
    debootstrap --variant=minbase --include=git,ca-certificates "$suite" "$root" "$(mirror)"
    if [[ $suite == $(. /etc/os-release && echo "${VERSION_CODENAME:-}") ]]; then
        # Sources and options of this machine, but nobody's passwords.
        rm -f "$root/etc/apt/sources.list"
        local part
        for part in sources.list sources.list.d apt.conf apt.conf.d preferences.d keyrings; do
            [[ ! -e /etc/apt/$part ]] || cp -rL "/etc/apt/$part" "$root/etc/apt/"
        done
    fi
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    chroot "$root" apt-get update
    tar -C "$root" -cf "$base.new" .
    mv "$base.new" "$base"
    rm -rf --one-file-system "$root"
}

# In a mount namespace of its own: the mounts end with it, and nothing can be deleted through them.
try()
{
    local command=$1 root=$work/root-$1 status=0
    rm -rf --one-file-system "$root"
    mkdir -p "$root"
    tar -C "$root" -xf "$base"
    git clone --quiet --bare --no-hardlinks . "$root/srv/mcp-pool.git"
    local proxies=() name
    for name in http_proxy https_proxy no_proxy; do
        [[ -z ${!name:-} ]] || proxies+=("$name=${!name}")
    done
    unshare --mount --propagation private -- bash -euc '
        root=$1 command=$2
        shift 2
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        exec chroot "$root" env -i HOME=/root TERM=dumb LANG=C.UTF-8 \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" \
            bash -euc "cd /root; git clone --quiet /srv/mcp-pool.git; cd mcp-pool; ./run $command </dev/null"
        ' bash "$root" "$command" "${proxies[@]}" || status=$?
    if ((status == 0)); then
        rm -rf --one-file-system "$root"
    else
        echo "The root is kept in ${root#"$PWD/"}." >&2
    fi
    return "$status"
}

[[ -e $base ]] || make_base
failed=()
for command in "$@"; do
    printf '\n=== ./run %s in a fresh %s ===\n' "$command" "$suite"
    try "$command" || failed+=("$command")
done
if ((${#failed[@]})); then
    echo "Failed: ${failed[*]}" >&2
    exit 1
fi
