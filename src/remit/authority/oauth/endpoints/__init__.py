"""One file per endpoint: parameters in, a value out; no HTTP. None imports another."""
