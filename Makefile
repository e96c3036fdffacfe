# What a person types here. CI calls the same targets (.ci/run).

.PHONY: build image test lint generate bench clean

build: ## the static binary, into ./mayfly (with cgo it could not drop privileges)
	CGO_ENABLED=0 go build -trimpath -ldflags=-s -o mayfly ./cmd/mayfly

image: build ## the static binary as an image, from scratch
	docker build -f deploy/Dockerfile -t mayfly .

test: ## every test; those that need root, BTF or Docker skip with a reason
	go test -timeout 25m ./...

lint: ## walls between packages, errors, comments
	golangci-lint run

generate: ## BPF objects and bindings (clang, llvm); CI checks that nothing changes
	go generate ./bpf

bench: ## benchmarks beside the code; read with benchstat
	go test -run '^$$' -bench . -benchmem ./...

clean:
	rm -rf mayfly demo-out
