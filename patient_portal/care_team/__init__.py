"""The care team: opting one patient out from the chart, or many from a list."""
