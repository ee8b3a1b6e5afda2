"""What PDF/A-3a, and PDF/UA-1 as far as it goes, ask of a file and can be seen without a validator: a list of faults."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pikepdf

FORBIDDEN = ("/JavaScript", "/JS", "/OpenAction", "/AA", "/Launch", "/Movie", "/Sound", "/RichMedia", "/XFA")


def faults(document: pikepdf.Pdf) -> list[str]:
    """Return every fault found; none means: structured as designed, not: validated."""
    return [*_whole(document), *_files(document), *_fonts(document), *_annotations(document), *_tags(document)]


def _whole(document: pikepdf.Pdf) -> Iterator[str]:
    root = document.Root
    for name in ("/Lang", "/StructTreeRoot", "/OutputIntents", "/Metadata", "/AF", "/Outlines"):
        if name not in root:
            yield f"no {name}"
    if not bool(root.MarkInfo.Marked) or not bool(root.ViewerPreferences.DisplayDocTitle):
        yield "not marked, or the title is not shown"
    if root.OutputIntents[0].S != "/GTS_PDFA1" or "/DestOutputProfile" not in root.OutputIntents[0]:
        yield "no output intent"
    if document.is_encrypted or document.trailer.get("/ID") is None:
        yield "encrypted, or without /ID"
    xmp = document.open_metadata()
    if (xmp.get("pdfaid:part"), xmp.get("pdfaid:conformance")) != ("3", "A"):
        yield "XMP does not say PDF/A-3a"
    if "pdfuaid:part" in xmp:
        yield "XMP claims PDF/UA, which nobody validated"
    for number, each in enumerate(document.objects):
        if isinstance(each, pikepdf.Dictionary | pikepdf.Stream):
            yield from (f"object {number} has {name}" for name in FORBIDDEN if name in each)


def _files(document: pikepdf.Pdf) -> Iterator[str]:
    named = {each.objgen for each in document.Root.AF}
    for each in document.objects:
        if not isinstance(each, pikepdf.Dictionary) or each.get("/Type") != "/Filespec":
            continue
        if "/AFRelationship" not in each or each.objgen not in named or "/Desc" not in each:
            yield f"file {each.get('/UF')} has no relationship or description, or is not in /AF"


def _fonts(document: pikepdf.Pdf) -> Iterator[str]:
    for each in document.objects:
        if not isinstance(each, pikepdf.Dictionary):
            continue
        if each.get("/Type") == "/FontDescriptor" and not {"/FontFile", "/FontFile2", "/FontFile3"} & set(each.keys()):
            yield f"font {each.get('/FontName')} is not embedded"
        if (
            each.get("/Type") == "/Font"
            and each.get("/Subtype") in {"/Type0", "/TrueType", "/Type1"}
            and "/ToUnicode" not in each
        ):
            yield f"font {each.get('/BaseFont')} has no ToUnicode"


def _annotations(document: pikepdf.Pdf) -> Iterator[str]:
    names = _destinations(document)
    for number, page in enumerate(document.pages, 1):
        notes = page.get("/Annots", [])
        if len(notes) and page.get("/Tabs") != "/S":
            yield f"page {number}: tab order is not that of the structure"
        for note in notes:
            if note.Subtype == "/Widget":
                if int(note.F) != 132 or [int(x) for x in note.Rect] != [0, 0, 0, 0]:
                    yield f"page {number}: a visible widget"
            elif note.Subtype != "/Link" or int(note.F) != 4 or "/Contents" not in note or "/StructParent" not in note:
                yield f"page {number}: {note.Subtype} that is no tagged link with contents"
            elif "/A" in note and note.A.S != "/URI":
                yield f"page {number}: an action {note.A.S}"
            elif "/Dest" in note and str(note.Dest) not in names:
                yield f"page {number}: a link to {note.Dest}, which is nowhere"


def _destinations(document: pikepdf.Pdf) -> set[str]:
    return set(pikepdf.NameTree(document.Root.Names.Dests)) if "/Dests" in document.Root.get("/Names", {}) else set()


def _tags(document: pikepdf.Pdf) -> Iterator[str]:
    elements = list(_elements(document.Root.StructTreeRoot.K, ""))
    ids = {str(each.ID) for each, _ in elements if each.S == "/TH" and "/ID" in each}
    heads = [
        0,
        *(int(str(each.S)[2:]) for each, _ in elements if str(each.S)[:2] == "/H" and str(each.S)[2:].isdigit()),
    ]
    yield from (f"heading {b} follows {a}" for a, b in pairwise(heads) if b > a + 1)
    for each, parent in elements:
        if each.S == "/Figure" and not str(each.get("/Alt", "")).strip():
            yield "a figure without a text alternative"
        if each.S in {"/TH", "/TD"} and parent != "/TR":
            yield f"a cell in {parent}"
        if each.S == "/TH" and "/ID" not in each and "/Scope" not in each.get("/A", {}):
            yield "a header cell that no cell can name"
        if each.S == "/TD":
            heads_of = [str(name) for name in each.get("/A", {}).get("/Headers", [])]
            if not set(heads_of) <= ids:
                yield f"a cell names headers that are not there: {heads_of}"


def _elements(kids: Any, parent: str) -> Iterator[tuple[Any, str]]:
    for each in kids if isinstance(kids, pikepdf.Array) else [kids]:
        if isinstance(each, pikepdf.Dictionary) and "/S" in each:
            yield each, parent
            yield from _elements(each.get("/K", pikepdf.Array()), str(each.S))
