#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the packages of deps.txt that are wanted and missing: deps.sh build demo check
# Needs root or sudo only when something is missing.  Works on Debian 12 and its relatives.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

missing=
while read -r package when; do
	case $package in '' | '#'*) continue ;; esac
	case " $* " in *" $when "*) ;; *) continue ;; esac
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :)
	[ "$state" = installed ] || missing="$missing $package"
done <"$here/deps.txt"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	sudo=
elif command -v sudo >/dev/null 2>&1; then
	sudo=sudo
else
	echo "deps.sh: these packages are missing, and installing them needs root or sudo:$missing" >&2
	exit 77
fi
echo "deps.sh: installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$sudo apt-get update -q >&2
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >&2
