"""W3, propagate: our senders against a job per change, an outbox relay and Celery, with the goals G3.1 to G3.9."""

from __future__ import annotations

from benchmarks.harness.arms import Arm, Benchmark, Goal
from benchmarks.w3_backfill import filled_lines, filled_warehouse, raw_copy, raw_in_order, sql_lines
from benchmarks.w3_live import hundred, soon
from benchmarks.w3_mass import all_end, built_transactions, filled_fhir, raw_statement
from benchmarks.w3_ours import build_bundles, bundles, many_stores, one_store
from benchmarks.w3_peers import Celery, procrastinate_jobs, relay
from benchmarks.w3_world import world

ONE, FAR, EIGHT = "one store", "one store, 20 ms", "8 stores, 20 ms"
SEVEN, HANGS, FAILS = "7 stores, 20 ms", "7 beside one that hangs", "7 beside one that answers 503"
KEYED, ORDERED = "warehouse by raw COPY", "warehouse by raw COPY in the ledger's order"
RATE = "per_second"

BENCHMARK = Benchmark(
    "w3",
    (
        Arm("Procrastinate, job per change", procrastinate_jobs),
        Arm("Celery and Redis, task per change", Celery().run),
        Arm(ONE, one_store(0)),
        Arm("outbox relay", relay(0, 1_500)),
        Arm("outbox relay, 20 ms", relay(20, 150)),
        Arm(FAR, one_store(20)),
        Arm(EIGHT, many_stores(8)),
        Arm(SEVEN, many_stores(7)),
        Arm(HANGS, many_stores(7, "hang")),
        Arm(FAILS, many_stores(7, "503")),
        Arm("Bundles built", build_bundles),
        Arm("Bundles sent", bundles),
        Arm("100 changes among few", hundred(lambda world: world.few)),
        Arm("100 changes among all", hundred(lambda world: world)),
        Arm("100 a second", soon),
        Arm(KEYED, raw_copy),
        Arm(ORDERED, raw_in_order),
        Arm("warehouse filled", filled_warehouse),
        Arm("SQL-built lines", sql_lines),
        Arm("lines filled", filled_lines),
        Arm("transactions built", built_transactions),
        Arm("FHIR server filled", filled_fhir),
        Arm("raw set statement", raw_statement),
        Arm("everyone's yes ends", all_end),
    ),
    (
        Goal("G3.1 a job per change", ONE, RATE, 200, over="Procrastinate, job per change"),
        Goal("G3.1 the relay", ONE, RATE, 50, over="outbox relay"),
        Goal("G3.2 the relay", FAR, RATE, 500, over="outbox relay, 20 ms"),
        Goal("G3.2 batch/RTT", FAR, "of_limit", 0.7),
        Goal("G3.2b", "Bundles sent", RATE, 0.5, over="Bundles built"),
        Goal("G3.3 8 stores", EIGHT, RATE, 5, over=FAR),
        Goal("G3.3 one hangs", HANGS, RATE, 0.9, over=SEVEN),
        Goal("G3.3 one answers 503", FAILS, RATE, 0.9, over=SEVEN),
        Goal("G3.7", "100 changes among all", "seconds", 1.2, over="100 changes among few", at_most=True),
        Goal("G3.7 idle", "100 changes among all", "ledger_rows_when_idle", 0, at_most=True),
        Goal("G3.4 in the ledger's order", "warehouse filled", RATE, 0.5, over=ORDERED),
        Goal("G3.4 in the key's order", "warehouse filled", RATE, 0.5, over=KEYED),
        Goal("G3.5 lines", "lines filled", RATE, 0.5, over="SQL-built lines"),
        Goal("G3.5 FHIR", "FHIR server filled", RATE, 0.5, over="transactions built"),
        Goal("G3.6", "everyone's yes ends", "seconds", 1.3, over="raw set statement", at_most=True),
        Goal("G3.9 memory", "lines filled", "memory_mb", 150, at_most=True),
        Goal("G3.8", "100 a second", "p99_ms", 90, at_most=True),
    ),
    world,
)
