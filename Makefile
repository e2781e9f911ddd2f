SHELL := /bin/bash
.DEFAULT_GOAL := help
# The project brings its own Node, by npm.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
node = node --disable-warning=ExperimentalWarning
needs = @tools/prerequisites.sh

.PHONY: help
help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## show it all: a cluster, a Pod that is annotated, its files, its packets
	$(needs) cluster image
	@$(node) tools/make.ts demo

.PHONY: test
test: ## every check and every test but the faults, with a real cluster
	$(needs) cluster image test
	@$(node) tools/make.ts test

.PHONY: test-faults
test-faults: ## what production does to it, each many times: docs/reliability.md
	$(needs) cluster image test
	@$(node) tools/make.ts test-faults

.PHONY: soak
soak: ## random operations and faults on the cluster (SOAK_MINUTES=10, SEED=<number> to repeat one)
	$(needs) cluster image test
	@$(node) soak/main.ts

.PHONY: check
check: ## format, lint, types and unit tests: under a minute, no cluster
	$(needs) check
	@$(node) tools/make.ts check

.PHONY: format
format: ## put the code into its format
	$(needs) check
	@biome check --write .

.PHONY: cluster
cluster: ## a real Kubernetes with two Nodes on this machine
	$(needs) cluster
	@$(node) cluster/main.ts up

.PHONY: cluster-down
cluster-down: ## end that Kubernetes and everything it made
	$(needs) check
	@$(node) cluster/main.ts down

.PHONY: docker-build
docker-build: ## build the image podcap:latest
	$(needs) image
	@$(node) tools/build-image.ts build

.PHONY: deploy
deploy: ## build the image, load it, apply the manifests and wait until every agent is ready
	$(needs) image
	@$(node) tools/make.ts deploy

.PHONY: test-pod
test-pod: ## a Pod that sends, and a server that it sends to
	$(needs) check
	@$(node) tools/make.ts test-pod

.PHONY: undeploy
undeploy: ## remove the agents and the test Pods; the captures stay on the Nodes
	$(needs) check
	@$(node) tools/make.ts undeploy

.PHONY: purge
purge: ## delete the captures of every Node, once the agents are removed
	$(needs) check
	@$(node) tools/make.ts purge

# A cluster of kind with Antrea, on a machine with docker, kind, kubectl and helm: kind, antrea, docker-build, kind-load,
# deploy. The context is named, so that nothing of it goes to another cluster.
.PHONY: kind
kind: ## a cluster of kind, whose network is to be installed: make antrea
	kind create cluster --config deploy/kind-cluster.yaml

.PHONY: antrea
antrea: ## Antrea on the cluster of kind
	helm repo add antrea https://charts.antrea.io
	helm repo update antrea
	helm upgrade --install antrea antrea/antrea --kube-context kind-podcap --namespace kube-system --wait --timeout 10m

.PHONY: kind-load
kind-load: ## load the image podcap:latest into the cluster of kind
	kind load docker-image podcap:latest --name podcap

.PHONY: kind-down
kind-down: ## delete the cluster of kind
	kind delete cluster --name podcap

.PHONY: bench
bench: ## measure the figures of docs/benchmarks.md, draw their plots (ONLY=<name> for one)
	$(needs) cluster image test
	@$(node) bench/main.ts $(ONLY)

.PHONY: render
render: ## write the manifests of deploy/ from the chart
	$(needs) check
	@$(node) tools/render-manifests.ts

.PHONY: docs
docs: ## write annotations, settings and metrics of docs/ from the source
	$(needs) check
	@$(node) tools/write-documents.ts

.PHONY: sbom
sbom: ## build the image, and write what it carries and under which licences
	$(needs) image
	@$(node) tools/make.ts sbom

.PHONY: clean
clean: ## remove what was built in this checkout
	rm -rf build coverage node_modules
