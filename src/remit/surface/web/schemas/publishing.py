"""Versions of policy put in force, taken back and proven, as the API shows it."""

from typing import Annotated, Self

import msgspec

from remit.decision.policy_service import Proven

VersionNumber = Annotated[int, msgspec.Meta(ge=1, le=(1 << 53) - 1)]


class EnforceBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which version's text; without one, that of the version that is tried on a part."""

    version: VersionNumber | None = None


class RollbackBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which version's text comes back; without one, the last other one that was in force for all."""

    to: VersionNumber | None = None


class ProvenVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version; `fault` says why it is not what was signed, and is empty if it is."""

    version: int
    fault: str


class PolicyProof(msgspec.Struct, frozen=True, kw_only=True):
    """Whether all of them are; oldest first."""

    good: bool
    versions: list[ProvenVersion]

    @classmethod
    def of(cls, found: tuple[Proven, ...]) -> Self:
        """From the domain."""
        return cls(
            good=not any(each.fault for each in found),
            versions=[ProvenVersion(version=each.number, fault=each.fault) for each in found],
        )
