# `make` lists the targets; `make demo` and `make test` are the two to start with.
# On a fresh Debian machine with Go, git, make and gcc they do all their own set-up.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN   := bin/drover
TOOL  := go tool -modfile=tools/go.mod
# Packages where goroutines share state are tested under the race detector; all others without, and none twice but for who calls the kernel.
RACY  := /internal/(engine|access|object/httpwire|object/sockets|object/window|localstore)(/|$$)
# In CI every test runs anew; elsewhere results of unchanged packages come from the cache.
FRESH := $(if $(filter true,$(CI)),-count=1,)
# A package takes minutes; on a machine that is busy with other things too, more than the ten that go allows.
LONG  := -timeout 30m
FUZZTIME ?= 10s
SEEDS    ?= 200
AXES     ?=
ROUNDS   ?= 3

.PHONY: help build demo test setup lint unit e2e soak chaos fuzz bench bench-peers bench-scale bench-micro clean cluster browser screenshots

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/drover
	CGO_ENABLED=0 go build -trimpath -o $(BIN) ./cmd/drover

demo: build ## run the whole product once: a store, an inventory, a batch copy and a batch restore
	$(BIN) demo

test: setup lint ## all checks and tests, on the embedded store and on a Ceph gateway started for them; what CI runs
	tools/ceph-rgw.sh run -- $(MAKE) unit e2e
	$(MAKE) browser

setup: ## install what the tests need, where that is possible
	tools/setup.sh

lint: ## go vet, staticcheck, gofumpt, go mod tidy -diff
	tools/lint.sh

unit: ## unit, integration and dependency tests, with -race where goroutines share state
	go test $(FRESH) $(LONG) $$(go list ./... | grep -vE '$(RACY)|/e2e(/|$$)')
	CGO_ENABLED=1 go test -race $(FRESH) $(LONG) $$(go list ./... | grep -E '$(RACY)')
	# Not under the race detector, which cannot see what io_uring does; and one of these tests counts allocations.
	go test $(FRESH) ./internal/object/sockets ./internal/object/httpwire

e2e: ## whole-product scripts against the real binary
	go test -count=1 $(LONG) ./e2e

soak: ## the long run: memory with 100,000 rows on the embedded store, and with 50,000,000 on one in memory (10 minutes)
	go test -count=1 -timeout 30m -tags soak -run 'TestWholeProcess|TestMemory' -v ./e2e
	go test -count=1 -timeout 90m -tags soak -run TestFiftyMillionRows -v ./internal/engine

chaos: ## the long run: kill -9 at random moments and at every named place, SEEDS (200) seeds
	go test -count=1 -timeout 80m -run 'TestChaos|TestCrashes' -v ./e2e -chaos.crashes $(SEEDS) \
		-chaos.seeds $$(( ($(SEEDS) + 9) / 10 )) -chaos.many $$(( ($(SEEDS) + 4) / 5 ))

cluster: ## the long run: three nodes as processes; kill, stop, restart and cut them off (as root)
	CGO_ENABLED=1 go test -race -count=1 -timeout 20m -tags cluster -v -run 'Cluster|Lost' ./internal/engine/carrier
	go test -count=1 -timeout 30m -tags cluster -v -run 'Cluster|Outside|Migrate' ./e2e

browser: ## walk the console in Debian's chromium, and look at each screen: its pictures are kept below .cache/browser
	mkdir -p .cache/browser
	go test -count=1 -timeout 20m -artifacts -outputdir "$$PWD/.cache/browser" ./e2e/browser

screenshots: ## take the pictures of README.md and docs/console.md anew, from a real run
	mkdir -p docs/img
	go test -count=1 -timeout 10m -run TestPicturesOfTheDocumentation ./e2e/browser -docs "$$PWD/docs/img"

fuzz: ## each fuzz target for FUZZTIME (10s)
	tools/fuzz.sh $(FUZZTIME)

bench: build ## measure drover run against the peers that are installed, into bench/RESULTS.md (AXES=copy,cap ROUNDS=3)
	go build -C bench -buildvcs=false -trimpath -o bin/ ./measure ./stub ./bare
	go test -c -trimpath -o bench/bin/httpwire.test ./internal/object/httpwire
	cd bench && bin/measure -axes "$(AXES)" -rounds $(ROUNDS)

bench-scale: build ## the rate of 1, 2, 4 and 8 workers over a store of 30 ms, on a quiet machine: five minutes (ROUNDS=3)
	go build -C bench -buildvcs=false -trimpath -o bin/ ./scale ./stub
	bench/bin/scale -rounds $(ROUNDS)

bench-peers: ## build the tools to compare with: s5cmd, rclone, mc
	bench/peers/install.sh bench/bin

bench-micro: ## benchmarks of all packages
	go test -run '^$$' -bench . -benchmem ./...

clean: ## remove what make built
	rm -rf bin bench/bin bench/out
