# Run by porthole inject in mount, pid and network namespaces of its own:
#   sh debian.sh WORK OUT DEB...
# Makes a root filesystem of Debian packages, configured, in a tmpfs below WORK, and writes it to OUT
# as a tar. Everything but OUT goes with the namespaces.
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 022
cd "$1"
out=$2
shift 2
mkdir -p s
mount -t tmpfs -o mode=755 porthole s
# older suites merge /bin into /usr/bin by a script that runs too late for us
for d in bin sbin lib lib64; do
	case $d in lib64) [ -e /lib64 ] || continue ;; esac
	mkdir -p "s/usr/$d"
	ln -s "usr/$d" "s/$d"
done
# what the packages' scripts need: all files first, as nothing is configured yet
for deb; do
	dpkg-deb --fsys-tarfile "$deb" | tar -C s -x -p --keep-directory-symlink -f -
done
mkdir -p s/dev s/proc s/var/lib/dpkg/info s/var/lib/dpkg/updates
mount -t tmpfs porthole s/dev
for d in null zero full random urandom tty; do
	cp -a "/dev/$d" s/dev/
done
mount -t proc proc s/proc
: >s/var/lib/dpkg/status
: >s/var/lib/dpkg/available
# no service is started
printf '#!/bin/sh\nexit 101\n' >s/usr/sbin/policy-rc.d
chmod 755 s/usr/sbin/policy-rc.d
dpkg --root="$PWD/s" --force-depends --force-unsafe-io --force-confnew --unpack "$@"
dpkg --root="$PWD/s" --force-unsafe-io --configure -a
rm s/usr/sbin/policy-rc.d
# the same archives as on this machine, those of Debian
for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
	if grep -sqE '^(URIs:|deb )[^#]*debian' "$f"; then
		cp "$f" "s${f}"
	fi
done
if ! grep -rqsE '^(URIs:|deb )' s/etc/apt/sources.list s/etc/apt/sources.list.d; then
	. s/etc/os-release
	echo "deb http://deb.debian.org/debian $VERSION_CODENAME main" >s/etc/apt/sources.list
fi
rm -f s/var/log/*.log s/var/log/apt/* s/var/cache/apt/*.bin s/var/cache/ldconfig/aux-cache s/etc/*- s/var/lib/dpkg/*-old
umount s/proc s/dev
tar -C s --format=posix --xattrs --sort=name -cf "$out" .
