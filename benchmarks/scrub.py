"""Measure scrubbing on one core: ``python benchmarks/scrub.py [texts] [rounds]``. Prints statements per second.

Workloads: statements that differ in their literals (most of a night), statements that all differ in shape (the worst night), and a
night with real repetition (many runs of few texts). Beside ours run a plain ``re.sub`` of quoted strings (what many do, and what
leaks) and sqlglot's tokenizer for Snowflake; they take turns, and the median and the spread of the rounds are printed.
"""

import random
import re
import statistics
import sys
import time

import sqlglot

from evidence.snapshot import sqltext
from evidence.snapshot.redact import Redactor

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


def rate(run, texts):
    count = max(len(texts) // 20, 1) if run is tokenizer else len(texts)
    started = time.process_time()
    run(texts)
    return count / (time.process_time() - started)


def main(count, rounds):
    for workload in (same_shapes, all_shapes, a_night):
        texts = workload(count)
        taken = {name: [] for name in RUNNERS}
        for _ in range(rounds):
            for name, run in RUNNERS.items():
                taken[name].append(rate(run, texts))
        length = sum(map(len, texts)) // count
        print(
            f"{workload.__name__}: {count} statements of {length} characters, {len(set(texts))} distinct, {rounds} rounds"
        )
        for name, rates in taken.items():
            print(f"  {name:18} {statistics.median(rates):10,.0f}/s   {min(rates):,.0f} to {max(rates):,.0f}")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    main(*(arguments + [100_000, 5][len(arguments) :]))
