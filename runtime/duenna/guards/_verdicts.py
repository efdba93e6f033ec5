"""What the classifier says of a failed call: whether it is worth trying again, and what the error is about.

The classifier is that of the runtime which runs in this thread, or of the only one, or else the
one of the process. A verdict depends on an error's text too, so it is remembered by type and
text, and only of errors that say nothing else; that is what an outage consists of, and makes
the look-up as cheap as one by type.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from duenna.guards._hints import is_plain, is_transient, links_of
from duenna.guards._lazy import UnfinishedWorkError
from duenna.guards.errors import RejectedError
from duenna.machines.classification import Facts, Verdict
from duenna.machines.hints import members

if TYPE_CHECKING:
    from duenna.machines.classifier import Classifier

_MOST_KNOWN = 1000
_LONGEST_KNOWN = 200
_MOST_LINKS = 32
_MOST_MEMBERS = 32
_DEEPEST = 8
_LONGEST_WAIT = 7 * 86_400.0
_UNKNOWN = "default/unknown"  # the rule that is left when no other matches
_SOME_OS_ERROR = "system/os"

_NEVER = (RejectedError, StopIteration, StopAsyncIteration, UnfinishedWorkError)
"""What a guard refused is not asked for again at once, the end of an iteration is an answer, and the last a mistake."""


class Judge:
    """Asks one classifier about failed calls, and remembers what it said of plain errors, of 1,000 at most.

    Attributes:
        classifier: Who is asked.
    """

    def __init__(self, classifier: Classifier) -> None:
        """Ask *classifier*."""
        self.classifier = classifier
        self._known: dict[tuple[type, str, str], Verdict] = {}

    def verdict(self, error: BaseException, origin: str = "") -> Verdict:
        """Return what *error* means that came from code of the kind *origin*."""
        if not is_plain(error):
            return self.classifier.classify(_facts(error, origin))
        key = type(error), error.args[0] if error.args else "", origin
        known = self._known.get(key)
        if known is None:
            known = self.classifier.classify(_facts(error, origin))
            if len(key[1]) <= _LONGEST_KNOWN:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[key] = known
        return known

    def is_transient(self, error: BaseException, origin: str = "", *, depth: int = 0) -> bool:
        """Return whether *error* is transient and certainly had no effect; of a group, whether all members are so."""
        inside = members(error)
        if inside:
            some = inside[:_MOST_MEMBERS]
            return depth < _DEEPEST and all(self.is_transient(each, origin, depth=depth + 1) for each in some)
        verdict = self.verdict(error, origin)
        return verdict.transient and not verdict.outcome_unknown and not isinstance(error, _NEVER)

    def is_worth(self, error: BaseException, depth: int = 0) -> bool:
        """Return whether a call that failed with *error* is worth making again; of a group, whether all members say so.

        What is not transient only because nobody knows whether it had an effect is worth it: whether
        the call may be made twice is for its guard to say. What no rule knows is taken at its
        word: whoever guards a call means it to be tried again, so only bugs and refusals are not.
        """
        inside = members(error)
        if inside:
            return depth < _DEEPEST and all(
                self.is_worth(member, depth + 1) if number < _MOST_MEMBERS else is_transient(member)
                for number, member in enumerate(inside)
            )
        if isinstance(error, _NEVER):
            return False
        verdict = self.verdict(error)
        if verdict.transient or verdict.outcome_unknown:
            return True
        return _says_nothing(verdict, error) and is_transient(error)


def _says_nothing(verdict: Verdict, error: BaseException) -> bool:
    """Return whether no rule knew *error*: neither its type nor its text, and an OSError not by its number."""
    if verdict.rule == _SOME_OS_ERROR:
        return isinstance(error, OSError) and error.errno is None
    return verdict.rule == _UNKNOWN


def asked_wait(verdict: Verdict) -> float:
    """Return for how many seconds the far end wants to be left alone, a week at most; 0 if it does not say."""
    wait = verdict.retry_after
    return min(wait, _LONGEST_WAIT) if wait is not None and wait > 0 else 0.0


def _facts(error: BaseException, origin: str) -> Facts:
    """Return what is known of *error* and its causes, without its contexts.

    A call that is made while another error is handled has that for its context, and nothing to
    do with it.
    """
    from duenna._facts import facts_of  # noqa: PLC0415  # a guard that never fails never needs it

    links: list[Any] = list(islice(links_of(error), _MOST_LINKS))
    if any(link.__context__ is not None and link.__cause__ is None for link in links):
        return Facts(links=tuple(facts_of(link).links[0] for link in links), origin=origin)
    return facts_of(error, origin=origin)
