"""Marks of an entity on its packets: what runs, cannot be read or claims too much is refused; colours of results are nobody's."""

import io
import re
import zipfile
from dataclasses import replace

import pytest
from PIL import Image, ImageFile

from evidence.errors import ConfigError
from evidence.packet import _content
from evidence.render import html
from evidence.render.brand import Brand, check, contrast
from evidence.render.looks import Looks
from evidence.render.workbook import write_book
from evidence.render.worksheets import heading, tables
from tests.fakes.packet_inputs import TEMPLATES, build_inputs, packet_key

ROOT_TAG = '<svg xmlns="http://www.w3.org/2000/svg" width="240" height="60" viewBox="0 0 240 60"{more}>{inside}</svg>'


def svg(inside='<path d="M0 0h60v60z" fill="#5b2a86"/>', more=""):
    return ROOT_TAG.format(more=more, inside=inside).encode()


def png(width=120, height=40):
    out = io.BytesIO()
    Image.new("RGBA", (width, height), "#5b2a86").save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (svg("<script>alert(1)</script>"), "element <script>"),
        (svg("<foreignObject/>"), "element <foreignObject>"),
        (svg('<image href="https://example.com/a.png"/>'), "element <image>"),
        (svg("<style>@import url(https://example.com)</style>"), "element <style>"),
        (svg("<text>x</text>"), "element <text>"),
        (svg("<linearGradient/>"), "element <linearGradient>"),
        (svg(more=' onload="alert(1)"'), "attribute onload"),
        (svg('<path d="M0 0" style="fill:url(https://example.com)"/>'), "attribute style"),
        (svg('<g xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="file:///etc/hostname"/>'), "attribute href"),
        (svg('<path d="M0 0" fill="url(https://example.com)"/>'), "address in fill"),
        (b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + svg("&x;"), "document type"),
        (b'<?xml-stylesheet href="x"?>' + svg(), "style sheet"),
        (svg().replace(b' width="240"', b""), "no width"),
        (svg().replace(b'width="240"', b'width="2400"'), "one side at most"),
        (b"<svg/>", "is no SVG"),
        (b"\xff\xfe<svg/>", "UTF-8"),
        (b"<html/>", "is no SVG"),
    ],
)
def test_a_drawing_that_is_more_than_shapes_is_refused(body, why):
    with pytest.raises(ConfigError, match=why):
        check(Brand(logo=body, logo_type="svg"), TEMPLATES)


@pytest.mark.parametrize("lenient", [False, True])
def test_pictures(monkeypatch, lenient):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)  # True as soon as WeasyPrint is imported
    check(Brand(logo=svg(), logo_type="svg"), TEMPLATES)
    check(Brand(logo=png(), logo_type="png"), TEMPLATES)
    for body, why in ((png(8, 8), "pixels"), (png(400, 20), "one side"), (b"GIF89a", "no PNG"), (png()[:60], "no PNG"), (b"x" * (257 << 10), "bytes")):  # fmt: skip
        with pytest.raises(ConfigError, match=why):
            check(Brand(logo=body, logo_type="png"), TEMPLATES)


def test_a_colour_that_cannot_be_read_is_refused_with_its_ratio():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the known near miss
    check(Brand(accent="#1f4e79", accent_dark="#8fc1ee"), TEMPLATES)
    for brand, why in (
        (Brand(accent="#777777"), r"is 3\.98 to 1, text needs 4.5"),
        (Brand(accent="#8fc1ee"), "choose a darker"),
        (Brand(accent_dark="#1f4e79"), "choose a lighter"),
        (Brand(accent="red"), "no colour"),
        (Brand(accent="#1f4e79;}"), "no colour"),
    ):
        with pytest.raises(ConfigError) as refused:
            check(brand, TEMPLATES)
        assert re.search(why, f"{refused.value} {refused.value.fix}"), str(refused.value)


def test_words_of_a_brand():
    for brand in (Brand(short_name="x" * 41), Brand(confidentiality="a\nb"), Brand(confidentiality="HIPAA certified"), Brand(short_name="a\u202eb")):  # fmt: skip
        with pytest.raises(ConfigError):
            check(brand, TEMPLATES)


def test_marks_are_on_every_edition_and_results_keep_their_colours(tmp_path):
    content = _content(build_inputs(tmp_path), packet_key()[0], "PKT-1", (), b"x\n")
    brand = check(Brand(svg(), "svg", "#5b2a86", "#c9a6ea", "Acme & Co", "Strictly <ours>"), TEMPLATES)
    marked = replace(content, looks=Looks(brand=brand))
    paper, page = html.render_print(marked, TEMPLATES), html.render_screen(marked, TEMPLATES).decode()
    for each in (paper, page):
        assert f'<img src="{brand.source}" alt="' in each
        assert "Strictly &lt;ours&gt;" in each
        assert "Acme &amp; Co" in each
    plain = html.render_print(content, TEMPLATES)
    assert "#5b2a86" in paper
    assert "color:#1f4e79" not in paper
    assert "color:#1f4e79" in plain
    for colour in ("#8f2424", "#9b2c2c", "#cfe3d6", "#8a6d1a"):
        assert paper.count(colour) == plain.count(colour) > 0
    assert "prefers-color-scheme:dark){:root{--accent:#c9a6ea}}" in page
    write_book(tmp_path / "b.xlsx", heading(marked), tables(marked))
    with zipfile.ZipFile(tmp_path / "b.xlsx") as book:
        sheet, styles = book.read("xl/worksheets/sheet1.xml").decode(), book.read("xl/styles.xml").decode()
    assert "Acme &amp;&amp; Co, PKT-1" in sheet.replace("&amp;amp;", "&amp;")
    assert "Strictly" in sheet
    assert "FF5B2A86" in styles
