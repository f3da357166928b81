# The entry to every routine. `make` alone prints this help.
SHELL := /bin/bash
BIN := .build/release

.DEFAULT_GOAL := help
.PHONY: help deps build release demo up down test lint format clean

help: ## print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install the Debian packages the project needs
	@scripts/deps

build: deps ## build everything for debugging
	@swift build

release: deps ## build the executables that run the platform
	@swift build -c release --static-swift-stdlib

demo: release ## from nothing to a running app: start the platform, push a sample by git, fetch its page
	@$(BIN)/workflow up
	@$(BIN)/workflow demo

up: release ## start the platform on this machine
	@$(BIN)/workflow up

down: ## stop the platform; apps, releases and images stay
	@$(BIN)/workflow down

test: deps ## run all tests, as CI does
	@scripts/test

lint: ## check the formatting of the sources and the shell scripts
	@scripts/lint

format: ## format the sources
	@swift format --in-place --recursive --configuration scripts/swift-format.json Package.swift Sources Tests

clean: ## remove what building made
	@rm -rf .build
