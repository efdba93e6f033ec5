"""What still runs when a world has ended, and should not."""

import trio

_TRIOS_OWN = ("<", "trio.", "duenna (")


def remaining_tasks() -> list[str]:
    """Return the names of all tasks but this one and trio's own, in the order of the alphabet."""
    this, root = trio.lowlevel.current_task(), trio.lowlevel.current_root_task()
    nurseries = root.child_nurseries if root is not None else ()
    left = [task.name for nursery in nurseries for task in nursery.child_tasks if task is not this]
    return sorted(name for name in left if not name.startswith(_TRIOS_OWN))
