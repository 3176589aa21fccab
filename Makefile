# gopxeboot. `make help` lists what there is to make.

GO      ?= go
VERSION := $(or $(VERSION),$(shell git describe --tags --always --dirty 2>/dev/null || echo devel))
COMMIT  := $(or $(COMMIT),$(shell git log -1 --format=', commit %h of %cs' 2>/dev/null))
# Without cgo the program is static and runs in any dom0. The tags leave the
# generators of documentation out of package cli (0.4 MB), and HTTP/2 out of
# net/http (0.56 MB), which does not speak it where it does not dial itself.
export CGO_ENABLED = 0
TAGS    = urfave_cli_no_docs,urfave_cli_no_suggest,nethttpomithttp2
PUBLIC  = ./dhcpclient ./dhcpclient/survey ./pxelinux ./tftpget ./xenout
BUILD   = $(GO) build -trimpath -buildvcs=false -tags $(TAGS) -ldflags '-s -w -X "main.version=$(VERSION)$(COMMIT)"'
SOURCES = cmd internal $(PUBLIC)
XEN     ?= newest
# Where goroutines are. Not cmd, which is slow with it, and not e2e/labs, whose
# labs are judged by their speed.
RACE    = $(PUBLIC) ./internal/boot/... ./internal/wire ./internal/check ./internal/check/replay ./internal/e2e/leases ./internal/e2e/downloads ./internal/fetch/... ./internal/guest ./internal/lab/...
# Where make install puts things.
PROGRAM ?= build/gopxeboot
PREFIX  ?= /usr
SHARE   = $(DESTDIR)$(PREFIX)/share
ZSH     ?= $(PREFIX)/share/zsh/site-functions
PAGES   = $(notdir $(wildcard packaging/man/*.*))
# Real servers for the tests, unpacked from Debian packages, not installed.
export GOPXEBOOT_SERVERS ?= $(CURDIR)/build/servers

build: build/gopxeboot ## build/gopxeboot, static

build/gopxeboot: FORCE
	$(BUILD) -o $@ ./cmd/gopxeboot

build/gopxeboot-%: FORCE
	GOARCH=$* $(BUILD) -o $@ ./cmd/gopxeboot

demo: build ## boot the howto's guest in a lab of its own: no root, no server, no Xen needed
	build/gopxeboot demo

test: build servers ## all tests; what this machine lacks is skipped, and listed at the end
	$(GO) vet ./...
	test -z "$$(gofmt -l $(SOURCES))"
	$(GO) run ./internal/gotest ./...

race: servers ## the tests of what is concurrent with the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) run ./internal/gotest -race $(RACE)

cross: ## does it build for other machines, and the public packages for other systems?
	GOARCH=386 $(GO) vet ./... # tests too
	for arch in arm arm64; do GOARCH=$$arch $(GO) build ./... || exit; done
	for system in freebsd darwin; do GOOS=$$system $(GO) build $(PUBLIC) || exit; done
	$(GO) test -tags portable -skip "TestClosedPort|TestGivenUp" ./tftpget

lint: ## staticcheck
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

stress: build ## a thousand boots in a row, a third of them killed, and ten thousand that fail
	$(GO) test ./cmd/gopxeboot -count=1 -timeout 60m -v -run 'TestStress|TestFailures' -args -boots=1000 -failures=10000

test-pxelinux: ## ask the real PXELINUX about every tree of testdata/pxelinux again (root, QEMU; 15 minutes)
	$(GO) test ./internal/oracle -count=1 -timeout 60m -parallel 2 -v -run '^Test(Golden|Real|Debian)$$' -real | grep -v '^=== '

test-ipxe: servers ## ask the real iPXE about every tree of testdata/ipxe again (root, QEMU; two minutes)
	$(GO) test ./internal/oracle -count=1 -timeout 60m -parallel 2 -v -run '^Test(GoldenIPXE|RealIPXE)$$' -real | grep -v '^=== '

test-grub: servers ## ask the real GRUB about every tree of testdata/grub again (root, QEMU; 12 minutes)
	$(GO) test ./internal/oracle -count=1 -timeout 60m -parallel 2 -v -run '^TestGRUB(Golden|Real)$$' -real | grep -v '^=== '

test-menu: ## type at the real menu.c32 again what every tree of testdata/menu says (root, QEMU; three minutes)
	$(GO) test ./internal/oracle -count=1 -timeout 60m -parallel 2 -v -run '^TestMenu(Golden|Real)$$' -real | grep -v '^=== '

goldens: servers ## the same of PXELINUX, its menu and GRUB, and write their answers anew
	$(GO) test ./internal/oracle -count=1 -timeout 60m -parallel 2 -run '^Test(GRUB|Menu)?Real$$' -real -update

test-xen: dist ## the .deb's bootloader on real Xen with real xl, pygrub and libvirt, in QEMU: a line a case, five minutes; XEN=4.17 another version, XEN=all each and slow cases
	$(GO) test -C internal/xenlab -count=1 -run TestXen -xen $(XEN) -program $$(echo $(CURDIR)/build/dist/*_amd64.deb) -timeout 3h

bench: build servers ## compare our downloads with curl's, tftp-hpa's and atftp's: docs/performance.md, a quarter of an hour
	$(GO) run ./internal/bench -o docs/performance.md

servers: ## fetch the Debian servers that the tests use into build/servers
	@sh .ci/servers $(GOPXEBOOT_SERVERS) || { echo "some servers could not be had"; test "$$CI" != true; }

install: ## install into $(DESTDIR)$(PREFIX), /usr; needs no Go when the program is built
	test -x $(PROGRAM) || $(MAKE) build
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/gopxeboot
	install -D -m 644 packaging/completions/gopxeboot.bash $(SHARE)/bash-completion/completions/gopxeboot
	install -D -m 644 packaging/completions/_gopxeboot $(DESTDIR)$(ZSH)/_gopxeboot
	for page in $(PAGES); do install -D -m 644 packaging/man/$$page $(SHARE)/man/man$${page##*.}/$$page || exit; done
	install -D -m 644 -t $(SHARE)/doc/gopxeboot README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE
	install -D -m 644 -t $(SHARE)/doc/gopxeboot/docs docs/*.md docs/*.svg docs/*.png
	install -D -m 644 -t $(SHARE)/doc/gopxeboot/examples packaging/examples/*
	test -e $(DESTDIR)/etc/gopxeboot.conf || install -D -m 644 packaging/gopxeboot.conf $(DESTDIR)/etc/gopxeboot.conf
	install -d $(SHARE)/gopxeboot
	truncate -s 1M $(SHARE)/gopxeboot/empty.img

uninstall: ## undo install
	rm -f $(DESTDIR)$(PREFIX)/bin/gopxeboot $(SHARE)/bash-completion/completions/gopxeboot $(DESTDIR)$(ZSH)/_gopxeboot
	for page in $(PAGES); do rm -f $(SHARE)/man/man$${page##*.}/$$page; done
	rm -rf $(SHARE)/doc/gopxeboot $(SHARE)/gopxeboot
	! cmp -s packaging/gopxeboot.conf $(DESTDIR)/etc/gopxeboot.conf || rm $(DESTDIR)/etc/gopxeboot.conf # one that was changed stays

dist: build/gopxeboot-amd64 build/gopxeboot-arm64 ## build/dist: tar.gz, .deb and .rpm, the same bytes each time
	@GO='$(GO)' VERSION='$(VERSION)' sh packaging/dist

test-packages: dist ## install, upgrade and remove them in fresh roots (root, debootstrap, rpm, lintian)
	lintian --fail-on warning build/dist/*.deb
	sh packaging/test

pictures: build ## README's pictures: docs/console.svg and docs/check.png (script, chromium)
	sh docs/pictures.sh

clean: ## remove what was made
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile

FORCE:

.PHONY: build demo test race cross lint stress test-xen bench test-pxelinux test-ipxe test-grub test-menu goldens servers install uninstall dist test-packages pictures clean help
.DEFAULT_GOAL := build
