"""What can go wrong with administration itself."""

from remit.kernel.errors import Conflict, NotFound, RemitError


class NoSuchRole(NotFound):
    """No rule names a role like this: whoever held it could do nothing more."""

    code = "role_not_found"


class NoSuchAction(NotFound):
    """Nothing that can be done here is called so."""

    code = "admin_action_not_found"


class NoSuchAdminPolicy(NotFound):
    """No such version was published."""

    code = "admin_policy_not_found"


class AdminPolicyOutdated(Conflict):
    """Somebody published meanwhile: what was edited is not what is in force."""

    code = "admin_policy_outdated"


class NobodyLeft(RemitError):
    """After this nobody who lives and can sign in could administer any more; it is not done."""

    code = "nobody_left"
    kind = "conflict"
