"""What goes wrong when files of another shape are laid out as a landing zone."""


class AdapterError(Exception):
    """A file is not of the shape that its adapter reads."""
