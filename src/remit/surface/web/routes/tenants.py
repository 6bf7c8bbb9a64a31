"""Tenants, for an operator of the installation; at a further tenant's own address there is no such noun."""

from dataclasses import dataclass
from typing import Any

from remit.app.tenant_desk import Administrator, TenantDesk
from remit.authority.oauth.wire.scopes import Scope
from remit.identity.tenants import OPERATOR, Tenant
from remit.kernel.errors import RemitError
from remit.surface.web.caller import Caller
from remit.surface.web.operation import Inbound, Method, Nothing, Operation, Replay
from remit.surface.web.schemas.identity import Because
from remit.surface.web.schemas.tenants import (
    AdministratorView,
    NewAdministrator,
    NewTenant,
    OpenedView,
    TenantView,
)


class NotOperator(RemitError):
    """The caller is known, and tenants are an operator's: role `operator` beside `admin`."""

    code = "not_operator"
    kind = "forbidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantRoutes:
    """What the noun needs; without a desk there is no such noun."""

    desk: TenantDesk | None

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served at the installation's own address."""
        if self.desk is None:
            return []
        return [*self._seeing(), *self._entering(), *self._moving()]

    def _seeing(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="listTenants",
                summary="Every further tenant, retired ones too",
                method=Method.GET,
                path="/tenants",
                scopes=(Scope.READ,),
                handler=self._all,
                body=Nothing,
                query=Nothing,
                answer=list[TenantView],
            ),
            Operation(
                name="showTenant",
                summary="One tenant: its issuer, trust domain and state",
                method=Method.GET,
                path="/tenants/{tenant}",
                scopes=(Scope.READ,),
                handler=self._one,
                body=Nothing,
                query=Nothing,
                answer=TenantView,
            ),
        ]

    def _entering(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="openTenant",
                summary="Enter a tenant and its first administrator; it is served at once",
                method=Method.POST,
                path="/tenants",
                scopes=(Scope.ADMIN,),
                handler=self._create,
                body=NewTenant,
                query=Nothing,
                answer=OpenedView,
                status=201,
                replay=Replay.REFUSE,
            ),
            Operation(
                name="appointAdministrator",
                summary="Register one more administrator there, on the tenant's own record",
                method=Method.POST,
                path="/tenants/{tenant}/administrators",
                scopes=(Scope.ADMIN,),
                handler=self._appoint,
                body=NewAdministrator,
                query=Nothing,
                answer=AdministratorView,
                status=201,
                replay=Replay.REFUSE,
            ),
        ]

    def _moving(self) -> list[Operation[Any, Any]]:
        return [
            _moves("suspendTenant", "Stop serving a tenant; nothing of it is lost", "suspend", self._suspend),
            _moves("resumeTenant", "Serve a suspended tenant again", "resume", self._resume),
            _moves("retireTenant", "End a tenant: data and keys go, its log stays", "retire", self._retire),
        ]  # fmt: skip

    async def _all(self, inbound: Inbound[Nothing, Nothing]) -> list[TenantView]:
        desk = self._open(inbound.caller, what="see tenants")
        return [_view(desk, each) for each in await desk.all()]

    async def _one(self, inbound: Inbound[Nothing, Nothing]) -> TenantView:
        desk = self._open(inbound.caller, what="see tenants")
        return _view(desk, await desk.get(inbound.path["tenant"]))

    async def _create(self, inbound: Inbound[NewTenant, Nothing]) -> OpenedView:
        desk, stated = self._open(inbound.caller, what="enter tenants"), inbound.body
        by, at = inbound.caller.principal, inbound.at
        made = await desk.create(stated.name, by=by, at=at)
        admin = await desk.appoint(made.name, stated.admin, stated.jwk, by=by, at=at)
        return OpenedView(tenant=_view(desk, made), administrator=_admin(made.name, admin))

    async def _appoint(self, inbound: Inbound[NewAdministrator, Nothing]) -> AdministratorView:
        desk, stated = self._open(inbound.caller, what="appoint administrators"), inbound.body
        name = inbound.path["tenant"]
        admin = await desk.appoint(name, stated.admin, stated.jwk, by=inbound.caller.principal, at=inbound.at)
        return _admin(name, admin)

    async def _suspend(self, inbound: Inbound[Because, Nothing]) -> TenantView:
        desk = self._open(inbound.caller, what="suspend tenants")
        return _view(desk, await desk.suspend(inbound.path["tenant"], **_act(inbound)))

    async def _resume(self, inbound: Inbound[Because, Nothing]) -> TenantView:
        desk = self._open(inbound.caller, what="resume tenants")
        return _view(desk, await desk.resume(inbound.path["tenant"], **_act(inbound)))

    async def _retire(self, inbound: Inbound[Because, Nothing]) -> TenantView:
        desk = self._open(inbound.caller, what="retire tenants")
        return _view(desk, await desk.retire(inbound.path["tenant"], **_act(inbound)))

    def _open(self, caller: Caller, *, what: str) -> TenantDesk:
        if self.desk is None or not (caller.administers and OPERATOR in caller.roles):
            raise NotOperator(
                f"only an operator may {what}: an administrator with the role `{OPERATOR}`",
                next_step="ask one: remit user list",
            )
        return self.desk


def _moves(name: str, summary: str, verb: str, handler: Any) -> Operation[Any, Any]:
    return Operation(
        name=name,
        summary=summary,
        method=Method.POST,
        path=f"/tenants/{{tenant}}/{verb}",
        scopes=(Scope.ADMIN,),
        handler=handler,
        body=Because,
        query=Nothing,
        answer=TenantView,
    )


def _act(inbound: Inbound[Because, Nothing]) -> dict[str, Any]:
    return {"by": inbound.caller.principal, "because": inbound.body.reason, "at": inbound.at}


def _view(desk: TenantDesk, tenant: Tenant) -> TenantView:
    return TenantView(
        name=tenant.name,
        state=tenant.state,
        issuer=desk.issuer(tenant),
        trust_domain=desk.trust_domain(tenant),
        created_at=tenant.created_at,
        changed_at=tenant.changed_at,
        by=tenant.by,
        because=tenant.because,
    )


def _admin(tenant: str, admin: Administrator) -> AdministratorView:
    return AdministratorView(
        tenant=tenant,
        user=admin.user,
        key=admin.key or "",
        link=admin.link,
        expires_at=admin.expires_at,
    )
