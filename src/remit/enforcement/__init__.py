"""ACT: verify, ask, obey. An enforcement point carries no server: it asks through `pep.decider`."""
