# SPDX-License-Identifier: MIT
# kiln: one non-recursive Makefile. `make help` lists the targets.

RELEASE ?= lab
CLUSTER ?= profiles/cluster.yaml
OUT ?= out
PREFIX ?= /usr/local
DESTDIR ?=
B := build
CACHE ?= $(B)/cache
JOBS ?= $(shell nproc)

CC ?= gcc
PACKAGES := yaml-0.1 modulemd-2.0 libsolv libsolvext rpm sqlite3 libcurl libarchive libcrypto libdeflate zlib libsquashfs1 blkid jansson liblzma libzstd libmicrohttpd libcap expat
CPPFLAGS += -D_GNU_SOURCE -Ibuilder -I.
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu17 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
	-Wno-format-nonliteral -Wno-missing-field-initializers -fstack-protector-strong -D_FORTIFY_SOURCE=2 -pthread
ifdef WERROR
CFLAGS += -Werror
endif
ifdef SANITIZE
CFLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -U_FORTIFY_SOURCE
B := build/sanitize
endif

# Debian packages first: pkg-config's answers below need them. A goal installs the groups that it needs, and no other.
GOALS := $(or $(MAKECMDGOALS),all)
DEPS_GROUPS := build $(if $(filter images lab test test-rack bench,$(GOALS)),images) \
	$(if $(filter test test-rack,$(GOALS)),serve rack) $(sort $(patsubst test-rack,test,$(filter test test-rack bench lint,$(GOALS))))
DEPS_MISSING := $(strip $(foreach group,$(DEPS_GROUPS),$(shell test build/deps.$(group).stamp -nt .debian-packages || echo $(group))))
ifneq ($(filter-out deps clean help distclean,$(GOALS)),)
ifneq ($(DEPS_MISSING),)
DEPS_RESULT := $(shell ./tests/deps $(DEPS_MISSING) >&2 && echo ok)
ifneq ($(DEPS_RESULT),ok)
$(error the Debian packages of .debian-packages could not be installed)
endif
endif
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES))
PKG_LIBS := $(shell pkg-config --libs $(PACKAGES)) -ldb-5.3
endif

# Three levels: builder/build/build.c, builder/packages/solve/pool.c.
KILN_SOURCES := $(wildcard builder/*.c builder/*/*.c builder/*/*/*.c)
KILN_OBJECTS := $(KILN_SOURCES:%.c=$(B)/%.o)
KILN_LIBRARY := $(B)/libkiln.a

# The helper links what it calls of base/ and shared/, and nothing else of the builder.
NODE_SHARED := $(wildcard builder/base/*.c builder/shared/*.c)
NODE_SHARED_LIBRARY := $(B)/static/libshared.a
NODE_SOURCES := $(wildcard firmware/node/*.c firmware/node/*/*.c)
NODE_OBJECTS := $(NODE_SOURCES:%.c=$(B)/static/%.o)
NODE_LIBS := $(NODE_SHARED_LIBRARY) -ljansson -lblkid -lhogweed -lnettle -lgmp -lresolv

NODE_TESTED := $(filter-out %/firmware/node/main.o,$(NODE_OBJECTS))

UNIT_TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*.c))

.PHONY: all doc images test test-rack lint bench install clean distclean help deps lab deb rpm
.DELETE_ON_ERROR:

all: $(B)/kiln $(B)/kiln-node ## build kiln and kiln-node

# A build's id must change with the code that makes it.
KILN_CODE := $(sort $(wildcard builder/*.[ch] builder/*/*.[ch] builder/*/*/*.[ch]))
$(B)/builder/build/build_id.o: CPPFLAGS += -DKILN_CODE_DIGEST='"$(shell cat $(KILN_CODE) | sha256sum | cut -c1-64)"'
$(B)/builder/build/build_id.o: $(KILN_CODE)

# Its assembler reads the manual's pages, each with a NUL behind it.
MANUAL_SOURCES := $(foreach section,1 5 7 8,$(sort $(wildcard builder/manual/*.$(section).md firmware/node/*.$(section).md)))
$(B)/manual.pages: $(MANUAL_SOURCES)
	@mkdir -p $(@D)
	for page in $(MANUAL_SOURCES); do cat $$page; printf '\0'; done > $@
$(B)/builder/manual/page_sources.o: CPPFLAGS += -DMANUAL_PAGES='"$(B)/manual.pages"'
$(B)/builder/manual/page_sources.o: $(B)/manual.pages

# Its assembler reads the page.
$(B)/builder/serve/page.o: builder/serve/page.html
$(B)/builder/report/report_page.o: builder/report/report.css

# What the cache keeps is named after the code that made it, too (cache/maker.h).
code_digest = $(shell cat $(sort $(wildcard $(1))) | sha256sum | cut -c1-64)
MAKER_CODE := builder/base/*.[ch] builder/shared/*.[ch] builder/cache/*.[ch]
LAYER_CODE := $(MAKER_CODE) builder/packages/*.[ch] builder/packages/*/*.[ch] builder/sandbox/*.[ch] builder/rootfs/*.[ch]
ARTEFACT_CODE := $(MAKER_CODE) builder/artefact/*.[ch] builder/artefact/*/*.[ch]
$(B)/builder/cache/maker.o: CPPFLAGS += -DKILN_LAYER_CODE_DIGEST='"$(call code_digest,$(LAYER_CODE))"' \
	-DKILN_ARTEFACT_CODE_DIGEST='"$(call code_digest,$(ARTEFACT_CODE))"'
$(B)/builder/cache/maker.o: $(wildcard $(LAYER_CODE) $(ARTEFACT_CODE))

$(KILN_LIBRARY): $(filter-out $(B)/builder/main.o,$(KILN_OBJECTS))
	rm -f $@ && $(AR) rcs $@ $^

$(B)/kiln: $(B)/builder/main.o $(KILN_LIBRARY)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(NODE_SHARED_LIBRARY): $(NODE_SHARED:%.c=$(B)/static/%.o)
	rm -f $@ && $(AR) rcs $@ $^

# The sanitizers' run-time libraries need a dynamic program, and their messages the symbols. No image takes that one.
$(B)/kiln-node: $(NODE_OBJECTS) $(NODE_SHARED_LIBRARY)
	$(CC) $(CFLAGS) $(LDFLAGS) $(if $(SANITIZE),,-static) -Wl,--gc-sections -o $@ $(NODE_OBJECTS) $(NODE_LIBS)
	$(if $(SANITIZE),,strip $@)

$(B)/static/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Os -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -MMD -MP -c -o $@ $<

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Without dhcp_io.c, which the test replaces.
$(B)/tests/unit/node_dhcp_client: $(B)/tests/unit/node_dhcp_client.o $(filter-out %/dhcp_io.o,$(NODE_TESTED)) $(NODE_SHARED_LIBRARY)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(NODE_LIBS)

$(B)/tests/dhcp/client: $(B)/tests/dhcp/client.o $(NODE_TESTED) $(NODE_SHARED_LIBRARY)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(NODE_LIBS)

# Machines of paper, against kiln serve.
PAPER := $(patsubst %.c,$(B)/%.o,$(wildcard tests/paper/*.c))
$(B)/tests/paper/paper: $(PAPER) $(NODE_SHARED_LIBRARY)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(PAPER) $(NODE_SHARED_LIBRARY) -ljansson

$(B)/tests/unit/node%: $(B)/tests/unit/node%.o $(NODE_TESTED) $(NODE_SHARED_LIBRARY)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(NODE_LIBS)

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(KILN_LIBRARY)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

-include $(KILN_OBJECTS:.o=.d) $(NODE_OBJECTS:.o=.d) $(NODE_SHARED:%.c=$(B)/static/%.d) $(UNIT_TESTS:=.d) $(B)/tests/dhcp/client.d $(PAPER:.o=.d)

deps: ## install the Debian packages that kiln needs, or those of GROUP=NAME
	./tests/deps $(GROUP)

lab: all ## make the lab release's package repository (build/lab)
	tests/lab/make-repository build/lab

images: all $(if $(filter lab,$(RELEASE)),lab) ## bake every role of $(CLUSTER) into $(OUT)/
	$(B)/kiln build $(CLUSTER) --release $(RELEASE) --out $(OUT) --cache $(CACHE)

# TEST=SUITE or SUITE/TEST: one suite, one test of it, a boot scenario (tests/run says more). Made is what that one needs.
TEST ?=
ifneq ($(filter test,$(MAKECMDGOALS)),)
TEST_TARGETS := $(if $(TEST),$(shell tests/run --targets $(TEST)),all lab $(UNIT_TESTS) $(B)/tests/dhcp/client $(B)/tests/paper/paper)
$(if $(TEST_TARGETS),,$(error TEST=$(TEST) names nothing))
endif
test: $(TEST_TARGETS) ## run every test, or TEST=NAME
	tests/run $(TEST)

test-rack: all lab ## the article's ten machines in QEMU, with failures and a new build: half an hour and more, 12 GB
	tests/rack/run --whole

lint: all ## format, size and layering checks, clang-tidy, cppcheck, shellcheck
	tests/lint

bench: all lab $(B)/tests/paper/paper ## ratios beside dnf --installroot, mksquashfs and xorriso
	tests/bench/packages
	tests/bench/run
	tests/bench/serve
	tests/bench/shared

doc: $(B)/kiln ## the manual as HTML, in build/doc
	mkdir -p $(B)/doc
	$(B)/kiln manual --html > $(B)/doc/index.html
	for page in $$($(B)/kiln manual --list); do $(B)/kiln manual --html $$page > $(B)/doc/$$page.html || exit 1; done

# What is made on the way is written in its place at once: two at a time, below two prefixes, do not meet.
SHARE = $(DESTDIR)$(PREFIX)/share
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system
empty_file = install -D -m 0644 /dev/null

install: all ## install below $(DESTDIR)$(PREFIX)
	install -D -m 0755 $(B)/kiln "$(DESTDIR)$(PREFIX)/bin/kiln"
	install -D -m 0755 $(B)/kiln-node "$(DESTDIR)$(PREFIX)/libexec/kiln/kiln-node"
	for page in $$($(B)/kiln manual --list); do \
		to="$(SHARE)/man/man$${page##*.}/$$page"; \
		$(empty_file) "$$to" && $(B)/kiln manual $$page > "$$to" || exit 1; done
	for shell in bash:bash-completion/completions/kiln zsh:zsh/site-functions/_kiln fish:fish/vendor_completions.d/kiln.fish; do \
		to="$(SHARE)/$${shell#*:}"; \
		$(empty_file) "$$to" && $(B)/kiln completion $${shell%%:*} > "$$to" || exit 1; done
	install -D -m 0644 -t "$(SHARE)/kiln/node" $(wildcard firmware/node/*.service)
	for unit in builder/serve/kiln-serve@.service builder/cache_server/kiln-cache.service; do \
		to="$(UNITS)/$${unit##*/}"; \
		$(empty_file) "$$to" && sed 's|/usr/local/bin|$(PREFIX)/bin|' $$unit > "$$to" || exit 1; done
	install -D -m 0755 -t "$(SHARE)/kiln/initramfs" $(wildcard firmware/initramfs/*)
	install -D -m 0644 -t "$(SHARE)/kiln/bootloader" $(wildcard firmware/bootloader/*)
	rm -rf "$(SHARE)/kiln/profiles" "$(SHARE)/kiln/overlays" "$(SHARE)/kiln/kickstart"
	cp -R --preserve=mode profiles overlays kickstart "$(SHARE)/kiln/"
	rm "$(SHARE)/kiln/profiles/releases/lab.yaml"
	sed 's|^release: lab .*|release: centos-7.2|' profiles/cluster.yaml > "$(SHARE)/kiln/profiles/cluster.yaml"

# Where packages go.
OUT_PACKAGES = $(if $(filter-out out,$(OUT)),$(OUT),build/packages)

deb: all ## kiln itself as a Debian package, in build/packages or OUT=
	mkdir -p "$(OUT_PACKAGES)"
	@builder/package/make-deb "$(OUT_PACKAGES)"

rpm: all ## kiln itself as an RPM, in build/packages or OUT=
	mkdir -p "$(OUT_PACKAGES)"
	@builder/package/make-rpm "$(OUT_PACKAGES)"

clean: ## remove what was compiled (the lab and the cache stay)
	rm -rf $(B)/kiln $(B)/kiln-node $(B)/builder $(B)/static $(B)/tests $(B)/firmware

# A plain user's cache holds files of his subordinate ids.
distclean: ## remove everything that was made
	rm -rf build $(OUT) 2>/dev/null || unshare --map-root-user --map-auto rm -rf build $(OUT)

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20
