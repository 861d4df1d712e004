"""Images of pixels, as they are: encoded, in a notebook, beside one another in a file."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, cast

from circuitkb.results.pictures.png import with_text
from circuitkb.schema.errors import NotFoundError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

SIDE = 190
"""Pixels along an image in a notebook: what is shown can be 3 pixels wide."""

MOST_PIXELS = 4_000_000
"""An image that is read has so many at most."""

INCHES, DOTS = 3.4, 110
"""Side of an image in a file, and dots of an inch."""


def png(image: Pixels, texts: Mapping[str, str] | None = None) -> bytes:
    """Return an image as PNG: every pixel as it is, and what is said of it as text.

    Parameters
    ----------
    image
        Axes (row, column, channel), of one channel or three.
    texts
        By their keywords.

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image
    >>> made = png(np.zeros((2, 3, 1), np.uint8), {"Title": "net/a:1"})
    >>> Image.open(io.BytesIO(made)).size
    (3, 2)
    """
    from PIL import Image

    file = io.BytesIO()
    shown = image[:, :, 0] if image.shape[2] == 1 else image
    Image.fromarray(shown).save(file, format="png")
    return with_text(file.getvalue(), texts) if texts else file.getvalue()


def pixels(data: bytes) -> Pixels:
    """Return the image that :func:`png` made.

    Raises
    ------
    NotFoundError
        It is no such image: a stranger's knowledge base may hold what it will.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    >>> bool((pixels(png(image)) == image).all())
    True
    """
    import numpy as np
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as opened:
            if opened.width * opened.height > MOST_PIXELS or opened.mode not in ("L", "RGB"):
                raise ValueError(opened.mode)
            found = np.asarray(opened)
    except (OSError, ValueError, SyntaxError) as error:
        raise NotFoundError("What is kept as an image is none.") from error
    return found if found.ndim == 3 else found[:, :, None]


def sheet(rows: Sequence[Sequence[tuple[Pixels, str]]]) -> bytes:
    """Return a PNG of images in rows, each with its caption.

    Examples
    --------
    >>> import numpy as np
    >>> sheet([[(np.zeros((2, 3, 1), np.uint8), "two rows")]])[:4]
    b'\\x89PNG'
    """
    from matplotlib.figure import Figure

    columns = max(map(len, rows))
    size = INCHES * columns, INCHES * len(rows)
    figure = Figure(figsize=size, dpi=DOTS, layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for place in axes.flat:
        place.axis("off")
    for places, row in zip(axes, rows, strict=True):
        for place, (image, caption) in zip(places, row, strict=False):
            colours = image.repeat(3 // image.shape[2], axis=2)
            place.imshow(colours, interpolation="nearest")
            place.set_title(caption, fontsize=6, wrap=True, parse_math=False)
    file = io.BytesIO()
    unsigned = {"Software": None}  # the same bytes by any version that draws it
    figure.savefig(file, format="png", metadata=cast("dict[str, str]", unsigned))
    return file.getvalue()


def html(image: Pixels, caption: str) -> str:
    """Return an image with its caption, for a notebook."""
    return html_of(png(image), caption, sharp=True)


def html_of(
    data: bytes,
    caption: str,
    *,
    frame: tuple[float, float, float, float] | None = None,
    sharp: bool = False,
) -> str:
    """Return an encoded image with its caption, for a notebook.

    Parameters
    ----------
    data
        PNG or WebP.
    frame
        Where a frame is drawn over it: top, left, bottom and right as shares of its sides.
    sharp
        Whether each pixel has its edges.

    Examples
    --------
    >>> made = html_of(b"...", "a <b>", frame=(0.0, 0.25, 0.5, 0.75))
    >>> "a &lt;b&gt;" in made, "left:25%;top:0%;width:50%;height:50%" in made
    (True, True)
    """
    kind = "png" if data.startswith(b"\x89PNG") else "webp"
    drawn = ""
    if frame is not None:
        top, left, bottom, right = frame
        drawn = (
            f'<span style="position:absolute;left:{left:.4%};top:{top:.4%};'
            f"width:{right - left:.4%};height:{bottom - top:.4%};box-sizing:border-box;"
            'border:2px solid #d55e00"></span>'
        ).replace(".0000%", "%")
    return (
        '<figure style="display:inline-block;vertical-align:top;margin:0 8px 8px 0;'
        f'width:{SIDE}px"><span style="position:relative;display:block">'
        f'<img src="data:image/{kind};base64,{base64.b64encode(data).decode("ascii")}" '
        f'alt="{escape(caption)}" width="{SIDE}" style="display:block'
        f'{";image-rendering:pixelated" if sharp else ""}">{drawn}</span>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
