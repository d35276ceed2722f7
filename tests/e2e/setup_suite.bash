# shellcheck shell=bash
# bats runs this around all files of one call. Under tools/check the run exists already.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/porthole.bash"

setup_suite() {
	pt_run_start && echo "$BATS_RUN_TMPDIR" >>"$PT_RUN/bats"
}

teardown_suite() {
	cgroups_sweep "$PT_RUN"
	pt_run_stop
}
