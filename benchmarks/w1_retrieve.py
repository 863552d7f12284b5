"""W1, retrieve a whole record: our job against fhirclient, fhirpy and fhir-kit-client, with the goals G1.1 to G1.6."""

from __future__ import annotations

from benchmarks.harness.arms import Arm, Benchmark, Goal
from benchmarks.w1_ours import memory, ours, sixteen, troubled
from benchmarks.w1_peers import fhir_kit, fhirpy_gather, in_threads, sequential
from benchmarks.w1_peers import sixteen as peer_sixteen
from benchmarks.w1_world import world

ONE_BY_ONE, EIGHT, GATHER, KIT = "fhirclient", "fhirclient, 8 threads", "fhirpy, gather", "fhir-kit-client, all"
OPAQUE, SPLIT, COLD = "ours, opaque", "ours, split", "ours, first ever"
PEER_16, OURS_16, LONG = "fhirclient, 16 patients", "ours, 16 patients", "ours, 100,000 entries"
TIME = "seconds"

BENCHMARK = Benchmark(
    "w1",
    (
        Arm(ONE_BY_ONE, sequential),
        Arm(OPAQUE, ours(dates=False)),
        Arm(KIT, fhir_kit),
        Arm(SPLIT, ours(dates=True)),
        Arm(EIGHT, in_threads),
        Arm(GATHER, fhirpy_gather),
        Arm(COLD, ours(dates=True, known=False)),
        Arm("ours, page 100", ours(dates=True, page=100)),
        Arm("ours, 10 ms", ours(dates=True, latency_ms=10)),
        Arm("ours, 200 ms", ours(dates=True, latency_ms=200)),
        Arm("ours, a 500 and a 429", troubled),
        Arm(PEER_16, peer_sixteen),
        Arm(OURS_16, sixteen),
        Arm(LONG, memory(100_000)),
    ),
    (
        Goal("G1.1 fhirclient", SPLIT, TIME, 0.1, over=ONE_BY_ONE, at_most=True),
        Goal("G1.1 fhir-kit-client", SPLIT, TIME, 0.5, over=KIT, at_most=True),
        Goal("G1.1 T_floor", SPLIT, "of_floor", 1.3, at_most=True),
        Goal("G1.2 fhirclient", OPAQUE, TIME, 0.2, over=ONE_BY_ONE, at_most=True),
        Goal("G1.2 T_floor", OPAQUE, "of_floor", 1.1, at_most=True),
        Goal("G1.2 fhir-kit-client", OPAQUE, TIME, 1.05, over=KIT, at_most=True),
        Goal("G1.4 records", OURS_16, "records_per_second", 6, over=PEER_16),
        Goal("G1.4 processor", OPAQUE, "cpu_seconds", 0.35, over=ONE_BY_ONE, at_most=True),
        Goal("G1.5", COLD, "over_two_trips_ms", 100, at_most=True),
        Goal("G1.6", LONG, "of_allowed", 1, at_most=True),
    ),
    world,
)
