"""A token's place in a published status list, as its `status` claim names it (status-list-21 §6.1)."""

from dataclasses import dataclass

from remit.kernel.canonical import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a token's status stands: what its `status` claim says (§6.1)."""

    list: str
    idx: int

    def claim(self, issuer: str) -> JsonObject:
        """The value of the claim."""
        return {"status_list": {"idx": self.idx, "uri": uri_of(issuer, self.list)}}


def uri_of(issuer: str, name: str) -> str:
    """Where a list is published; its `sub` is the same."""
    return f"{issuer}/status/{name}"
