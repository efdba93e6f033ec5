"""What stands above the roots."""

from typing import TYPE_CHECKING, Any

from duenna._node import Node
from duenna._text import describe
from duenna.machines.lifecycle import ChildState, Step, after

if TYPE_CHECKING:
    from duenna._runtime import Runtime


class Summit:
    """Plays the parent for the roots: `/system` and the user's tree."""

    path = ""
    parent = None

    def __init__(self, runtime: "Runtime") -> None:
        """Tell *runtime* what becomes of the roots."""
        self.runtime = runtime
        self.manager = self
        self.nursery: Any = None

    def post(self, call: Any, *args: object) -> None:
        """Make *call* at once."""
        call(*args)

    def child_ready(self, root: Node, _incarnation: int) -> None:
        """Note that a root is ready."""
        root.state = after(root.state, Step.READY)
        root.started_at = self.runtime.now()
        self.runtime.root_changed.set()

    def child_ending(self, root: Node, outcome: BaseException | None) -> None:
        """Note that a root has begun to stop its children."""
        self.runtime.begin_stopping("finished" if outcome is None else f"{root.path}: {describe(outcome)}")

    def host_ended(self, root: Node, _incarnation: int, _host: object, error: BaseException | None) -> None:
        """Note that a root has ended."""
        root.state = ChildState.STOPPED
        root.more.exit = error
        self.runtime.root_ended(error)
