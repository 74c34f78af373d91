#!/usr/bin/env bash
# Builds, runs, tests and measures Caddy with the Socket.IO module.
# ./xcaddy.sh help says how.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly MODULE=github.com/caddy-socketio/caddy-socketio
readonly CADDY=v2.11.9 XCADDY=v0.4.5 GOLANGCI=v2.15.0 GOVULNCHECK=v1.1.4
readonly TOOLS=$PWD/.cache/bin

# A clone that belongs to another user must build as well: git refuses to tell
# Go its state, and nothing here needs it.
export GOFLAGS="${GOFLAGS:-} -buildvcs=false"

usage() {
	cat <<-'TEXT'
		Usage: ./xcaddy.sh <command>

		  build [--with MODULE[@VERSION][=DIR]]... [--output FILE]
		         build ./caddy, or FILE, with the Socket.IO module and further
		         ones, and check it with Caddyfile.example
		  run    build, fetch the JavaScript client, and serve the example
		         on http://localhost:3000
		  test   all checks and tests; installs what they need
		  bench [ARGUMENT]...
		         measure this server against Node's; needs Node.js.
		         -cluster measures nodes around a redis-server
		  soak [ARGUMENT]...
		         keep this server under mixed load with reloads for ten
		         minutes, and again with abuse beside it; Linux, two cores,
		         loopback only. -for 1m is a shorter one.
		  help   print this

		test reads FUZZTIME, the time for each fuzz target such as 30s, and 0 for
		none. By default all targets share 2 minutes, and 20 where CI is set, but
		none gets more than 30 s.
	TEXT
}

say() { printf '\n==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }

need_go() {
	has go && return
	note "Go is missing: install Go $(sed -n 's/^go //p' go.mod) or newer from https://go.dev/dl/"
	return 1
}

# tool builds a pinned Go program once.
tool() {
	local name=$1 version=$2 path=$3
	[ -x "$TOOLS/$name-$version" ] && return
	note "building $name $version"
	GOBIN=$TOOLS go install "$path@$version"
	mv "$TOOLS/$name" "$TOOLS/$name-$version"
}

# --- build -------------------------------------------------------------------

build() {
	need_go
	local with=() output=$PWD/caddy
	while [ $# -gt 0 ]; do
		case $1 in
		--with) [ $# -gt 1 ] || { usage >&2; return 2; }; with+=("$2"); shift 2 ;;
		--with=*) with+=("${1#--with=}"); shift ;;
		--output) [ $# -gt 1 ] || { usage >&2; return 2; }; output=$2; shift 2 ;;
		*) printf 'build does not know %q\n\n' "$1" >&2; usage >&2; return 2 ;;
		esac
	done
	[ "${output:0:1}" = / ] || output=$PWD/$output
	compile ${with[@]+"${with[@]}"}
	inspect
}

# compile leaves the binary in output, which it has from build. xcaddy asks the
# module proxy about our path even though it is replaced by this checkout, and a
# proxy may answer that with an error for a version that is not published. With all
# else in the module cache xcaddy can do without a proxy; where it cannot, plain Go
# builds the same main package.
compile() {
	say "Building $output: Caddy $CADDY and this module with xcaddy $XCADDY"
	go mod download
	tool xcaddy "$XCADDY" github.com/caddyserver/xcaddy/cmd/xcaddy
	local log
	log=$(mktemp)
	if with_xcaddy "$@" >"$log" 2>&1; then
		note "built by xcaddy"
	elif GOPROXY=off with_xcaddy "$@" >>"$log" 2>&1; then
		note "built by xcaddy from the module cache: the module proxy has no $MODULE"
	else
		tail -n 5 "$log" | sed 's/^/    /'
		note "xcaddy could not resolve the modules (above); building its main package with go build"
		without_xcaddy "$@"
	fi
	rm -f "$log"
}

with_xcaddy() {
	local more=() m
	for m in "$@"; do more+=(--with "$m"); done
	GOFLAGS="$GOFLAGS -mod=mod" "$TOOLS/xcaddy-$XCADDY" build "$CADDY" \
		--with "$MODULE/caddymodule" --replace "$MODULE=$PWD" ${more[@]+"${more[@]}"} --output "$output"
}

# without_xcaddy builds what xcaddy builds, a main package of imports, at the
# versions that our go.mod and go.sum pin.
without_xcaddy() (
	repo=$PWD
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	cd "$dir"
	sed "s|^module .*|module caddy|" "$repo/go.mod" >go.mod
	cp "$repo/go.sum" go.sum
	go mod edit -require "$MODULE@v0.0.0" -replace "$MODULE=$repo"
	printf 'package main\n\nimport (\n\tcaddycmd "github.com/caddyserver/caddy/v2/cmd"\n' >main.go
	for m in github.com/caddyserver/caddy/v2/modules/standard "$MODULE/caddymodule" "$@"; do
		path=${m%%[@=]*}
		case $m in
		*=*) go mod edit -require "$path@v0.0.0" -replace "$path=$(cd "$repo" && realpath "${m#*=}")" ;;
		esac
		printf '\t_ "%s"\n' "$path" >>main.go
	done
	printf ')\n\nfunc main() { caddycmd.Main() }\n' >>main.go
	for m in "$@"; do
		case $m in *=*) ;; *) go get "$m" ;; esac
	done
	go build -mod=mod -trimpath -ldflags '-w -s' -tags nobadger,nomysql,nopgx -o "$output" .
)

# inspect shows that the binary has the module and accepts the example.
inspect() {
	say "Checking $output"
	local modules
	modules=$("$output" list-modules)
	grep socketio <<<"$modules"
	"$output" version
	local log
	log=$("$output" validate --config Caddyfile.example 2>&1) || { printf '%s\n' "$log"; return 1; }
	log=$(sed '1,/^# --- Production/d; s/^# .*//; s/^#//' Caddyfile.example | "$output" adapt --adapter caddyfile --config - 2>&1 >/dev/null) ||
		{ printf '%s\n' "$log"; return 1; }
	note "Caddyfile.example is valid, and so is the production site in it"
}

# --- run ---------------------------------------------------------------------

run() {
	build
	packages web || note "the test page needs it; everything else works without"
	say "Serving http://localhost:3000, Ctrl-C stops"
	note "React example on http://localhost:5173: cd web/react && npm ci && npm run dev"
	exec ./caddy run --config Caddyfile.example
}

# packages fetches the npm packages that a folder's lock file names.
packages() {
	local dir=$1
	[ -f "$dir/package.json" ] || return 0
	[ "$dir/node_modules/.package-lock.json" -nt "$dir/package-lock.json" ] && return
	say "Fetching the npm packages of $dir"
	if ! has npm; then
		note "npm is missing: install Node.js 20 or newer from https://nodejs.org/"
		return 1
	fi
	(cd "$dir" && npm ci --no-audit --no-fund --loglevel=error </dev/null)
}

# --- test --------------------------------------------------------------------

readonly NPM_FOLDERS="web web/react internal/e2e internal/bench/node"
failed=()

# step runs one check and goes on after a failure, so that one run tells all.
step() {
	local name=$1 start=$SECONDS status
	shift
	say "$name"
	set +e # inside an if, the command would run without set -e as well
	(set -e; "$@")
	status=$?
	set -e
	if [ "$status" -eq 0 ]; then
		note "ok: $name ($((SECONDS - start)) s)"
	else
		note "FAILED: $name ($((SECONDS - start)) s)"
		failed+=("$name")
	fi
}

tests() {
	need_go
	system_packages
	local dir
	for dir in $NPM_FOLDERS; do packages "$dir" || failed+=("npm packages of $dir"); done
	step "layout" layout
	step "gofmt" formatted
	step "go vet" go vet ./...
	step "golangci-lint" lint
	step "tests of the web client" web_tests
	step "go test" go_tests
	step "build" build
	step "end-to-end tests" e2e_tests
	step "fuzz tests" fuzz
	step "known vulnerabilities" vulnerabilities
	summary
}

summary() {
	if [ ${#failed[@]} -eq 0 ]; then
		say "All passed in $((SECONDS / 60)) min"
		return
	fi
	say "Failed:"
	printf '    %s\n' "${failed[@]}"
	return 1
}

# system_packages installs Debian's packages for programs that are missing.
system_packages() {
	local missing=()
	has chromium || has chromium-browser || has google-chrome || missing+=(chromium)
	has redis-server || has valkey-server || missing+=(redis-server)
	has turnserver || missing+=(coturn)
	has cc || missing+=(gcc libc6-dev)
	[ ${#missing[@]} -gt 0 ] || return 0
	say "Installing ${missing[*]}"
	local root=()
	[ "$(id -u)" -eq 0 ] || root=(sudo -n)
	if ! has apt-get || ! ${root[@]+"${root[@]}"} true 2>/dev/null; then
		note "that needs apt-get as root; install them by hand. Tests that need them will fail."
		return 0
	fi
	if ! install_packages >/dev/null; then
		note "apt-get could not; install them by hand. Tests that need them will fail."
	fi
}

# install_packages uses missing and root of its caller.
install_packages() {
	local apt=(${root[@]+"${root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -q -y)
	"${apt[@]}" update </dev/null && "${apt[@]}" install --no-install-recommends "${missing[@]}" </dev/null
}

# layout guards what a clone holds: the agreed top level, lock files that work
# with any registry, and files of one idea each.
layout() {
	local strange hosts
	strange=$(files | cut -d/ -f1 | sort -u |
		grep -vxE '\..+|caddymodule|internal|web|Caddyfile\.example|xcaddy\.sh|README\.md|LICENSE|go\.mod|go\.sum' || true)
	hosts=$(files '*package-lock.json' | xargs -r grep -l '"resolved": *"http' || true)
	files '*.go' | xargs -r wc -l | awk '$2 != "total" && $1 > 400 { print "    long, is it one idea? " $2 ": " $1 " lines" }'
	[ -z "$strange" ] || note "outside the agreed layout:" $strange
	[ -z "$hosts" ] || note "lock files that name a registry (npm config: omit-lockfile-registry-resolved):" $hosts
	[ -z "$strange$hosts" ]
}

# files lists the tracked files. The clone may belong to another user than root.
files() { git -c safe.directory="$PWD" ls-files -- "$@"; }

formatted() {
	local wrong
	wrong=$(files '*.go' | xargs -r gofmt -l)
	[ -z "$wrong" ] || { printf '%s\n' "$wrong"; note "run gofmt -w on these"; return 1; }
}

lint() {
	tool golangci-lint "$GOLANGCI" github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	"$TOOLS/golangci-lint-$GOLANGCI" run
}

web_tests() {
	local dir
	for dir in web web/react; do
		[ ! -f "$dir/package.json" ] || (cd "$dir" && npm test --if-present && npm run build --if-present)
	done </dev/null
}

# go_tests leaves the end-to-end tests to their own step.
go_tests() {
	local race=-race
	has cc || { race=; note "no C compiler: without the race detector"; }
	go list ./... | grep -v "^$MODULE/internal/e2e$" | xargs go test $race -timeout 20m
	[ -z "$race" ] || measuring_tests
}

# measuring_tests are those of memory, which the race detector would falsify.
measuring_tests() {
	local folders
	folders=$(files '*_test.go' | xargs grep -lE '^//go:build .*!race' | xargs -n 1 dirname | sort -u)
	note "without the race detector: $(xargs <<<"$folders")"
	sed 's,^,./,' <<<"$folders" | xargs go test -timeout 5m
}

# e2e_tests fail for want of a browser or a package, where go test ./... skips.
e2e_tests() {
	[ -d internal/e2e ] || { note "none"; return; }
	E2E=required go test -timeout 40m ./internal/e2e/...
}

fuzz() {
	[ "${FUZZTIME:-}" != 0 ] || { note "not run: FUZZTIME is 0"; return 0; }
	local targets count budget target
	targets=$(files '*_test.go' | xargs -r grep -HoE '^func Fuzz[A-Za-z0-9_]+' | sed 's/:func /:/' || true)
	count=$(grep -c . <<<"$targets") || { note "none"; return 0; }
	budget=120
	[ -z "${CI:-}" ] || budget=1200
	local each=$((budget / count))
	[ "$each" -le 30 ] || each=30
	for target in $targets; do
		note "${target#*:} of $(dirname "$target")"
		fuzz_one "${target#*:}" "./$(dirname "${target%%:*}")" "${FUZZTIME:-${each}s}"
	done
}

# fuzz_one runs a target again if nothing but its time's end was a failure, as go
# before 1.27 sometimes has it (golang.org/issue/75804).
fuzz_one() {
	local said tries
	for tries in 1 2 3; do
		if said=$(go test -run '^$' -fuzz "^$1\$" -fuzztime "$3" -fuzzminimizetime 100x "$2" 2>&1 | tee >(cat >&2)); then
			return 0
		fi
		grep -qx ' *context deadline exceeded' <<<"$said" && ! grep -q 'Failing input written' <<<"$said" || return 1
		note "no input failed (try $tries of 3)"
	done
	return 1
}

vulnerabilities() {
	if ! curl -fsS -m 10 -o /dev/null https://vuln.go.dev/index/db.json 2>/dev/null; then
		note "not run: the Go vulnerability database cannot be reached from here"
		return 0
	fi
	tool govulncheck "$GOVULNCHECK" golang.org/x/vuln/cmd/govulncheck
	"$TOOLS/govulncheck-$GOVULNCHECK" ./caddymodule/...
}

# --- bench -------------------------------------------------------------------

bench() {
	need_go
	packages internal/bench/node
	say "Measuring"
	go run ./internal/bench "$@"
}

soak() {
	need_go
	say "Soaking"
	go run ./internal/bench -soak "$@"
}

case ${1:-help} in
build) shift; build "$@" ;;
run) run ;;
test) tests ;;
bench) shift; bench "$@" ;;
soak) shift; soak "$@" ;;
help | -h | --help) usage ;;
*) printf 'There is no command %q.\n\n' "$1" >&2; usage >&2; exit 2 ;;
esac
