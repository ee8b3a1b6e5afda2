"""Scrubbing on one core: ``python -m benchmarks.scrub [TEXTS ...]``, in statements per second of processor.

Workloads: statements that differ in their literals (most of a night), statements that all differ in shape (the worst night), and a
night with real repetition (many runs of few texts). Beside ours run a plain ``re.sub`` of quoted strings (what many do, and what
leaks) and sqlglot's tokenizer for Snowflake; they take turns.
"""

import random
import re

import sqlglot

try:
    from benchmarks import common
except ImportError:
    import common

from evidence.snapshot import sqltext
from evidence.snapshot.redact import Redactor

DEFAULT = (100_000,)
SHAPES = """
select a.member_id, b.claim_no, sum(c.paid_amount) as total from prod.mart.claims a join prod.mart.members b on a.member_id = b.member_id \
where b.last_name = 'Name{n}' and a.service_date >= '2026-01-01' group by 1, 2 limit 100
SELECT CLAIM_ID, DIAGNOSIS_CODE FROM CLAIMS.MART.FCT_CLAIM WHERE BIRTH_DATE = '19{n}'::DATE AND MRN = '{n}'
/* {"app": "dbt", "node": "m{n}"} */ merge into mart.dim_member t using (select * from staging.stg_members) s on t.id = s.id \
when matched then update set t.name = s.name, t.loaded_at = '2026-07-01 {n}'
insert into raw.events values ({n}, 'x', '2026-07-01', null, true)
copy into raw.members from @raw.inbound/members_{n}.csv file_format = (type = csv)
grant select on table mart.t to role analyst /* ticket {n} */
show tables like 'T{n}%' in schema mart
""".strip().splitlines()
QUOTED = re.compile(r"'(?:[^']|'')*'")


def same_shapes(count):
    return [SHAPES[n % len(SHAPES)].replace("{n}", str(n)) for n in range(count)]


def all_shapes(count):
    return [re.sub(r"\bmart\b", f"mart_{n}", text, flags=re.IGNORECASE) for n, text in enumerate(same_shapes(count))]


def a_night(count):
    """Texts come again as in an account: a few of them most of the time."""
    rng, pool = random.Random(1), same_shapes(max(count // 20, 1))
    return [pool[min(int(rng.paretovariate(0.6)) - 1, len(pool) - 1)] for _ in range(count)]


def ours(texts):
    redactor = Redactor(b"k" * 32, "bench")
    for text in texts:
        redactor.scrub(text)


def lexer(texts):
    for text in texts:
        sqltext.scrub(text)


def substitution(texts):
    for text in texts:
        QUOTED.sub("'?'", text)


def tokenizer(texts):
    for text in texts[: max(len(texts) // 20, 1)]:
        sqlglot.tokenize(text, read="snowflake")


RUNNERS = {"ours": ours, "our lexer alone": lexer, "re.sub of strings": substitution, "sqlglot tokenizer": tokenizer}


def run(sizes, rounds):
    """Return rows of statements per second of processor, for each workload and number of statements."""
    rows = []
    for count in sizes:
        for workload in (same_shapes, all_shapes, a_night):
            texts = workload(count)
            runners = {name: lambda do=do, texts=texts: do(texts) for name, do in RUNNERS.items()}
            found = common.in_turn(runners, rounds)
            rows += [_row(workload.__name__, name, texts, runs) for name, runs in found.items()]
    return rows


def _row(workload, name, texts, runs):
    """The tokenizer is slow and gets a twentieth."""
    count = max(len(texts) // 20, 1) if name == "sqlglot tokenizer" else len(texts)
    values = [count / each.cpu for each in runs]
    return common.Row("scrub", f"{workload}, {name}", "/s cpu", values, notes={"distinct": len(set(texts))})


if __name__ == "__main__":
    common.alone(run, DEFAULT, __doc__)
