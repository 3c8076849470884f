"""The one error of this package."""


class ViewError(ValueError):
    """A ViewDefinition that cannot be compiled: says where in the view and why, and holds no value of any resource."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}" if place else problem)
        self.place = place
        self.problem = problem
