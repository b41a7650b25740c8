# SPDX-License-Identifier: Apache-2.0
# The option tables, --help, the man pages and the completions say the same.
. "$NX_SRC/tests/lib/tap.sh"

for tool in profile plan serve route bench; do
	program=nexus-$tool page=$NX_SRC/man/nexus-$tool.1

	status 0 "$program --help" "$program" --help
	empty "$program --help says nothing on standard error" err
	like "$program --help names itself" out "^usage: $program "
	status 0 "$program --version" "$program" --version
	like "$program --version" out "^$program \\(Nexus\\) [0-9]+\\.[0-9]+\\.[0-9]+$"

	sh "$NX_SRC/tests/lib/man_options.sh" "$NX_BIN/$program" "$page" >page.1
	true_that "$program(1): OPTIONS are the table's (make man)" diff -u "$page" page.1

	# Options that the page's text speaks of exist.
	"$program" --help >help
	missing=$(grep -oE 'Fl \\-[a-z\\-]+' "$page" | sed 's/Fl \\-/--/; s/\\//g' | sort -u | while read -r o; do
		grep -qE -- "(^| )$o(=|\$)" help || echo "$o"
	done)
	is "$program(1) names only options that exist" "$missing" ""

	for shell in bash zsh fish; do
		status 0 "$program --help-complete=$shell" "$program" --help-complete=$shell
	done
	"$program" --help-complete=bash >complete.bash
	if command -v bash >/dev/null; then
		true_that "$program: the bash completion parses" bash -n complete.bash
	fi
	status 64 "$program refuses an unknown option" "$program" --no-such-option
	like "$program points to --help" err "^Try '$program --help'\\.$"
	empty "$program prints nothing on standard output then" out
done

for page in "$NX_SRC"/man/*.[0-9]; do
	true_that "mandoc -T lint $(basename "$page")" mandoc -T lint -W warning "$page"
done

for kind in profile workload plan stats bench event model; do
	nexus-plan --schema $kind >schema.json
	is "--schema $kind" "$(jq -r .title schema.json 2>&1 | grep -c "nexus-$kind")" 1
done
status 66 "--schema of no format" nexus-plan --schema nosuch

common_part() { "nexus-$1" --help | sed -n '/-h, --help/,/^Exit status/p'; }
for tool in plan serve route bench; do
	is "nexus-$tool words the common options as nexus-profile does" "$(common_part $tool)" "$(common_part profile)"
done

done_testing
