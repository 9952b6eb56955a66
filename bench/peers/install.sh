#!/usr/bin/env bash
# install.sh BIN [s5cmd|rclone|mc …]: builds the tools that Drover is measured against into the folder BIN, at the versions in
# go.mod beside this script. Each gets a module of its own, so that none changes another's dependencies. rclone and mc
# take minutes of CPU.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(realpath -m "${1:?where to}")
shift
[ $# -gt 0 ] || set -- s5cmd rclone mc
declare -A path=([s5cmd]=github.com/peak/s5cmd/v2 [rclone]=github.com/rclone/rclone [mc]=github.com/minio/mc)
mkdir -p "$bin"
for name; do
	package=${path[$name]:?unknown: $name}
	version=$(awk -v p="$package" '$1 == p { print $2 }' "$here/go.mod")
	module=$(mktemp -d)
	trap 'rm -rf "$module"' EXIT
	printf 'module peer\n\ngo 1.26\n\nrequire %s %s\n' "$package" "$version" >"$module/go.mod"
	echo "$name $version"
	env -C "$module" GOFLAGS=-mod=mod CGO_ENABLED=0 go build -buildvcs=false -trimpath -o "$bin/$name" "$package"
	rm -rf "$module"
done
