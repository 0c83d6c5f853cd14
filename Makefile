# Resilient Analytics API
#
#   make run            install what is missing, build, start everything; Ctrl-C stops it
#   make check          install what is missing, build, run every test
#   make help           all targets
#
# MODE=release|debug|asan|tsan|cover selects a build, each in its own folder (make fuzz has
# another).

MODE ?= release
WERROR ?= 0
BUILD := build/$(MODE)
GEN := build/gen
VERSION := $(shell cat VERSION)
PREFIX ?= /usr/local

CC ?= gcc
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
    -Wmissing-prototypes -Wwrite-strings -Wformat=2 -Wundef -Wvla
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
CFLAGS_debug := -O0 -g3
CFLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
CFLAGS_cover := -O0 -g --coverage
CFLAGS_fuzz := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
    -fno-sanitize-recover=all
LDFLAGS_release := -pie -Wl,-z,relro,-z,now
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread
LDFLAGS_cover := --coverage
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined
ifeq ($(CFLAGS_$(MODE)),)
$(error MODE is "$(MODE)"; it may be release, debug, asan, tsan or cover)
endif
ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -DANALYTICS_VERSION='"$(VERSION)"' -pthread -MMD -MP \
    $(WARNINGS) $(CFLAGS_$(MODE)) $(CFLAGS)
ALL_LDFLAGS := -pthread $(LDFLAGS_$(MODE)) $(LDFLAGS)
LIBS := -lhiredis -ljansson -ldeflate -lsnappy -lm

# Who may include whom: downwards only. A header that is not listed is not found.
INC_lib/base := -Ilib/base
INC_lib/json := $(INC_lib/base) -Ilib/json
INC_lib/redis := $(INC_lib/base) -Ilib/redis -I$(GEN)
INC_lib/guard := $(INC_lib/redis) -Ilib/guard
INC_lib/metrics := $(INC_lib/guard) -Ilib/metrics
INC_lib/formats := $(INC_lib/json) -Ilib/metrics -Ilib/formats
INC_lib/upstream := $(INC_lib/guard) -Ilib/json -Ilib/upstream
INC_lib/load := $(INC_lib/json) -Ilib/load
INC_fcgi := -Ilib/metrics -Ilib/formats $(INC_lib/upstream) -Ifcgi
INC_www := $(INC_lib/json)
INC_tests := $(INC_fcgi) -Ilib/load -Itests/support

LIB_DIRS := lib/base lib/json lib/redis lib/guard lib/metrics lib/formats lib/upstream lib/load
LOADER_MAIN := lib/load/load_main
LIB_SOURCES := $(filter-out $(LOADER_MAIN).c,$(foreach d,$(LIB_DIRS),$(wildcard $(d)/*.c)))
FCGI_SOURCES := $(wildcard fcgi/*.c)
LUA := $(wildcard lib/redis/scripts/*.lua)
LUA_PARTS := $(wildcard lib/redis/scripts/lib/*.lua)
SUPPORT_SOURCES := $(wildcard tests/support/*.c)
TEST_SOURCES := $(wildcard tests/unit/test_*.c tests/integration/test_*.c)
TOOL_SOURCES := $(wildcard tests/bench/*.c tests/e2e/*.c)
FUZZ_SOURCES := $(wildcard tests/fuzz/*.c)

LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/gen/redis_scripts_table.o
FCGI_OBJECTS := $(FCGI_SOURCES:%.c=$(BUILD)/%.o)
# Everything of the worker but its main, for tests.
WORKER_PARTS := $(filter-out $(BUILD)/fcgi/main.o,$(FCGI_OBJECTS))
SUPPORT_OBJECTS := $(SUPPORT_SOURCES:%.c=$(BUILD)/%.o)
TESTS := $(TEST_SOURCES:%.c=$(BUILD)/%)
TOOLS := $(TOOL_SOURCES:%.c=$(BUILD)/%)
FUZZERS := $(FUZZ_SOURCES:%.c=build/fuzz/%)
WORKER := $(BUILD)/analytics.fcgi
LOADER := $(BUILD)/analytics-load
WWW := build/www/openapi.json
C_FILES := $(wildcard lib/*/*.[ch] fcgi/*.[ch] tests/*/*.[ch] www/*.c)
JOBS := $(shell nproc)

.PHONY: all tests run start stop status check check-asan check-tsan senders browser screenshots fuzz bench generate lint tidy format \
    install deps deps-run deps-test deps-bench deps-lint deps-fuzz clean help
.DEFAULT_GOAL := all
.SECONDARY:

all: $(WORKER) $(LOADER) $(WWW) ## build build/release/analytics.fcgi, the worker, and analytics-load

tests: $(TESTS) $(TOOLS) $(WORKER) $(LOADER) $(WWW) ## build the tests too

$(WORKER): $(FCGI_OBJECTS) $(BUILD)/libanalytics.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lfcgi $(LIBS)

$(LOADER): $(BUILD)/$(LOADER_MAIN).o $(BUILD)/libanalytics.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcurl -ljansson -lm

$(BUILD)/libanalytics.a: $(LIB_OBJECTS)
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/libworker.a: $(WORKER_PARTS)
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/libsupport.a: $(SUPPORT_OBJECTS)
	rm -f $@
	$(AR) rcs $@ $^

$(TESTS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libsupport.a $(BUILD)/libworker.a $(BUILD)/libanalytics.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka -lfcgi $(LIBS)

$(TOOLS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libsupport.a $(BUILD)/libworker.a $(BUILD)/libanalytics.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lfcgi $(LIBS)

$(FUZZERS): build/fuzz/%: build/fuzz/%.o build/fuzz/libsupport.a build/fuzz/libanalytics.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

define folder_rule
$(BUILD)/$(1)/%.o: $(1)/%.c Makefile VERSION $$(GEN)/redis_scripts_table.h
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_CFLAGS) $$(INC_$(2)) -c -o $$@ $$<
endef
$(foreach d,$(LIB_DIRS) fcgi www,$(eval $(call folder_rule,$(d),$(d))))
$(foreach d,unit integration support bench e2e fuzz,$(eval $(call folder_rule,tests/$(d),tests)))

$(BUILD)/gen/redis_scripts_table.o: $(GEN)/redis_scripts_table.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INC_lib/redis) -c -o $@ $<

$(GEN)/redis_scripts_table.h $(GEN)/redis_scripts_table.c &: $(LUA) $(LUA_PARTS) lib/redis/scripts/embed.sh
	lib/redis/scripts/embed.sh $(GEN) $(LUA)

# --- Static files -------------------------------------------------------------------

# What a folder's package.json names, from npm. Its scripts are not run.
NPM_CI = cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier >npm.log 2>&1 || \
    { cat npm.log >&2; exit 1; }

build/npm/%: www/%
	@mkdir -p $(@D)
	@cp $< $@

build/npm/installed: build/npm/package.json build/npm/package-lock.json
	@$(NPM_CI)
	@touch $@

$(WWW): www/assemble $(wildcard www/*.html www/*.js www/*.json www/*.css www/dashboard/*) build/npm/redoc.html \
    build/npm/installed
	www/assemble $(CURDIR)/build/www $(CURDIR)/build/npm/node_modules $(CURDIR)/build/npm/redoc.html

build/npm/redoc.html: www/openapi.json $(BUILD)/www/render_docs
	@mkdir -p $(@D)
	$(BUILD)/www/render_docs $< >$@.new
	mv $@.new $@

$(BUILD)/www/render_docs: $(BUILD)/www/render_docs.o $(BUILD)/libanalytics.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# --- Running ------------------------------------------------------------------------
# Variables on the command line reach the service through the environment:
#   make start APP_PORT=8123 RUN_DIR=/tmp/x RATE_LIMIT_REQUESTS=1000

# In place of the shell, which would not hand a SIGTERM on.
SERVICE = exec env ANALYTICS_WORKER=$(CURDIR)/$(WORKER) conf/service

run: deps-run ## install what is missing, build, start everything; Ctrl-C stops it
	@$(MAKE) -s --no-print-directory -j$(JOBS) all
	@$(SERVICE) run

start: deps-run ## the same in the background
	@$(MAKE) -s --no-print-directory -j$(JOBS) all
	@$(SERVICE) start

stop: ## stop what make start started
	@$(SERVICE) stop

status: ## what runs, with process ids
	@$(SERVICE) status

# --- Testing ------------------------------------------------------------------------

check: deps-test ## install what is missing, build, run every test (SUITES="..." for some)
	@$(MAKE) -s --no-print-directory -j$(JOBS) tests
	@MODE=$(MODE) tests/run $(SUITES)

check-asan: ## every test under the address and undefined behaviour sanitizers
	@$(MAKE) --no-print-directory check MODE=asan

check-tsan: ## every test under the thread sanitizer
	@$(MAKE) --no-print-directory check MODE=tsan

# Clients of others, from npm, beside the scripts that use them: tests/e2e/senders.test.sh makes
# this, so that it alone fails where there is no registry.
SENDERS := $(patsubst tests/e2e/%,build/%,$(wildcard tests/e2e/senders/*.mjs))
senders: $(SENDERS) build/senders/installed

build/senders/%: tests/e2e/senders/%
	@mkdir -p $(@D)
	@cp $< $@

# And what drives a browser, for tests/e2e/driver.sh.
BROWSER := $(patsubst tests/e2e/%,build/%,$(wildcard tests/e2e/browser/*.mjs))
browser: $(BROWSER) build/browser/installed

build/browser/%: tests/e2e/browser/%
	@mkdir -p $(@D)
	@cp $< $@

screenshots: $(BROWSER) build/browser/installed ## pictures of the dashboard, into www/screenshots
	@$(MAKE) -s --no-print-directory -j$(JOBS) all $(BUILD)/tests/bench/generate
	@MODE=$(MODE) tests/e2e/screenshots

build/senders/installed build/browser/installed: build/%/installed: build/%/package.json build/%/package-lock.json
	@$(NPM_CI)
	@touch $@

FUZZ_SECONDS ?= 20
fuzz: deps-fuzz ## arbitrary bytes for the decoders, FUZZ_SECONDS=20 for each (clang)
	@$(MAKE) -s --no-print-directory -j$(JOBS) MODE=fuzz CC=clang $(FUZZERS)
	@tests/fuzz/run $(FUZZ_SECONDS) $(FUZZERS)

bench: deps-bench ## measure, beside a bare responder; prints ratios
	@$(MAKE) -s --no-print-directory -j$(JOBS) tests
	@tests/bench/run

generate: deps-test ## build the generator of realistic series, $(BUILD)/tests/bench/generate
	@$(MAKE) -s --no-print-directory -j$(JOBS) $(BUILD)/tests/bench/generate

deps: deps-run ## install what make run needs
deps-run:
	@conf/install-deps.sh run
deps-test:
	@conf/install-deps.sh run test
deps-bench:
	@conf/install-deps.sh run test bench
deps-lint:
	@conf/install-deps.sh run test lint
deps-fuzz:
	@conf/install-deps.sh run fuzz

# --- Style --------------------------------------------------------------------------

lint: deps-lint ## format, static analysis, and the walls between the folders
	@$(MAKE) --no-print-directory -j$(JOBS) WERROR=1 tests all
	@$(MAKE) --no-print-directory -j$(JOBS) tidy
	@tests/lint

# clang-tidy, for the files that changed since it last found nothing.
tidy: $(patsubst %.c,$(BUILD)/tidy/%.ok,$(filter %.c,$(C_FILES)))

define tidy_rule
$(BUILD)/tidy/$(1)/%.ok: $(1)/%.c .clang-tidy $(BUILD)/$(1)/%.o
	@mkdir -p $$(@D)
	@clang-tidy --quiet $$< -- $$(filter-out -M%,$$(ALL_CFLAGS)) $$(INC_$(2)) 2>$$@.log || \
	    { cat $$@.log >&2; exit 1; }
	@touch $$@
endef
$(foreach d,$(LIB_DIRS) fcgi www,$(eval $(call tidy_rule,$(d),$(d))))
$(foreach d,unit integration support bench e2e fuzz,$(eval $(call tidy_rule,tests/$(d),tests)))

format: ## format all C files in place
	clang-format -i $(C_FILES)

# --- Installing ---------------------------------------------------------------------

LIBEXEC := $(DESTDIR)$(PREFIX)/libexec/analytics
UNITS := $(DESTDIR)$(PREFIX)/lib/systemd/system

install: all ## DESTDIR= PREFIX=/usr/local: worker, loader, conf, static files, units
	install -d $(LIBEXEC)/conf $(LIBEXEC)/www $(UNITS) $(DESTDIR)$(PREFIX)/bin
	install $(WORKER) $(LIBEXEC)/
	install conf/service $(LIBEXEC)/conf/
	install -m 644 conf/*.conf $(LIBEXEC)/conf/
	install -m 644 conf/systemd/* $(UNITS)/
	sed -i 's|/usr/local|$(PREFIX)|g' $(LIBEXEC)/conf/nginx.conf $(UNITS)/analytics.service
	cp -r --no-preserve=ownership build/www/. $(LIBEXEC)/www/
	ln -sf ../libexec/analytics/conf/service $(DESTDIR)$(PREFIX)/bin/analytics
	install $(LOADER) $(DESTDIR)$(PREFIX)/bin/

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

clean: ## remove what was built (data under var/ stay)
	rm -rf build

-include $(LIB_OBJECTS:.o=.d) $(BUILD)/$(LOADER_MAIN).d $(FCGI_OBJECTS:.o=.d) $(SUPPORT_OBJECTS:.o=.d) \
    $(TEST_SOURCES:%.c=$(BUILD)/%.d) $(TOOL_SOURCES:%.c=$(BUILD)/%.d) $(FUZZ_SOURCES:%.c=$(BUILD)/%.d) \
    $(BUILD)/www/render_docs.d
