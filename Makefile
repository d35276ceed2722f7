# A short front for Meson: `make` builds build/porthole and its default kit. See README.md.
SHELL = /bin/bash
.SHELLFLAGS = -o pipefail -c
BUILD ?= build
MESON_ARGS ?=
PREFIX ?= /usr/local
VERSION = $(shell sed -n "s/^ *version: '\(.*\)',/\1/p" meson.build)

.PHONY: all bin kit try check sweep vm arm64 bench lint install dist clean
# Without a working apt there is a binary all the same, and the reason why there is no kit.
all: bin
	@$(MAKE) --no-print-directory -q $(BUILD)/kit.erofs || $(KIT_BUILD) || \
		echo "make: $(BUILD)/porthole is built, its kit is not; 'make kit' tries again" >&2

bin: $(BUILD)/build.ninja
	@[ -e $(BUILD)/porthole ] || echo "make: building porthole" >&2
	@ninja -C $(BUILD) --quiet | { grep -v 'no work to do' || true; }

$(BUILD)/build.ninja: meson.build
	@command -v meson >/dev/null || { echo "make: no meson; 'sudo tools/deps build' installs what building needs" >&2; exit 1; }
	@meson setup $(BUILD) --prefix=$(PREFIX) $(MESON_ARGS) >/dev/null

# The default kit, beside the binary that finds it there; anew when what decides its content changed.
# Progress and a summary on a terminal, else one line.
KIT_SOURCES = $(addprefix kits/,rules.list default.list hot.pages) $(wildcard src/elf/ldcache.c $(addprefix src/kit/,apt.c \
	build.c debs.c elf*.c finish*.c manifest.c names.c pack.c relocate.c rewrite.c rules.c tar.c))
KIT_BUILD = { [ -t 2 ] || { q=-q; echo "make: building the kit of tools from Debian packages" >&2; }; $(BUILD)/porthole kit build $$q -o $(BUILD)/kit.erofs; }
kit: bin
	@$(MAKE) --no-print-directory --quiet $(BUILD)/kit.erofs
$(BUILD)/kit.erofs: $(KIT_SOURCES)
	@$(KIT_BUILD)

# These install what they need (Debian 12, as root) and then do as they say.
try:
	@tools/deps build && $(MAKE) --no-print-directory kit && tools/try

check:
	@tools/deps build test && $(MAKE) --no-print-directory bin && tools/check

# kill -9 on every system call of each verb that changes something; PART: of one. `check` takes samples of it.
sweep:
	@tools/deps build test && $(MAKE) --no-print-directory bin && PORTHOLE_BUILD=$(abspath $(BUILD)) tools/sweep $(if $(PART),'$(PART)')

# A whole Debian 12 in qemu (docs/TESTING.md): some minutes.
vm:
	@tools/deps build test && $(MAKE) --no-print-directory kit && PORTHOLE_MUST=all PORTHOLE_BUILD=$(abspath $(BUILD)) \
		bats --setup-suite-file tests/e2e/setup_suite.bash tests/vm/*.bats

# The binary and a kit for arm64, and those on an arm64 kernel in qemu (docs/TESTING.md): a few minutes.
arm64:
	@tools/deps build test arm64 && $(MAKE) --no-print-directory bin && PORTHOLE_BUILD=$(abspath $(BUILD)) tools/arm64

bench:
	@tools/deps build test && $(MAKE) --no-print-directory kit && bench/run

lint:
	@tools/lint

# The binary, man pages and completion below PREFIX, and the kit where it has been built.
install: bin
	@meson setup --reconfigure $(BUILD) --prefix=$(PREFIX) >/dev/null && ninja -C $(BUILD) --quiet >/dev/null
	@meson install -C $(BUILD) --no-rebuild --quiet
	@[ ! -e $(BUILD)/kit.erofs ] || install -D -m 644 $(BUILD)/kit.erofs $(DESTDIR)$(PREFIX)/lib/porthole/kit.erofs

# dist/: the source, the thin binary, the binary with the kit inside, and their checksums.
dist: kit
	@tools/dist $(BUILD)

clean:
	@rm -rf $(BUILD)
