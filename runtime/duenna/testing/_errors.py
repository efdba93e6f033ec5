"""What a world raises of itself."""


class WorldError(RuntimeError):
    """The simulation itself could not go on."""


class PlanError(ValueError):
    """A fault plan asks for what no host of the world can have: wrong use, and no finding of any seed."""
