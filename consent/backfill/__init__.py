"""A store is brought to the present standing as a set: what stands at a ledger position S, then the stream from S.

    from consent.backfill.begin import Order, begin_backfill, read_backfill
    from consent.backfill.run import backfill

* `begin_backfill(database, store, now, Order(who, why)) -> Backfill`: fixes S (the top of the ledger) and lets the
  stream go on from there. The feed's own sender then does it, between the batches of the stream, or
* `backfill(database, ring, adapter, clock, pace=Pace()) -> Backfill`: begins it, or goes on with one that was killed,
  and does it here to the end, for every kind of store. The feed may not be sending to the store meanwhile.
* `read_backfill(session, store_id) -> Backfill | None`: how far the newest one is, with any login.

`database` is the worker's login, `adapter` is `consent.stores.adapters.adapter_for(store, http, clock, ring)`. A store
that was told nothing yet hears of those to keep out only; one that was told already hears again of all that stands, so
this is also how a change of policy over many people goes out: change `stores.toml`, restart, `backfill`.
"""
