"""What other programs call samplers and noise schedules, and which of ours they are. Imports no torch.

The names are those of A1111 and Forge ("DPM++ 2M Karras"), ComfyUI ("dpmpp_2m", "karras"), InvokeAI
("dpmpp_2m_k"), Fooocus, NovelAI ("k_dpmpp_2m") and Draw Things ("DPM++ 2M AYS").
"""

import re

A1111_SAMPLERS = {
    "euler": "Euler", "euler-a": "Euler a", "heun": "Heun", "dpm2": "DPM2", "dpm2-a": "DPM2 a", "lms": "LMS",
    "dpmpp-2m": "DPM++ 2M", "dpmpp-2m-sde": "DPM++ 2M SDE", "dpmpp-3m": "DPM++ 3M", "dpmpp-2s": "DPM++ 2S",
    "dpmpp-sde": "DPM++ SDE", "ddim": "DDIM", "ddpm": "DDPM", "pndm": "PLMS", "deis": "DEIS", "unipc": "UniPC",
    "sa-solver": "SA-Solver", "ipndm": "IPNDM", "lcm": "LCM", "tcd": "TCD",
}  # fmt: skip
A1111_SCHEDULES = {
    "normal": "Normal", "simple": "Simple", "sgm-uniform": "SGM Uniform", "karras": "Karras",
    "exponential": "Exponential", "beta": "Beta", "ays": "Align Your Steps", "lu": "Lu",
}  # fmt: skip
_SAMPLERS = {
    "euler": "euler", "eulera": "euler-a", "eulerancestral": "euler-a", "heun": "heun",
    "dpm2": "dpm2", "kdpm2": "dpm2", "dpm2a": "dpm2-a", "dpm2ancestral": "dpm2-a", "kdpm2a": "dpm2-a",
    "kdpm2ancestral": "dpm2-a", "lms": "lms", "dpmpp2m": "dpmpp-2m", "dpmpp2msde": "dpmpp-2m-sde",
    "dpmpp3m": "dpmpp-3m", "dpmpp2s": "dpmpp-2s", "dpmppsde": "dpmpp-sde", "ddim": "ddim", "ddpm": "ddpm",
    "plms": "pndm", "pndm": "pndm", "deis": "deis", "unipc": "unipc", "sasolver": "sa-solver", "ipndm": "ipndm",
    "lcm": "lcm", "tcd": "tcd", "flowmatcheuler": "euler", "flowmatchheun": "heun",
}  # fmt: skip
_NEAREST = {
    "dpmpp3msde": "dpmpp-3m", "dpmpp2sa": "dpmpp-2s", "dpmpp2sancestral": "dpmpp-2s", "dpmpp2msdeheun": "dpmpp-2m-sde",
    "heunpp2": "heun", "unipcbh2": "unipc", "ipndmv": "ipndm", "dpmfast": "dpmpp-2m", "dpmadaptive": "dpmpp-2m",
    "restart": "heun", "eulercfgpp": "euler", "eulerancestralcfgpp": "euler-a", "ddimcfgpp": "ddim",
    "dpmpp2mcfgpp": "dpmpp-2m", "resmultistep": "dpmpp-2m", "ersde": "dpmpp-2m-sde", "dpmpp2mu": "dpmpp-2m",
}  # fmt: skip
"""Samplers that are not here, with the one that comes nearest."""

_SCHEDULES = {
    "normal": "normal", "uniform": "normal", "simple": "simple", "sgmuniform": "sgm-uniform", "trailing": "sgm-uniform",
    "karras": "karras", "exponential": "exponential", "beta": "beta", "alignyoursteps": "ays", "ays": "ays",
    "lu": "lu", "native": "normal",
}  # fmt: skip
_NEAREST_SCHEDULES = {
    "polyexponential": "exponential", "klopt": "karras", "kloptimal": "karras", "ddim": "normal",
    "ddimuniform": "normal", "linearquadratic": "simple", "turbo": "sgm-uniform", "lcm": "sgm-uniform",
    "tcd": "sgm-uniform", "edmplaygroundv25": "karras", "beta57": "beta", "alignyourstepsgits": "ays",
}  # fmt: skip
_ENDINGS = re.compile(
    r"[ _-]+(karras|exponential|polyexponential|sgm[ _]uniform|simple|beta|trailing|ays|align[ _]your[ _]steps)$", re.I
)


def sampler(name: str) -> tuple[str, str, str]:
    """Our sampler, our schedule when the name says one too, and a sentence when something else was meant.

    An empty sampler means that the name is not known, "auto" that the program chose by itself.
    """
    said = name.strip()[:80]
    ending = _ENDINGS.search(said)
    schedule = _SCHEDULES.get(_key(ending.group(1)), "exponential") if ending else ""
    key = _key(said[: ending.start()] if ending else said)
    if re.search(r"_k$", said) and key.endswith("k"):  # InvokeAI's ending for Karras noise levels
        key, schedule = key[:-1], "karras"
    key = key.removesuffix("gpu")
    if key in ("", "auto", "automatic", "default"):
        return "auto", schedule, ""
    for key_ in (key, key.removeprefix("k")):
        if key_ in _SAMPLERS:
            return _SAMPLERS[key_], schedule, ""
        if key_ in _NEAREST:
            nearest = _NEAREST[key_]
            return nearest, schedule, f"The sampler “{said}” is not here; {nearest} comes nearest."
    return "", schedule, f"The sampler “{said}” is not known here."


def schedule(name: str) -> tuple[str, str]:
    """Our schedule and a sentence when something else was meant; an empty one is not known."""
    said = name.strip()[:80]
    key = _key(said)
    if key in ("", "auto", "automatic", "default"):
        return "auto", ""
    if key in _SCHEDULES:
        return _SCHEDULES[key], ""
    if key in _NEAREST_SCHEDULES:
        nearest = _NEAREST_SCHEDULES[key]
        return nearest, f"The noise schedule “{said}” is not here; {nearest} comes nearest."
    return "", f"The noise schedule “{said}” is not known here."


def a1111(sampler_: str, schedule_: str) -> tuple[str, str]:
    """What A1111 calls them; empty for "auto"."""
    return A1111_SAMPLERS.get(sampler_, ""), A1111_SCHEDULES.get(schedule_, "")


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("++", "pp"))
