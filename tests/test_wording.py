"""A wording changes words and nothing else: what breaks a text is refused, what is not worded stays English, machines see no difference."""

import re
from dataclasses import replace

import pytest
from babel.messages.pofile import read_po

from evidence import config
from evidence.cli.packet_looks import looks_of
from evidence.errors import ConfigError
from evidence.packet import _content
from evidence.render import html, view
from evidence.render.catalogue import FILE, catalogue, pot
from evidence.render.exports import exported
from evidence.render.frame import fault
from evidence.render.looks import Looks
from evidence.render.text import forbidden_words
from evidence.render.wording import load
from evidence.render.words import CONCLUSIONS, Phrase, _, concluded, join, ngettext
from evidence.render.workbook import write_book
from evidence.render.worksheets import heading, tables
from tests.fakes.packet_inputs import ROOT, TEMPLATES, build_inputs, packet_key
from tests.test_reports import brief_content, campaign, content_of, review_content

GERMAN = ROOT / "tests" / "wordings" / "de.po"
HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'


@pytest.fixture(scope="module")
def german():
    return load(GERMAN.read_bytes(), "wording/de.po", "de", TEMPLATES)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return _content(build_inputs(tmp_path_factory.mktemp("parts"), count=6), packet_key()[0], "PKT-1", (), b"x\n")


def entry(message, said):
    return f'{HEAD}msgid "{message}"\nmsgstr "{said}"\n'.encode()


def read(body, language="de", file="wording/de.po"):
    return load(body, file, language, TEMPLATES)


# ---- the catalogue


def test_the_catalogue_is_what_the_sources_say():
    fresh = pot(catalogue(ROOT, ROOT / "evidence"))
    assert fresh == (ROOT / "templates" / FILE).read_bytes(), "run scripts/catalogue.py"


def test_every_sentence_of_every_kind_of_packet_is_in_the_catalogue(content, german, tmp_path):
    """What a page prints and the catalogue lacks would stay English without anybody knowing."""
    known = {m.id if isinstance(m.id, str) else m.id[0] for m in read_po((ROOT / "templates" / FILE).open("rb"))}
    asked = set()

    class Noting:
        def gettext(self, message):
            asked.add(message)
            return message

        def ngettext(self, one, many, count):
            asked.add(one)
            return one if count == 1 else many

    looks = Looks(replace(german, translations=Noting()))
    kinds = [
        content,
        replace(content, omissions=("x is missing",)),
        content_of("quarterly-soc2", tmp_path / "soc2", count=2),
        brief_content(tmp_path / "brief"),
        review_content(tmp_path / "review", campaign()),
    ]
    for number, each in enumerate(kinds):
        spoken = replace(each, looks=looks)
        html.render_screen(spoken, TEMPLATES)
        html.render_print(spoken, TEMPLATES)
        html.render_text(spoken, TEMPLATES, "VERIFY.md.j2")
        write_book(tmp_path / f"{number}.xlsx", heading(spoken), tables(spoken))
    assert len(asked & known) > 450
    names = re.compile(
        r"[\w-]+|(\d|[A-Z]{1,3}\d).*"
    )  # one word, or a requirement with its title: data that has no text of its own
    unknown = {message for message in asked - known - set(content.blind_spots) if not names.fullmatch(message)}
    assert not unknown, sorted(unknown)[:5]


# ---- what it says


def test_pages_speak_and_machines_do_not(content, german, tmp_path):
    spoken = replace(content, looks=Looks(german))
    page = html.render_screen(spoken, TEMPLATES).decode()
    paper = html.render_print(spoken, TEMPLATES)
    for each in (page, paper):
        assert '<html lang="de">' in each
        assert "Schwerste offene Abweichungen" in each
        assert "Most severe open exceptions" not in each
        assert "keine Abweichungen festgestellt: no exceptions noted" in each  # the original beside it, at the seal
        assert f"data/wording/de.po, language de, SHA-256 {german.sha256}" in each
        assert not list(forbidden_words(each, TEMPLATES))
    assert 'content:"Seite " counter(page) " von " counter(pages)' in paper
    assert '"Next": "Weiter"' in page
    assert "Wie man PKT-1 prüft" in html.render_text(spoken, TEMPLATES, "VERIFY.md.j2").decode()
    made = [{name: b"".join(body) for name, body in exported(each, {})} for each in (content, spoken)]
    assert made[0] == made[1]
    assert html.render_text(spoken, TEMPLATES, "verify.sh.j2") == html.render_text(content, TEMPLATES, "verify.sh.j2")
    assert view.build(spoken)["counts"] == view.build(content)["counts"]


def test_without_a_wording_nothing_is_different(content):
    same = replace(content, looks=Looks())
    assert html.render_print(same, TEMPLATES) == html.render_print(content, TEMPLATES)
    assert 'lang="en"' in html.render_print(same, TEMPLATES)
    assert "data/wording" not in html.render_print(same, TEMPLATES)


def test_commands_of_verify_are_those_of_the_original(content, german):
    def commands(each):
        text = html.render_text(each, TEMPLATES, "VERIFY.md.j2").decode()
        return [line for line in text.splitlines() if line.startswith("       ")]

    assert commands(content) == commands(replace(content, looks=Looks(german)))


def test_values_are_no_messages_and_translations_no_markup(content):
    """An item of evidence that reads like a text of ours stays; a translation is escaped like a value."""
    sly = read(entry("Summary", 'A & B \\"quoted\\" summary'), "en", "w.po")
    page = html.render_print(replace(content, looks=Looks(sly)), TEMPLATES)
    assert "A &amp; B &quot;quoted&quot; summary" in page
    german = load(GERMAN.read_bytes(), "de.po", "de", TEMPLATES)
    first = next(p for p in content.periods if p.exceptions)
    odd = replace(first, exceptions=(replace(first.exceptions[0], item="unsigned", observed="{n} {__class__}"),))
    others = tuple(p for p in content.periods if p.control != first.control)
    page = html.render_print(replace(content, periods=(odd, *others), looks=Looks(german)), TEMPLATES)
    assert ">unsigned<" in page
    assert "{n} {__class__}" in page


def test_an_entity_named_like_a_text_of_ours_keeps_its_name(content, german, tmp_path):
    odd = replace(content, entity="Controls", system_name="Summary", looks=Looks(german))
    assert ">Controls</td>" in html.render_print(odd, TEMPLATES)
    made = dict(heading(odd).facts)
    assert (heading(odd).say(made["Entity"]), heading(odd).say(_("Controls"))) == ("Controls", "Kontrollen")


def test_phrases_know_what_they_are_made_of(german):
    assert german.say(ngettext("{n} day", "{n} days", 1)) == "1 Tag"
    assert german.say(join(" ", [ngettext("{n} day", "{n} days", 2000), "x"])) == "2,000 Tage x"
    assert str(_("{start} to {end}", start="{end}", end="b")) == "{end} to b"
    assert german.say(concluded("exceptions noted (3); not assessed: 1 of 2 primary controls")) == (
        "Abweichungen festgestellt (3); nicht beurteilt: 1 von 2 primären Kontrollen"
    )
    assert concluded("a word of evidence") == "a word of evidence"
    assert not isinstance(concluded("a word of evidence"), Phrase)


# ---- what is refused


@pytest.mark.parametrize(
    ("message", "said", "why"),
    [
        ("{n} of {all} controls", "{n} Kontrollen", "lacks {all}"),
        ("{n} of {all} controls", "{n} von {all} {all.__class__}", "stray"),
        ("{n} of {all} controls", "{n} von {all} {more}", "has {more}"),
        ("Summary", "<script>alert(1)</script>", "has </script>, <script>"),
        ("Summary", "Kurz < lang", "stray <"),
        ("Summary", "{{ 7 }}", "stray {"),
        ("Summary", "{% raw %}", "stray {"),
        ("Summary", "Kurz\\u202efassung", "nobody sees"),
        ("Summary", "摘要", "no bundled font"),
        ("Summary", "Certified summary", "must not"),
        ("Summary", "K" * 200, "many times as long"),
        ("must print `CAdES Verification successful`.", "muss `irgendetwas` ausgeben.", "lacks `CAdES"),
        ("<strong>Remediation.</strong> {remediation}", "{remediation}</strong><strong>", "another order"),
        ("A sentence of no release", "Ein Satz", "no text of this release"),
    ],
)
def test_what_breaks_a_text_is_refused_with_file_and_entry(message, said, why):
    said = said.encode().decode("unicode_escape") if "\\u" in said else said
    with pytest.raises(ConfigError, match=re.escape(why)) as refused:
        read(entry(message, said))
    assert "wording/de.po, line" in str(refused.value)


def test_conclusions_are_not_exchanged():
    with pytest.raises(ConfigError, match="two conclusions have one word"):
        read(entry("exceptions noted", "No exceptions noted"), "de")
    with pytest.raises(ConfigError, match="is a word for a conclusion"):
        read(entry("exceptions noted", "minor remarks"), "en", "w.po")
    assert CONCLUSIONS[1] == "exceptions noted"


@pytest.mark.parametrize(
    ("body", "language", "why"),
    [
        (b"msgid no quotes", "de", "does not parse"),
        (b"\xff\xfe", "de", "does not parse"),
        (entry("Summary", "x"), "", "no tag of a language"),
        (entry("Summary", "x"), "ar", "left to right"),
        (entry("Summary", "x"), "xx", "not known"),
        (f'{HEAD}#, fuzzy\nmsgid "Summary"\nmsgstr "Kurz"\n'.encode(), "de", "fuzzy"),
        (
            f'{HEAD}msgid "{{n}} day"\nmsgid_plural "{{n}} days"\nmsgstr[0] "{{n}} Tag"\nmsgstr[1] ""\n'.encode(),
            "de",
            "plural form",
        ),
        (b"#" * (1 << 21), "de", "bytes"),
    ],
)
def test_a_file_that_is_no_wording_is_refused(body, language, why):
    with pytest.raises(ConfigError, match=why):
        read(body, language)


def test_a_plural_of_one_form_must_have_every_value():
    assert fault("{n} day", "{n} Tag") == ""
    assert "lacks {n}" in fault("{n} days", "Tage")


def test_the_workspace_names_the_file(tmp_path):
    folder = tmp_path / "wording"
    folder.mkdir()
    (folder / "de.po").write_bytes(GERMAN.read_bytes())
    (tmp_path / "evidence.toml").write_text(
        '[entity]\nname = "x"\nsystem = "y"\n[packet]\nlanguage = "de"\nwording = "wording/de.po"\n'
    )
    looks = looks_of(config.load(tmp_path))
    assert looks.files == {"wording/de.po": GERMAN.read_bytes()}
    assert looks.to_json()["wording"]["texts"] == looks.words.changed > 300
    (tmp_path / "evidence.toml").write_text('[entity]\nname = "x"\nsystem = "y"\n[packet]\nlanguage = "de"\n')
    with pytest.raises(ConfigError, match="no wording"):
        looks_of(config.load(tmp_path))
