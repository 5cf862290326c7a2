"""Every operation of the image plugin through the command line, with tiny models; and each result made again."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.library.recipe import read_recipe
from tests import bad_pictures, tiny_checkpoints, tiny_pipelines
from tests.guides_rig import resident
from tests.patience import PATIENCE_S
from tests.worker.cli_rig import Studio
from tests.worker.test_image_adapters import of_diffusers

pytestmark = [
    pytest.mark.worker,
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning"),
]
SMALL = ("--width", "64", "--height", "64")
QUICK = ("--seed", "5", "--steps", "2")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("operations")
    bad_pictures.write(base / "pictures")
    sd15 = resident("sd15", base / "models")
    of_diffusers(sd15, base / "models", texts=False).rename(base / "models" / "ink.safetensors")
    tiny_checkpoints.compact(base / "models" / "sharp.safetensors")
    return base


@pytest.fixture(scope="module")
def studio(base: Path) -> Iterator[Studio]:
    studio = Studio(base / "data")
    studio.environment["OMP_NUM_THREADS"] = "1"
    studio("models", "add", str(base / "models"))
    yield studio
    with contextlib.suppress(AssertionError):
        studio("engine", "stop")


def made(studio: Studio, operation: str, *flags: str) -> list[Path]:
    """Runs image.<operation>; the results that standard output names."""
    run = studio("run", f"image.{operation}", *flags)
    paths = [Path(line) for line in run.stdout.splitlines()]
    assert paths and all(path.is_file() for path in paths), (run.stdout, run.stderr)
    return paths


def exact(studio: Studio, path: Path) -> None:
    """The result is the same when it is made again from what lies in or beside the file."""
    operation = read_recipe(path).operation
    assert operation in studio("recipe", str(path)).stdout
    assert "Exact" in studio("again", str(path)).stdout


def test_a_batch_with_choices_and_a_lora_and_each_of_its_pictures_again(studio: Studio) -> None:
    paths = made(
        studio, "generate", "a {red|green} fox", "--model", "sd15", "--count", "2", "--at-once", "1",
        "--loras", "model=ink.safetensors,weight=0.8", *QUICK,
    )  # fmt: skip
    assert len(paths) == 2
    recipes = [read_recipe(path) for path in paths]
    assert [recipe.params["seed"] for recipe in recipes] == [5, 6]
    assert {model.ref for model in recipes[0].models} == {"sd15", "ink.safetensors"}
    exact(studio, paths[1])


def test_repainting_again(studio: Studio, base: Path) -> None:
    folder = base / "pictures"
    (path,) = made(
        studio, "inpaint", "a fox", "--model", "sd15", "--picture", str(folder / "good.png"), "--mask",
        str(folder / "mask.png"), *QUICK,
    )  # fmt: skip
    exact(studio, path)


def test_pictures_painted_together_differ_from_one_alone_by_their_rounding_only(studio: Studio) -> None:
    paths = made(studio, "generate", "a fox", "--model", "sd15", "--count", "3", *QUICK)
    with studio.start("again", str(paths[2])) as process:
        out, _ = process.communicate(timeout=PATIENCE_S)
    if process.returncode:  # whether sums of another batch round otherwise is the processor's affair
        assert b"of 255" in out and b"3 painted together" in out, out
    else:
        assert b"Exact" in out


ONE: dict[str, tuple[Any, ...]] = {
    "transform": ("a ship", "--model", "sd15", "--picture", "{good}", "--strength", "0.7", *QUICK),
    "outpaint": ("a ship", "--model", "sd15", "--picture", "{good}", "--right", "32", *QUICK),
    "upscale": ("a ship", "--model", "sd15", "--picture", "{good}", "--refine", "0.5", *QUICK),
    "upscale ": (
        "--model", "sd15", "--picture", "{good}", "--upscaler", "sharp.safetensors", "--refine", "0", "--scale", "2",
    ),
    "edit": ("make it red", "--model", "flux-kontext", "--picture", "{good}", *SMALL, *QUICK),
    "map": ("--picture", "{good}", "--map", "canny"),
    "clip": ("a ship sails", "--model", "wan", "--frames", "5", *SMALL, *QUICK),
    "clip ": (
        "a ship sails", "--model", "ltx", "--frames", "9", *SMALL, "--container", "webp",
        *QUICK,
    ),
    "travel": (
        "--model", "sd15", "--stops", "prompt=a fox,frames=3", "--stops", "prompt=a ship,frames=3", *QUICK,
    ),
    "generate": ("a fox", "--model", "sd15", "--hires", "1.5", "--variation", "0.3", *QUICK),
}  # fmt: skip


@pytest.fixture(scope="module")
def families(base: Path, studio: Studio) -> None:
    for family in ("flux-kontext", "wan", "ltx"):
        tiny_pipelines.make(family, base / "more" / family)
    studio("models", "add", str(base / "more"))


@pytest.mark.slow
@pytest.mark.usefixtures("families")
@pytest.mark.parametrize("operation", ONE)
def test_every_operation_again(operation: str, studio: Studio, base: Path) -> None:
    good = str(base / "pictures" / "good.png")
    (path,) = made(studio, operation.strip(), *(word.replace("{good}", good) for word in ONE[operation]))
    exact(studio, path)
