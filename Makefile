# SPDX-License-Identifier: LGPL-2.1-or-later
# The front door; the build itself is meson's. `make help` says what there is.

ifeq ($(origin CC),default)
CC = gcc
endif
SANITIZE ?= none
PREFIX ?= /usr/local
export CC SANITIZE JOBS

.PHONY: all help deps demo check check-fresh deb bench soak fuzz coverage mutate tsan valgrind tidy format install clean

all:
	@tools/packages check build
	@tools/build build

help:
	@echo "make              builds build/clinch"
	@echo "make deps         installs every Debian package that the targets below need"
	@echo "make demo         the whole loop on loopback (clinch demo), then the verdicts on other servers"
	@echo "make check        builds and runs every test; CC=clang, SANITIZE=address,undefined, TESTS='name... --suite name'"
	@echo "make check-fresh  demo and check in a bare Debian 12 and 13 (as root)"
	@echo "make deb          Debian packages of what is committed, in build-deb/, judged by lintian"
	@echo "make bench        the measured figures, beside their limits and the peers"
	@echo "make soak         long runs: 100 kills, 100,000 handshakes, 1,000 reloads; TESTS='name...'"
	@echo "make fuzz         each fuzzer for SECONDS (600)"
	@echo "make coverage     the lines of src/ocsp and src/der that the fuzzers' corpora reach: at least 95 %"
	@echo "make valgrind     the unit tests under valgrind"
	@echo "make tsan         serve, keep and respond under load, built with ThreadSanitizer"
	@echo "make mutate       takes out each refusal in turn: some test has to notice"
	@echo "make tidy         clang-tidy; make format: clang-format over the tree"
	@echo "make install      PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)"
	@echo "make clean        removes the build directories"

deps:
	@tools/packages install build demo test bench clang coverage fresh

demo:
	@tools/packages install build demo
	@tools/build build
	@build/clinch demo
	@tools/demo

check:
	@tools/packages install build demo test $(if $(findstring clang,$(CC)),clang)
	@tools/check $(TESTS)

check-fresh:
	@tools/packages install fresh
	@tools/check-fresh $(RELEASES)

deb:
	@tools/packages install build deb
	@tools/deb

bench:
	@tools/packages install build demo test bench
	@bench/run build-bench

soak:
	@tools/packages install build demo test
	@tools/soak $(TESTS)

fuzz:
	@tools/packages install build test clang
	@tools/fuzz $(or $(SECONDS),600)

coverage:
	@tools/packages install build demo test coverage
	@tests/fuzz/coverage 95

valgrind:
	@tools/packages install build demo test
	@tools/build build
	@meson test -C build --no-rebuild --suite valgrind

tsan:
	@tools/packages install build demo test clang
	@CC=clang SANITIZE=thread tools/build build-tsan
	@meson test -C build-tsan --no-rebuild --suite tsan --print-errorlogs

mutate:
	@tools/packages install build demo test
	@tools/mutate/mutate

tidy:
	@tools/packages install build clang
	@tools/build build
	@tools/tidy build

format:
	@tools/packages install test
	@git ls-files -z -- '*.c' '*.h' | xargs -0 clang-format-14 -i

install:
	@tools/packages check build
	@SANITIZE=none tools/build build-install -Dtests=false -Dprefix=$(PREFIX) --buildtype=debugoptimized
	@meson install -C build-install --no-rebuild

clean:
	rm -rf build build-bench build-coverage build-fuzz build-mutate build-tsan build-install build-gcc-* build-clang-*
