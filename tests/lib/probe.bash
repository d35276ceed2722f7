# shellcheck shell=bash
# What a host container made by an engine is, compared with Porthole's own; host_engine.bats and a virtual machine use it.

# The table of what an engine does otherwise: probe_expected ENGINE is how the facts of tests/tools/probe.sh on
# standard input are with it. porthole-host-run(1) tells all of it, and what is less than was asked for is said at the start.
#   nspawn              cannot keep the host's cgroup namespace
#   docker before 23.0  has not heard of the capabilities perfmon, bpf and checkpoint_restore
probe_expected() {
	local line key value api old=0
	if [[ $1 == docker ]]; then
		api=$(docker version -f '{{.Server.APIVersion}}')
		((${api#1.} >= 42)) || old=$((7 << 38))
	fi
	while read -r line; do
		read -r key value <<<"$line"
		case $key in
		Cap*) printf '%s %016x\n' "$key" $((16#$value & ~old)) ;;
		*) [[ $1 == nspawn && $line == "ns cgroup:"* ]] && line="ns cgroup: its own"
			printf '%s\n' "$line" ;;
		esac
	done
}
