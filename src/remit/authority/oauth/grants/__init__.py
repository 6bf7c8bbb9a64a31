"""One file per grant type: what a client must show, and which token that earns. None imports another."""
