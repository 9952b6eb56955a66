module github.com/drover-batch/drover/bench

go 1.26
