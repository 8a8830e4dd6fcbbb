"""HTML and SVG as a tree: what stands in it as text is escaped when it is written."""

from xml.etree.ElementTree import Element

# What XML and HTML cannot hold, also not escaped.
_FORBIDDEN = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160), *range(0xD800, 0xE000)], "\ufffd")


def tag(name: str, /, *children: "Element | str | None", **attributes: str) -> Element:
    """Return an element.

    Args:
        name: of the element.
        children: what stands in it; None is left out.
        **attributes: by name, `class_` for class, `aria_label` for aria-label; underscores are dashes.
    """
    made = Element(
        name, {key.rstrip("_").replace("_", "-"): value.translate(_FORBIDDEN) for key, value in attributes.items()}
    )
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif child is not None and len(made):
            made[-1].tail = (made[-1].tail or "") + child.translate(_FORBIDDEN)
        elif child is not None:
            made.text = (made.text or "") + child.translate(_FORBIDDEN)
    return made
