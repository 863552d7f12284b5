"""From the ledger to every store: one cursor each, batches, receipts, and parked items. Nothing expires."""
