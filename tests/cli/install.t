# SPDX-License-Identifier: Apache-2.0
# make install and uninstall: the installed tree works, can be moved, and goes without a trace.
. "$NX_SRC/tests/lib/tap.sh"
. "$NX_SRC/tests/lib/job.sh"
mode=$(basename "$(dirname "$NX_BIN")")
make_it() { make -s -C "$NX_SRC" MODE="$mode" B="build/$mode" "$@" DESTDIR="$TAP_DIR/dest" PREFIX=/opt/nexus; }
[ "$NX_BIN" = "$NX_SRC/build/$mode/bin" ] || skip_all "the build folder is not build/MODE"

mkdir dest
true_that "make install" make_it install
(cd dest && find . -type f | sort) >installed
like "programs" installed '^\./opt/nexus/bin/nexus-plan$'
like "plugins" installed '^\./opt/nexus/lib/nexus/cpu\.so$'
like "schemas" installed '^\./opt/nexus/share/nexus/schemas/nexus-plan-1\.schema\.json$'
like "man pages" installed '^\./opt/nexus/share/man/man7/nexus\.7$'
like "bash completion" installed '/bash-completion/completions/nexus-serve$'
like "systemd units" installed '/systemd/nexus-route\.service$'
like "examples" installed '/examples/replan\.sh$'

# Somewhere else, and not from the source tree.
mv dest/opt/nexus moved
job_models
PATH=$TAP_DIR/moved/bin:$PATH
status 0 "a moved tree finds its plugins" "$TAP_DIR/moved/bin/nexus-profile" -d cpu -b 1 --time-cap 100ms models/icons.tar.gz
status 0 "and its schemas" "$TAP_DIR/moved/bin/nexus-plan" --schema plan
is "as installed" "$(cksum <out)" "$(cksum <moved/share/nexus/schemas/nexus-plan-1.schema.json)"
# Plugins of the current directory are nobody's.
mkdir evil && cp moved/lib/nexus/sim.so evil/cpu.so && rm moved/lib/nexus/cpu.so && cd evil || exit 71
status 69 "a plugin in the current directory is not loaded" nexus-profile -d cpu "$TAP_DIR/models/icons.tar.gz"
cd "$TAP_DIR" && cp "$NX_SRC/build/$mode/lib/nexus/cpu.so" moved/lib/nexus/
mv moved dest/opt/nexus

true_that "make uninstall" make_it uninstall
is "nothing is left" "$(find dest -mindepth 1 ! -path dest/opt | head -n 5)" ""

done_testing
