"""placeholder"""


def read_file(info, family, dtype, quantised="none"):
    raise NotImplementedError
