"""Inputs that are in order."""

from studio.sdk.params import Params


class Good(Params):
    label: str = ""
