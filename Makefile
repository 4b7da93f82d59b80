# SPDX-License-Identifier: BSL-1.0
#
# Short names for what CMake, CTest and the package manager do. Variables: HOST, PORT, STORE, THREADS, LIVES, SEED,
# KILLS, MINUTES, TARGET, JOBS, and DEPS=skip, which leaves the installing of packages to you.

HOST ?= 127.0.0.1
JOBS ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
DEPS ?= install
deps = $(if $(filter skip,$(DEPS)),@:,@.ci/deps)
ctest = ctest --parallel $(JOBS)

# Ninja where it is present; a build folder that exists keeps its generator.
with_generator = ! command -v ninja >/dev/null || export CMAKE_GENERATOR="$${CMAKE_GENERATOR:-Ninja}";
# A user who wants one program needs neither the packages of the tests nor our warnings as errors.
configure_program = $(with_generator) cmake -S . -B build \
  $$(test -f build/CMakeCache.txt || echo -DPUREWS_BUILD_TESTS=OFF -DPUREWS_BUILD_BENCH=OFF) >/dev/null

.DEFAULT_GOAL := help
.PHONY: help deps build check test test-asan test-tsan test-valgrind test-portability sim soak fuzz coverage mutate \
  npm chat echo bench format clean
.NOTPARALLEL:

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

deps: ## install what building and testing need (says first what that is)
	$(deps) build chat bench test

build: ## build the programs, tests and benchmarks; programs are in build/bin/
	@command -v cmake >/dev/null || { echo "cmake is missing: run 'make deps' first" >&2; exit 1; }
	@$(with_generator) cmake --preset release
	@cmake --build build --parallel $(JOBS)

check: build ## build, and run the fast tests: no services, no browser, no packaging
	@$(ctest) --preset release --label-regex 'unit|tidy'

test: ## install, build and start what it takes, and run every test
	$(deps) build chat bench test
	@$(MAKE) --no-print-directory build npm
	@$(ctest) --preset release

test-asan: ## all tests with AddressSanitizer and UndefinedBehaviorSanitizer
	$(deps) build chat test
	@$(with_generator) cmake --preset asan
	@cmake --build build/asan --parallel $(JOBS)
	@$(MAKE) --no-print-directory npm
	@$(ctest) --preset asan

test-tsan: ## the unit tests with ThreadSanitizer
	$(deps) build chat test
	@$(with_generator) cmake --preset tsan
	@cmake --build build/tsan --parallel $(JOBS)
	@$(ctest) --preset tsan

test-valgrind: ## the unit tests under valgrind's memcheck
	$(deps) build test valgrind
	@$(with_generator) cmake --preset valgrind
	@cmake --build build/valgrind --parallel $(JOBS)
	@$(ctest) --preset valgrind

sim: ## run lives of the simulator (LIVES=1000000, SEED= the first one's seed)
	$(deps) build test
	@$(with_generator) cmake --preset release >/dev/null
	@cmake --build build --parallel $(JOBS) --target sim
	@build/bin/sim --lives $(or $(LIVES),1000000) --seed $(or $(SEED),0) --jobs $(JOBS)

soak: ## kill the chat and its PostgreSQL many times during traffic (KILLS=100, SEED= of the faults)
	$(deps) build chat test
	@$(MAKE) --no-print-directory build npm
	@cd tests/service && KILLS=$(or $(KILLS),100) $(if $(SEED),SEED=$(SEED)) node --test --test-reporter spec \
	  chat_faults.test.mjs chat_postgres.test.mjs

fuzz: ## let libFuzzer try each fuzz target for so many minutes of CPU time (MINUTES=10, TARGET=utf8)
	$(deps) build chat test fuzz
	@$(with_generator) cmake --preset fuzz
	@cmake --build build/fuzz --parallel $(JOBS) --target $(if $(TARGET),fuzz_$(TARGET),fuzz)
	@tests/fuzz/run.sh build/fuzz $(or $(MINUTES),10) $(TARGET)

test-portability: ## the core's tests by other compilers, on other machines (wine, qemu)
	$(deps) build test portability
	@$(with_generator) cmake --preset portability
	@$(ctest) --preset portability

coverage: ## the lines and branches of the core that the tests reach; fails where a gap is not explained
	$(deps) build test coverage
	@$(with_generator) cmake --preset coverage
	@node tests/coverage/coverage.mjs

mutate: ## the checks of the core, disabled one by one; fails where no test notices (MUTATE=wire/frame.hpp)
	$(deps) build test
	@$(with_generator) node tests/mutate/mutate.mjs $(MUTATE)

# What the service tests take from npm, when their list has changed.
npm: $(if $(wildcard tests/service/package.json),tests/service/node_modules/.package-lock.json)
tests/service/node_modules/.package-lock.json: tests/service/package.json $(wildcard tests/service/package-lock.json)
	@cd tests/service && npm $(if $(wildcard tests/service/package-lock.json),ci,install) --no-audit --no-fund
	@touch $@

chat: ## install and build what the chat needs, and run it on http://127.0.0.1:8080 (PORT=, STORE=sqlite:FILE)
	$(deps) build chat
	@$(configure_program)
	@cmake --build build --parallel $(JOBS) --target chat_server
	@echo "open http://$(HOST):$(or $(PORT),8080) in two browser tabs; Ctrl-C ends the chat"
	@exec build/bin/chat_server --host $(HOST) --port $(or $(PORT),8080) $(if $(STORE),--store "$(STORE)")

echo: ## install and build what the echo server needs, and run it on ws://127.0.0.1:9001 (PORT=, THREADS=)
	$(deps) build
	@$(configure_program)
	@cmake --build build --parallel $(JOBS) --target echo_server
	@exec build/bin/echo_server --host $(HOST) --port $(or $(PORT),9001) $(if $(THREADS),--threads $(THREADS))

bench: ## build and run the benchmarks (BENCH_ARGS=--benchmark_filter=...)
	$(deps) build bench
	@$(with_generator) cmake --preset release $$(test -f build/CMakeCache.txt || echo -DPUREWS_BUILD_TESTS=OFF)
	@cmake --build build --parallel $(JOBS) --target bench
	@for program in build/bin/bench_*; do "$$program" $(BENCH_ARGS) || exit 1; done

format: ## format the C++ sources with clang-format
	@find include examples tests bench -name node_modules -prune -o \( -name '*.hpp' -o -name '*.cpp' \) -print0 | \
	  xargs -0 clang-format -i

clean: ## remove everything that was built
	@rm -rf build tests/service/node_modules
