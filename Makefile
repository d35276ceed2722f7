# A short front for Meson: `make` builds build/porthole. See README.md.
BUILD ?= build
MESON_ARGS ?=

.PHONY: all try check bench lint install dist clean
all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

$(BUILD)/build.ninja: meson.build
	@meson setup $(BUILD) $(MESON_ARGS) >/dev/null

clean:
	@rm -rf $(BUILD)
