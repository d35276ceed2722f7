# shellcheck shell=bash
# bats runs this around all files of one call. Under tools/check the run exists already.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/porthole.bash"

setup_suite() {
	pt_run_start
}

teardown_suite() {
	pt_run_stop
}
