# shellcheck shell=bash
# The test library, for bats files, tools/try and bench/run: `load ../lib/porthole`, or source it.
# docs/TESTING.md tells what is here.
PT_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PORTHOLE_SRC=$(cd "$PT_LIB/../.." && pwd)
PORTHOLE_BUILD=${PORTHOLE_BUILD:-$PORTHOLE_SRC/build}
PORTHOLE=${PORTHOLE:-$PORTHOLE_BUILD/porthole}
PT_TOOLS=$PORTHOLE_BUILD/tests
PT_CACHE=${PT_CACHE:-/var/tmp/porthole-tests}
export PORTHOLE_SRC PORTHOLE_BUILD PORTHOLE PT_TOOLS PT_CACHE

[[ -z ${BATS_VERSION:-} ]] || bats_require_minimum_version 1.5.0 # run -N, --separate-stderr

# shellcheck source=/dev/null
for _lib in base require proc cgroup image engine docker podman containerd oci lxc newer nspawn plain flatpak odd residue exec probe kernel vm; do
	. "$PT_LIB/$_lib.bash"
done
unset _lib
