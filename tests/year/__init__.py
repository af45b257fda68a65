"""A year of autopay on a virtual clock: the command of `make autopay-year`."""
