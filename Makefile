# The front door. Meson and ninja do the work in build/.
#
#   make            build everything into build/             make check    run every test (as root)
#   make demo       the classic demonstration (as root)      make bench    measure beside what else is installed
#   make lint       formatting, clang-tidy, cppcheck         make asan     build and unit-test with sanitizers
#   make install    DESTDIR= PREFIX=/usr/local               make clean

BUILD  ?= build
PREFIX ?= /usr/local
MESON_OPTIONS ?=

.PHONY: all check demo bench lint format asan install clean packages-build

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) $(NINJA_OPTIONS)

$(BUILD)/build.ninja: | packages-build
	meson setup $(BUILD) --prefix=$(PREFIX) $(MESON_OPTIONS)

packages-build:
	@tools/packages build

check:
	@tools/packages build check
	@$(MAKE) --no-print-directory all
	@tests/run $(TESTS)

demo:
	@tools/packages build demo
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) tools/demo

bench: all
	@tools/packages bench
	@BUILD=$(BUILD) bench/run $(BENCH)

lint:
	@tools/packages build lint
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@BUILD=$(BUILD) tools/lint

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

asan:
	@tools/packages build check
	@[ -e $(BUILD)-asan/build.ninja ] || meson setup $(BUILD)-asan -Db_sanitize=address,undefined -Db_lundef=false
	@ninja -C $(BUILD)-asan
	@meson test -C $(BUILD)-asan --suite unit --print-errorlogs

install: all
	@meson setup --reconfigure $(BUILD) --prefix=$(PREFIX) >/dev/null
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) $(BUILD)-asan
