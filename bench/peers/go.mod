// The versions of the tools that Drover is measured against; install.sh builds each in a module of its own.
module github.com/drover-batch/drover/bench/peers

go 1.26

require (
	github.com/minio/mc v0.0.0-20250313080218-cf909e1063a9
	github.com/peak/s5cmd/v2 v2.3.0
	github.com/rclone/rclone v1.76.0
)
