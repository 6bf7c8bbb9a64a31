"""What can go wrong when a person is asked, or something is stopped."""

from remit.kernel.errors import Conflict, Invalid, NotFound, RemitError


class Forbidden(RemitError):
    """The caller is known and may not do this."""

    code = "forbidden"
    kind = "forbidden"


class AlreadyAnswered(Conflict):
    """The ask has a terminal state; a late answer changes nothing."""

    code = "approval_already_answered"


class ApprovalExpired(Conflict):
    """The ask ran out before anybody answered."""

    code = "approval_expired"


class NoSuchApproval(NotFound):
    """No such ask, or none that this caller may see."""

    code = "approval_not_found"


class NoApprover(RemitError):
    """Nobody is left who may answer; said at once, so that no agent waits for nobody."""

    code = "no_approver"
    kind = "forbidden"


class NotAnApprover(Forbidden):
    """The answer comes from somebody who was not asked, or from the requester."""

    code = "not_an_approver"


class AnswerNotProven(Forbidden):
    """The answer does not carry a person's own signature or unspent link for exactly this digest."""

    code = "answer_not_proven"


class PasskeyNeeded(Forbidden):
    """The person has a passkey, and only that answers here."""

    code = "passkey_needed"


class WiderThanAllowed(Forbidden):
    """A yes for more calls, time, arguments or resources than the rule allows, or another than was signed."""

    code = "approval_wider_than_allowed"


class AnsweredByYou(Conflict):
    """The person has said yes already, under this account or another; a quorum counts people."""

    code = "approval_answered_by_you"


class NotRevocable(Conflict):
    """There is no unspent yes to take back."""

    code = "approval_not_revocable"


class NoSuchRoster(NotFound):
    """No on-call roster of that name, or no shift of that id."""

    code = "roster_not_found"


class RosterRefused(Invalid):
    """A shift or an absence that ends before it begins, is too long, or names nobody who can stand in."""

    code = "roster_refused"


class TooManyAsks(RemitError):
    """An agent or user asks for more of people's attention than its share."""

    code = "too_many_asks"
    kind = "rate_limited"


class ApproversBusy(TooManyAsks):
    """Everybody who may answer has been asked as much as they may be, or has quiet hours, and no deputy."""

    code = "approvers_busy"


class NotAlike(Conflict):
    """These asks are not answered as one: they differ, or one of them can't be undone or stands out."""

    code = "asks_not_alike"


class NoSuchAttention(Invalid):
    """A budget of attention that could not be kept."""

    code = "attention_invalid"


class UnknownApprovers(Invalid):
    """A rule names approvers in words that mean nobody."""

    code = "unknown_approvers"


class CaseRefused(Invalid):
    """A question or answer that is empty or too long, or a person whom an agent can't turn to."""

    code = "case_refused"


class CaseOver(Conflict):
    """The case, or the task that it was asked in, is over; a late answer reaches nobody."""

    code = "case_over"


class NoSuchCase(NotFound):
    """No such case, or none that this caller may see."""

    code = "case_not_found"


class NoSuchTarget(NotFound):
    """Nothing of that kind and name is there to stop."""

    code = "kill_target_not_found"


class NoSuchKill(NotFound):
    """No kill of that id."""

    code = "kill_not_found"


class BreakGlassRefused(Invalid):
    """Break glass for everything, for nothing that can be lifted, or without a reason."""

    code = "breakglass_refused"


class BreakGlassTooLong(Invalid):
    """Break glass that is open-ended, or longer than the cap."""

    code = "breakglass_too_long"


class BreakGlassOpenAlready(Conflict):
    """There is one for the same target, asked for or open."""

    code = "breakglass_open_already"


class NotBreakGlassNow(Conflict):
    """It is in another state than this needs."""

    code = "breakglass_not_now"


class NoSuchBreakGlass(NotFound):
    """No break glass of that id."""

    code = "breakglass_not_found"


class NotTheReviewer(Forbidden):
    """Whoever opened it does not close its review."""

    code = "breakglass_own_review"
