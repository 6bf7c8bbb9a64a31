"""Tenants: who shares an installation without sharing anything in it. `default` is the installation itself.

Its rows are kept beside those of every tenant and named by it; who may write them is an operator, which is
an administrator of `default` with the role `operator`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from remit.kernel.ids import TenantId

OPERATOR: Final = "operator"
"""The role, beside `admin`, of whoever opens, suspends and retires tenants."""


class TenantState(StrEnum):
    """Where in its life a tenant is; nothing follows `retired`."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    """Absent to everybody: nothing is served, decided or written; all of it comes back with `resume`."""
    RETIRED = "retired"
    """Its data and private keys are gone; its log, its public keys and its name stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One further tenant. `because` says why it is in its state; `by` is the operator who put it there."""

    name: TenantId
    state: TenantState
    created_at: datetime
    changed_at: datetime
    by: str
    because: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it is served."""
        return self.state is TenantState.ACTIVE
