"""Pictures, made on the spot."""

import io

from PIL import Image


def picture(kind: str = "PNG", size: tuple[int, int] = (320, 200)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "orange").save(out, kind)
    return out.getvalue()
