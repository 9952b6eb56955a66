#!/usr/bin/env bash
# Vet, staticcheck, formatting and the module files. Every check runs, so that one call shows all that is wrong.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tool=(go tool -modfile=tools/go.mod)
bad=0

check() {
	local name=$1
	shift
	if ! "$@"; then
		echo "lint: $name: see above" >&2
		bad=1
	fi
}

formatted() {
	local files
	files=$("${tool[@]}" gofumpt -l .) || return
	[ -z "$files" ] && return
	printf 'not formatted (go tool -modfile=tools/go.mod gofumpt -w FILE):\n%s\n' "$files" >&2
	return 1
}

check "go vet" go vet ./...
check staticcheck "${tool[@]}" staticcheck -checks=all,-ST1000 ./...
check gofumpt formatted
check "go mod tidy" go mod tidy -diff
check "go mod tidy (tools)" env -C tools go mod tidy -diff
[ "$bad" = 0 ] && echo "lint: vet, staticcheck, gofumpt and tidy are clean"
exit "$bad"
