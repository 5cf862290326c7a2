"""Picture files as people have them and as nobody should: written into a folder, by name."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

USABLE = ("cmyk.jpg", "deep.png", "moving.gif", "exif.jpg", "strip.png")
BROKEN = ("cut.png", "cut.jpg", "tiny.png", "huge.png", "text.png")


def write(folder: Path) -> Path:
    """All of USABLE and BROKEN, and `good.png`, `mask.png`, `mask-32.png`, `mask-wide.png`, `black.png`."""
    folder.mkdir(parents=True)
    slope = np.linspace(0, 255, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    good = Image.fromarray(slope)
    good.save(folder / "good.png")
    good.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(slope[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    good.save(folder / "moving.gif", save_all=True, append_images=[Image.new("RGB", (64, 64), "blue")] * 3)
    good.save(folder / "exif.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 4_000)
    Image.fromarray(np.tile(slope, (10, 469, 1))[:600, :30_000]).save(folder / "strip.png", compress_level=1)
    for kind in ("png", "jpg"):
        whole = io.BytesIO()
        Image.effect_noise((64, 64), 90).convert("RGB").save(whole, {"jpg": "JPEG"}.get(kind, "PNG"))
        (folder / f"cut.{kind}").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    Image.new("RGB", (1, 1)).save(folder / "tiny.png")
    Image.new("1", (30_000, 5_000), 1).save(folder / "huge.png")
    (folder / "text.png").write_text("This is a letter, and no picture.\n" * 20)
    hole = Image.new("L", (64, 64))
    hole.paste(255, (16, 16, 48, 48))
    hole.save(folder / "mask.png")
    hole.resize((32, 32)).save(folder / "mask-32.png")
    hole.resize((64, 24)).save(folder / "mask-wide.png")
    Image.new("L", (64, 64)).save(folder / "black.png")
    return folder
