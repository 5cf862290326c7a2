"""Numbers as people say them: bytes, parameters. No Qt."""


def bytes_words(count: float) -> str:
    """12_300_000 as "12.3 MB"."""
    return _scaled(count, 1000, ("B", "kB", "MB", "GB", "TB"))


def count_words(count: float) -> str:
    """5_100_000 as "5.1 M"."""
    return _scaled(count, 1000, ("", "k", "M", "B", "T")).strip()


def _scaled(count: float, by: int, units: tuple[str, ...]) -> str:
    at = 0
    while count >= by and at < len(units) - 1:
        count /= by
        at += 1
    if count >= 999.5 and at < len(units) - 1:
        count, at = count / by, at + 1
    digits = 0 if at == 0 or count >= 100 else 1
    return f"{count:.{digits}f} {units[at]}"
