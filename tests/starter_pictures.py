"""Pictures with captions as the recipe of the starter image model reads them, drawn here."""

from pathlib import Path

from PIL import Image, ImageDraw

COLOURS = ("red", "green", "blue", "orange")
FORMS = ("ellipse", "rectangle")


def make_pictures(folder: Path) -> Path:
    """Eight pictures with captions, clear around the drawing, as the real ones are."""
    (folder / "images").mkdir()
    lines = ["file,caption"]
    for form in FORMS:
        for colour in COLOURS:
            picture = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
            getattr(ImageDraw.Draw(picture), form)((8, 8, 55, 55), fill=colour)
            picture.save(folder / "images" / f"{form}-{colour}.png")
            lines.append(f"{form}-{colour}.png,{colour} {form}")
    (folder / "captions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
