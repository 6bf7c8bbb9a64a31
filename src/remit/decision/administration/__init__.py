"""Who may administer Remit: a policy set of its own, decided like every other, with roles as its subjects.

It judges people at the API. What agents and workloads may do there their tokens' scopes say. It refuses to be
edited into a state in which nobody who is alive could edit it again.
"""
