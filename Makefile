# What there is to do here. `make demo` and `make test` install what they need on Debian and Ubuntu (tools/deps.sh).

PREFIX ?= /usr/local
DESTDIR ?=
CARGO ?= cargo
INSTALL ?= install

PROGRAMS = his-snapshot his-load-standby his-switch his-export-queue his-merge his-import-paper his-desk \
	his-watch his-incident his-drill
TARGET = $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
BUILT = $(PROGRAMS:%=$(TARGET)/release/%)
BINDIR = $(DESTDIR)$(PREFIX)/bin
MANDIR = $(DESTDIR)$(PREFIX)/share/man
DOCDIR = $(DESTDIR)$(PREFIX)/share/doc/his-emergency

# A fresh rustup is not yet on the PATH of the shell that installed it.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help demo test test-deltas build install man lint deny check-docs bench matrix oracle torture planted fuzz forms-png screens-png report-png clean deps

help: ## says what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

demo: deps build ## a day with a broken primary, on two private servers
	HIS_BIN='$(abspath $(TARGET))/release' samples/demo/run.sh

test: deps ## every test, on private PostgreSQL servers
	$(CARGO) test --locked -- --test-threads="$$(nproc)"

test-deltas: deps ## the same with deltas on in every profile that does not say otherwise
	HIS_TEST_DELTAS=1 $(CARGO) test --locked -- --test-threads="$$(nproc)"

build: ## the programs, in target/release
	$(CARGO) build --release --locked --bins

# Builds only what is not there: root installs what somebody else has built, and root may have no cargo.
install: ## programs, man pages and samples, below DESTDIR and PREFIX (/usr/local)
	for program in $(BUILT); do [ -x "$$program" ] || exec $(MAKE) build; done
	$(INSTALL) -d '$(BINDIR)' '$(DOCDIR)'
	$(INSTALL) -m 755 $(BUILT) '$(BINDIR)'
	for page in man/*.[1-8]; do \
		[ -e "$$page" ] || continue; \
		section='$(MANDIR)'/man"$${page##*.}"; \
		$(INSTALL) -d "$$section" && $(INSTALL) -m 644 "$$page" "$$section" || exit 1; \
	done
	for page in README*.md CHANGELOG.md LICENSE-*; do \
		[ ! -e "$$page" ] || $(INSTALL) -m 644 "$$page" '$(DOCDIR)' || exit 1; \
	done
	cp -R samples '$(DOCDIR)/'
	chmod -R u+rwX,go+rX,go-w '$(DOCDIR)'

man: ## writes the pages in man/ anew, from what the programs say of themselves
	HIS_WRITE_MAN=1 $(CARGO) test --locked --test chain man_pages

lint: check-docs ## format, clippy and rustdoc without a warning, and the shell scripts
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --no-deps --document-private-items --locked
	tools/lint-scripts.sh

check-docs: ## links and test names in the documents lead somewhere
	tools/check-docs.sh

deny: ## licences, sources and known weaknesses of the crates, by cargo-deny
	tools/deny.sh

bench: deps build ## measures ours beside pg_dump, pg_restore, pgcopydb, COPY and logical replication, 4 million patients
	HIS_BIN='$(abspath $(TARGET))/release' tools/bench.sh

bench-%: deps build ## the same with so many patients: bench-200000
	HIS_PATIENTS=$* HIS_BIN='$(abspath $(TARGET))/release' tools/bench.sh

matrix: deps ## the core of the tests on each major version of PostgreSQL that can be had, ONLY='14 18' of these
	tools/matrix.sh $(ONLY)

oracle: deps ## merges 100,000 random histories and compares with a brute-force oracle, about an hour; the first that differs is made small
	HIS_CASES="$${HIS_CASES:-100000}" $(CARGO) test --locked --test chain oracle:: -- --nocapture

torture: deps ## N faults (10,000) at every step of an emergency, and N/20 lost answers to COMMIT on merge, load and switch
	HIS_TRIALS="$${N:-10000}" HIS_LOST="$$(($${N:-10000} / 20))" HIS_WORKERS="$$(nproc)" \
		$(CARGO) test --release --locked --test chain torture:: -- --nocapture --test-threads=1

fuzz: deps ## fuzzes each reader of files for FOR seconds (600) and keeps what was new in tests/fuzz/corpus; wants cargo-fuzz
	tools/fuzz.sh "$${FOR:-600}"

planted: deps ## plants a bug of each class and shows that the torture finds it in under N/10 trials
	tools/planted.sh "$${N:-10000}"

forms-png: build ## draws the printed forms for the README, with Chromium
	HIS_BIN='$(abspath $(TARGET))/release' tools/forms-png.sh

screens-png: ## draws his-desk's screens for the README, with Chromium
	tools/screens-png.sh

report-png: demo ## draws the report of the demo's emergency for the README, with Chromium
	HIS_BIN='$(abspath $(TARGET))/release' tools/report-png.sh

clean: ## removes what was built
	$(CARGO) clean

deps: ## installs what is missing, on Debian and Ubuntu; says it elsewhere
	@tools/deps.sh
