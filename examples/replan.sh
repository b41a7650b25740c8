#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One round of re-planning, for cron: asks the router what it sees, plans for that, and if the plan
# changed puts it in place and tells router and backends to load it.  Silent when nothing changes.
#
#	examples/replan.sh PROFILES WORKLOAD PLAN [ROUTER]
#
# A crontab line (see share/nexus/crontab):
#	*/5 * * * *  nexus  cd /var/lib/nexus && sh /usr/local/share/nexus/examples/replan.sh profiles.json workload.json plan.json
#
# NEXUS_RELOAD is run after a change, with the plan as its argument; by default every nexus-route and
# nexus-serve of this user gets SIGHUP.
set -eu
profiles=${1:?profiles} workload=${2:?workload} plan=${3:?plan} router=${4:-http://127.0.0.1:8000}

exec 9>"$plan.lock"
flock -n 9 || exit 75

next=$(mktemp "$plan.XXXXXX")
trap 'rm -f "$next"' EXIT
# Status 1 says that something stays unserved; the plan serves the rest.
nexus-route --stats "$router" |
	nexus-plan -q -p "$profiles" --previous "$plan" -s - "$workload" >"$next" || [ $? = 1 ]

# The epoch and the time always differ; what matters is who runs what.
what='{backends, routes, queries}'
if [ "$(jq -S "$what" "$plan")" = "$(jq -S "$what" "$next")" ]; then
	exit 0
fi
chmod 644 "$next"
mv -f "$next" "$plan"
jq -r '"plan \(.epoch): \(.summary.devices) devices, \(.summary.moved) moved"' "$plan"
if [ -n "${NEXUS_RELOAD:-}" ]; then
	$NEXUS_RELOAD "$plan"
else
	pkill -HUP -u "$(id -u)" -x 'nexus-(route|serve)' || :
fi
