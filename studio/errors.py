"""The one error that reaches people. Imports nothing of the application."""

from typing import Any


class StudioError(Exception):
    """What happened (`title`), why (`detail`) and what to do (`hint`), in words for a person.

    `code` is a short stable word for programs; `log` is an optional tail of output for the details fold.
    """

    def __init__(self, title: str, detail: str = "", hint: str = "", *, code: str = "error", log: str = ""):
        super().__init__(title)
        self.title, self.detail, self.hint, self.code, self.log = title, detail, hint, code, log

    def __str__(self) -> str:
        return " ".join(part for part in (self.title, self.detail, self.hint) if part)

    def to_dict(self) -> dict[str, Any]:
        parts = {"title": self.title, "detail": self.detail, "hint": self.hint, "code": self.code, "log": self.log}
        return {key: value for key, value in parts.items() if value}

    @classmethod
    def from_dict(cls, parts: dict[str, Any]) -> "StudioError":
        return cls(
            str(parts.get("title", "Something went wrong")),
            str(parts.get("detail", "")),
            str(parts.get("hint", "")),
            code=str(parts.get("code", "error")),
            log=str(parts.get("log", "")),
        )
