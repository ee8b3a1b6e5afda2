"""ACCESS_HISTORY's lists: typed value and patch give the document back, digit for digit."""

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.datasets import variant
from evidence.datasets.contract import OBJECTS, POLICIES
from evidence.datasets.nested import OBJECT_SHAPE, POLICY_SHAPE, exact, join, split

patient = settings(deadline=None, max_examples=300)
ids = st.one_of(st.integers(-1, 10**30), st.sampled_from(["7", "FUNC", "-0", None, 1.5, True, []]))
names = st.sampled_from(["DB.S.T", '"a.b"."c"', "TRUNCATED", "", None, 7, "null", 'x":-0', "é\n"])
extra = st.dictionaries(
    st.sampled_from(["locations", "stageKind", "a/b~c", "joinObjects"]),
    st.sampled_from([["s3://b/"], None, 1e5, {"x": -1}]),
    max_size=2,
)


def mixed(known):
    """Objects with any of the known members, and some unknown ones."""
    return st.builds(lambda a, b: {**a, **b}, st.fixed_dictionaries({}, optional=known), extra)


def lists(element):
    return st.lists(element, max_size=3) | st.sampled_from([None, 3, {}])


head = {"objectDomain": names, "objectName": names, "objectId": ids}
source = mixed({**head, "columnName": names})
sources = lists(source)
column = mixed(
    {
        "columnId": ids,
        "columnName": names,
        "directSources": sources,
        "baseSources": sources,
        "directSourceColumns": sources,
        "baseSourceColumns": sources,
    }
)
policy = mixed({"policyName": names, "policyId": ids, "policyKind": names})
objects = lists(mixed({**head, "columns": lists(column)}) | st.none())
policies = lists(
    mixed({**head, "columns": lists(mixed({"columnId": ids, "policies": lists(policy)})), "policies": lists(policy)})
)


@pytest.mark.parametrize(
    ("shape", "kind", "documents"), [(OBJECT_SHAPE, OBJECTS, objects), (POLICY_SHAPE, POLICIES, policies)]
)
def test_nothing_is_dropped(shape, kind, documents):
    @patient
    @given(st.lists(st.none() | documents, max_size=4))
    def check(made):
        texts = [None if value is None else variant.canonical_text(json.dumps(value)) for value in made]
        typed, rest = split(texts, shape)
        assert typed.type == kind
        assert [join(t, r, shape) for t, r in zip(typed.to_pylist(), rest, strict=True)] == texts

    check()


@patient
@given(st.lists(mixed({**head, "columns": lists(column)}), max_size=3))
def test_alone_or_among_others_gives_the_same(made):
    """The whole-batch reader and the walk agree: a document's typed value does not depend on its neighbours."""
    texts = [variant.canonical_text(json.dumps([element])) for element in made]
    typed, rest = split(texts, OBJECT_SHAPE)
    alone = [split([text], OBJECT_SHAPE) for text in texts]
    assert typed.to_pylist() == [t.to_pylist()[0] for t, _ in alone]
    assert rest == [r[0] for _, r in alone]


def test_the_usual_document_needs_no_patch():
    text = '[{"columns":[{"columnId":5,"columnName":"A"}],"objectDomain":"Table","objectId":18260702004593906,"objectName":"D.S.T"}]'
    typed, rest = split([text], OBJECT_SHAPE)
    assert rest == [None]
    assert typed.to_pylist()[0][0]["object_id"] == "18260702004593906"


def test_the_other_spelling_of_sources_is_typed():
    text = '[{"columns":[{"columnId":5,"directSourceColumns":[{"columnName":"X","objectId":7}]}]}]'
    typed, rest = split([text], OBJECT_SHAPE)
    assert typed.to_pylist()[0][0]["columns"][0]["direct_sources"][0]["column_name"] == "X"
    assert json.loads(rest[0])[0]["op"] == "move"


def test_locations_go_to_the_rest():
    _, rest = split(['[{"locations":["s3://b/?"]}]'], OBJECT_SHAPE)
    assert rest == ['[{"op":"add","path":"/0/locations","value":["s3://b/?"]}]']


@patient
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    )
)
def test_layout_does_not_matter(value):
    spelled = {
        variant.canonical_text(json.dumps(value, indent=indent, ensure_ascii=ascii_))
        for indent in (None, 0, 2)
        for ascii_ in (True, False)
    }
    assert spelled == {json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)}


@pytest.mark.parametrize(
    "number", ["1.50", "1e5", "123456789012345678901234567890", "-0", "0.1000000000000000055511151231257827"]
)
def test_numbers_keep_their_spelling(number):
    assert variant.canonical_text(f'{{"b": [{number}], "a": "1.50 "}}') == f'{{"a":"1.50 ","b":[{number}]}}'


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":2}', '{"a":1, "a":1}', "undefined", "[1,]", '"\\ud800"', "NaN", "[" * 100_000, ""]
)
def test_what_is_not_json_is_refused_without_being_quoted(text):
    with pytest.raises(variant.UnfitError) as caught:
        variant.canonical_text(text)
    assert len(str(caught.value)) < 40


# --- read as the source spells it ------------------------------------------------------------------------------------------------------------------

GOOD = '[{"objectDomain":"Table","objectId":7,"objectName":"D.S.T","columns":[{"columnId":1,"columnName":"C"}]}]'
HOSTILE = (
    '[]}\n{"v":[]', '[]}{"v":[]', '[]} {"v":[]', '[],"w":[]', '[],"v":[]', "[{}", "[{}]]", "[{},]", "[,]", "[1]", "[[]]", '["a"]', "", "[", "]", "{}",
    '[{"objectId":1,"objectId":2}]', '[{"columns":[],"columns":[{}]}]', '[{"objectId":01}]', '[{"objectId":1.0}]', '[{"objectId":1e2}]',
    '[{"objectId":-0}]', '[{"objectId":9223372036854775808}]', '[{"objectId":"7"}]', '[{"objectId":NaN}]', '[{"objectId":Infinity}]', '[{"objectId":+1}]',
    '[{"objectName":5}]', '[{"objectName":true}]', '[{"objectName":null}]', '[{"objectName":{}}]', '[{"columns":{}}]', '[{"columns":"[]"}]', "[null]",
    '[{"objectName":"a\x01b"}]', '[{"objectName":"a\tb"}]', '[{"objectName":"a\nb"}]', '[{"objectName":"a\x00b"}]', "[{'objectId':1}]",
    '[{"objectName":"\\ud800"}]', '[{"objectName":"\\u0041"}]', "[/**/]", "[]//", "\ufeff[]", '[{"locations":["s3://bucket/jane_roe"]}]', '[{"objectName":"x"}]\0',
)  # fmt: skip


def read_right(texts):
    """Assert that what was read says what the document says, and return it."""
    found = exact(pa.array(list(dict.fromkeys(texts)), pa.string()), OBJECT_SHAPE)
    for text, typed in zip(found.texts.to_pylist(), found.typed.to_pylist(), strict=True):
        assert join(typed, None, OBJECT_SHAPE) == variant.canonical_text(text)
    return found.texts.to_pylist()


@pytest.mark.parametrize("text", HOSTILE)
def test_only_what_says_what_it_spells_is_read_as_it_came(text):
    assert text not in read_right([text])
    assert read_right([GOOD, text, "[]"]) in (
        [GOOD, "[]"],
        [],
    )  # with one that the reader cannot take, the others are walked


@patient
@given(
    st.lists(
        st.tuples(st.sampled_from([GOOD, "[]", '[{"columns":[{"directSources":[{"columnName":"é"}]}]}]', *HOSTILE]), st.integers(0, 120),
            st.sampled_from(["", *'[]{},:"0-1e. \n\\', "null", '"v":', "}\n{", '{"v":[', "objectId", '"objectId":3,'])),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_damaged_documents_are_never_read_as_something_else(made):
    read_right([text[:at] + more + text[at:] for text, at, more in made])


def test_usual_documents_are_read_as_they_came():
    usual = [GOOD, "[]", GOOD.replace("Table", "View"), GOOD.replace("D.S.T", "D.S.Ü")]
    assert read_right(usual) == usual
    assert (
        read_right([*usual, GOOD.replace("D.S.T", "D.S.\\u00dc"), GOOD.replace('"columns"', '"extra":1,"columns"')])
        == usual
    )
