# The commands of the README.
.PHONY: test
test:
	cargo test -p domain -p service
