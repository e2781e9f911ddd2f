SHELL := /bin/bash
.DEFAULT_GOAL := help
# Node is a package of the project: npm installs it.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
node = node --disable-warning=ExperimentalWarning
needs = @tools/prerequisites.sh

.PHONY: help
help: ## list all targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: cli ## show Podcap from start to finish: a cluster, an annotated Pod, its capture files, its packets
	$(needs) cluster image
	@$(node) tools/make.ts demo

.PHONY: test
test: ## run all checks and all tests except test-faults and test-docker, on the cluster of make cluster
	$(needs) cluster image test window
	@$(node) tools/make.ts test

.PHONY: test-faults
test-faults: ## test production failures, most of them many times (docs/reliability.md)
	$(needs) cluster image test
	@$(node) tools/make.ts test-faults

.PHONY: test-docker
test-docker: ## build the image with a Docker engine of its own, and test it as the agent of the cluster: about 3 minutes
	$(needs) docker
	@$(node) tools/make.ts test-docker

.PHONY: soak
soak: ## run random operations and faults on the cluster (SOAK_MINUTES=10; SEED=<number> repeats a run)
	$(needs) cluster image test
	@$(node) soak/main.ts

.PHONY: check
check: ## check format, lint and types, analyze the C code, and run the unit tests: about 4 minutes, no cluster
	$(needs) check
	@$(node) tools/make.ts check

.PHONY: format
format: ## format the code
	$(needs) check
	@biome check --write .
	@clang-format -i $$(find src -name '*.[ch]')

.PHONY: cluster
cluster: ## start a real Kubernetes cluster with two Nodes on this machine
	$(needs) cluster
	@$(node) cluster/main.ts up

.PHONY: cluster-down
cluster-down: ## stop the cluster and remove everything that it created
	$(needs) node
	@$(node) cluster/main.ts down

.PHONY: cli
cli: ## build kubectl podcap, for any Node.js from 20.4 on: build/kubectl-podcap
	$(needs) node
	@$(node) tools/make.ts cli

.PHONY: cli-executables
cli-executables: ## build kubectl podcap with Node.js in one file, for Linux and macOS, in build/executables
	$(needs) node
	@$(node) tools/make.ts cli-executables

.PHONY: cli-release
cli-release: ## pack what is published of kubectl podcap, after cli-executables: build/release
	$(needs) node
	@$(node) tools/make.ts cli-release

.PHONY: docker-build
docker-build: ## build the image podcap:latest
	$(needs) image
	@$(node) tools/build-image.ts build

.PHONY: deploy
deploy: ## build the image, load it into the cluster (kind or make cluster), apply the manifests, and wait for the agents
	$(needs) image
	@$(node) tools/make.ts deploy

.PHONY: test-pod
test-pod: ## start the Pod traffic-generator, and the server that it sends requests to
	$(needs) node
	@$(node) tools/make.ts test-pod

.PHONY: undeploy
undeploy: ## remove the agents, and what test-pod created; the capture files and the CRD stay
	$(needs) node
	@$(node) tools/make.ts undeploy

.PHONY: purge
purge: ## delete the capture files of every Node, after undeploy
	$(needs) node
	@$(node) tools/make.ts purge

# A kind cluster with Antrea, on a machine with docker, kind, kubectl and helm: make kind antrea docker-build kind-load
# deploy. Every command names the kind cluster, so that none changes a different one.
.PHONY: kind
kind: ## create a kind cluster without a Pod network; make antrea installs one
	kind create cluster --config deploy/kind-cluster.yaml

.PHONY: antrea
antrea: ## install Antrea in the kind cluster
	helm repo add antrea https://charts.antrea.io
	helm repo update antrea
	helm upgrade --install antrea antrea/antrea --kube-context kind-podcap --namespace kube-system --wait --timeout 10m

.PHONY: kind-load
kind-load: ## load the image podcap:latest into the kind cluster
	kind load docker-image podcap:latest --name podcap

.PHONY: kind-down
kind-down: ## delete the kind cluster
	kind delete cluster --name podcap

.PHONY: bench
bench: ## measure the figures of docs/benchmarks.md and draw their plots (ONLY=<name> measures one)
	$(needs) test bench
	@$(node) bench/main.ts $(ONLY)

.PHONY: render
render: ## write the manifests of deploy/ from the chart
	$(needs) node
	@$(node) tools/render-manifests.ts

.PHONY: docs
docs: ## write the tables of annotations, settings and metrics in docs/ from the source
	$(needs) node
	@$(node) tools/write-documents.ts

.PHONY: sbom
sbom: ## build the image, and list everything in it with its licenses (build/sbom.cdx.json)
	$(needs) image
	@$(node) tools/make.ts sbom

.PHONY: clean
clean: ## delete everything that was built in this checkout, and node_modules
	rm -rf build coverage node_modules
