SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test lint service control scaffolds docs reference measure bench faults replay build validate deploy stackset-template status stop go preflight redrive advisories clean

# For build and deploy.
STACK ?= portcullis
ARCH ?= arm64
# What `make deploy` may be given; what it is not given stays as the running stack has it. OFF="kms ec2" names functions to leave out.
DEPLOY := MODE EMAIL SETTINGS ARCH OFF SWEEP_SCHEDULE SWEEP_MISSED_HOURS CONFIG_EVENTS CONFIG_RULES CONFIG_RULES_PERIOD \
  LOG_LEVEL LOG_RETENTION_DAYS TRACING MAX_CONCURRENCY
GIVEN = $(foreach name,$(DEPLOY),$(if $(filter command environment,$(firstword $(origin $(name)))),$(name)))
OPS := tools/portcullis-ops --stack $(STACK)
# The functions' environment: cargo-lambda, zig and SAM from .tools.
LAMBDA := PATH="$(CURDIR)/.tools/lambda/bin:$$PATH" SAM_CLI_TELEMETRY=0
SAM := $(LAMBDA) .tools/lambda/bin/sam
TARGET := $(or $(CARGO_TARGET_DIR),target)
# The crates of all functions.
FUNCTIONS := $(patsubst functions/%,-p portcullis-%,$(wildcard functions/*))
PROFILE := $(if $(CI),--profile ci)
# The crates whose files must not import each other in circles.
ACYCLIC := $(wildcard functions/*) bench/hello cli shared/access shared/catalog shared/controls shared/core shared/derive shared/guardrails shared/runtime shared/testkit

help: ## This list
	@if [ -t 1 ]; then bold=$$'\033[1m' plain=$$'\033[0m'; else bold= plain=; fi; \
	awk -F ':.*## ' -v bold="$$bold" -v plain="$$plain" '/^[a-z-]+:.*## /{printf "  %s%-18s%s %s\n", bold, $$1, plain, $$2}' $(MAKEFILE_LIST)

demo: ## A short tour: what was left open becomes safe, on a local AWS; needs Rust and Python, no AWS account
	@tools/install moto
	@cargo build --workspace --bins
	@tools/with-local-aws "$(TARGET)/debug/demo"

test: ## All tests, on a local AWS
	tools/install test
	.tools/venv/bin/python -m unittest discover --start-directory tools
	cargo build --workspace --bins
	cargo test --workspace --doc --quiet
	if cargo nextest --version >/dev/null 2>&1; then \
	  tools/with-local-aws cargo nextest run --workspace $(PROFILE); \
	else \
	  tools/with-local-aws cargo test --workspace --lib --bins --tests; \
	fi

lint: ## Format, imports, clippy, licences and bans, the template under cfn-lint and checkov
	tools/install test lint deny
	.tools/venv/bin/python tools/imports.py $(ACYCLIC)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	.tools/bin/cargo-deny --all-features --log-level error check --hide-inclusion-graph bans licenses sources
	tools/translate >.tools/template.json
	.tools/venv/bin/cfn-lint template.yaml .tools/template.json deploy/guardrails.yaml
	.tools/lint/bin/checkov --file template.yaml --framework cloudformation --compact --quiet --skip-download
	for script in .ci/run tools/install tools/portcullis-ops tools/translate; do bash -n "$$script"; done

advisories: ## RustSec advisories against Cargo.lock; fetches their database, so it needs the network
	tools/install deny
	.tools/bin/cargo-deny --all-features check advisories

docs: ## Write docs/controls.md, the JSON schemas, template.yaml and lists from the code; a test says when they are stale
	cargo run --quiet --package portcullis-cli -- docs

reference: ## Write the analyser's tables of AWS's services from the pinned release; needs npm. CHECK=1 only says whether they are stale
	python3 tools/service_reference.py $(if $(CHECK),--check)

measure: ## Size, cold start, memory and AWS calls of the release binaries, as in bench/README.md
	@tools/install moto
	cargo build --release $(FUNCTIONS) --bins
	cargo build --workspace --bins
	@tools/with-local-aws "$(TARGET)/debug/measure" "$(TARGET)/release"

bench: ## Speed and cost beside Cloud Custodian's, on one local AWS: bench/results.json, a picture, tables; ten minutes and a release build
	@tools/install moto bench
	cargo build --release $(FUNCTIONS) -p portcullis-hello --bins
	cargo build --workspace --bins
	@tools/with-local-aws "$(TARGET)/debug/bench" "$(TARGET)/release" bench

service: ## What a new service begins with, as in: make service NAME=sns RESOURCE=Topic
	python3 tools/scaffold.py service "$(NAME)" "$(or $(RESOURCE),Resource)"
	cargo fmt --all

control: ## What a new control begins with, as in: make control ID=s3-bucket-logging TYPE=Bucket
	python3 tools/scaffold.py control "$(ID)" $(TYPE)
	cargo fmt --all

scaffolds: ## Whether what these two write compiles as it is, in a copy of the repository
	rm -rf .tools/scaffold && mkdir -p .tools/scaffold
	git ls-files -z | tar --null --ignore-failed-read -T - -cf - | tar -xf - -C .tools/scaffold
	cd .tools/scaffold && $(MAKE) service NAME=scheduler RESOURCE=ScheduleGroup
	cd .tools/scaffold && $(MAKE) control ID=scheduler-schedule-group-public-policy
	cd .tools/scaffold && $(MAKE) control ID=s3-bucket-logging TYPE=Bucket
	cd .tools/scaffold && CARGO_TARGET_DIR="$(abspath $(TARGET))" cargo check --workspace

faults: ## Everything that can go wrong, at each AWS call of each control: what survived; takes about half an hour
	@tools/install moto
	@cargo build --workspace --bins
	@tools/with-local-aws "$(TARGET)/debug/faults" bench/faults.json

replay: ## Replay one event into the function under cargo-lambda: make replay EVENT=events/s3/CreateBucket.json [MODE=notify]
	@tools/install moto lambda
	@cargo build --quiet --workspace --bins
	@$(LAMBDA) MODE=$(if $(filter command line,$(origin MODE)),$(MODE),enforce) tools/with-local-aws "$(TARGET)/debug/replay" "$(EVENT)"

build: ## Build the functions for Lambda, as they are deployed: make build ARCH=x86_64
	tools/install lambda
	AWS_DEFAULT_REGION=$${AWS_DEFAULT_REGION:-us-east-1} $(SAM) build --parameter-overrides Architecture=$(ARCH)

validate: ## Let SAM validate the template
	tools/install lambda
	AWS_DEFAULT_REGION=$${AWS_DEFAULT_REGION:-us-east-1} $(SAM) validate --lint

deploy: ## Build and deploy: make deploy MODE=enforce EMAIL=ops@example.com (docs/operations.md, Deploy, has the others; what is not named stays as it is)
	@mkdir -p .tools
	@cargo run --quiet --package portcullis-cli -- settings check portcullis.yaml >/dev/null || [ $$? -eq 3 ]
	@PORTCULLIS="$(TARGET)/debug/portcullis" python3 tools/deploy.py $(STACK) $(GIVEN) >.tools/overrides
	@$(MAKE) --no-print-directory build ARCH="$$(sed -n 's/^Architecture="\(.*\)"$$/\1/p' .tools/overrides)"
	@set --; while IFS= read -r override; do set -- "$$@" "$$override"; done <.tools/overrides; \
	$(SAM) deploy --stack-name $(STACK) --resolve-s3 --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset \
	  --tags app=portcullis --parameter-overrides "$$@"

stackset-template: ## Upload code and a template that a stack set can deploy: make stackset-template BUCKET=code-of-eu-west-1 (also STACK, ARCH)
	@test -n "$(BUCKET)" || { echo 'make stackset-template BUCKET=…: a bucket in the region that is deployed to, which the organisation may read' >&2; exit 2; }
	@$(MAKE) --no-print-directory build
	$(SAM) package --s3-bucket $(BUCKET) --s3-prefix $(STACK) --output-template-file .aws-sam/packaged.yaml >/dev/null
	.tools/lambda/bin/python tools/translate.py --stackset $(STACK) .aws-sam/packaged.yaml >.aws-sam/stackset.json
	aws s3 cp --only-show-errors .aws-sam/stackset.json s3://$(BUCKET)/$(STACK)/stackset.json
	@echo 'for --template-url: https://$(BUCKET).s3.<its region>.amazonaws.com/$(STACK)/stackset.json'

status: ## Whether the stack is alive, and what waits for somebody; ends with 3 where something does
	@$(OPS) status

stop: ## Stop all that changes anything; events wait in their queues: make stop BY=ana
	@$(OPS) stop $(if $(BY),--by "$(BY)")

go: ## Let it run again: make go BY=ana
	@$(OPS) go $(if $(BY),--by "$(BY)")

preflight: ## After a deploy: whether the keys that settings name exist, are enabled, here, and let the required services in
	@$(OPS) preflight $(if $(BY),--by "$(BY)")

redrive: ## Put a function's dead letters back into its queue: make redrive FUNCTION=s3
	@aws sqs start-message-move-task \
	  --source-arn "$$(aws sqs get-queue-attributes --attribute-names QueueArn --query Attributes.QueueArn --output text \
	    --queue-url "$$(aws sqs get-queue-url --queue-name $(STACK)-$(FUNCTION)-dead-letters --query QueueUrl --output text)")" \
	  --destination-arn "$$(aws sqs get-queue-attributes --attribute-names QueueArn --query Attributes.QueueArn --output text \
	    --queue-url "$$(aws sqs get-queue-url --queue-name $(STACK)-$(FUNCTION) --query QueueUrl --output text)")"

clean: ## Remove the tools and what SAM built (cargo clean is yours to say)
	rm -rf .tools .aws-sam
