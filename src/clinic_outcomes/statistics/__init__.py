"""Intervals, effect sizes, funnel limits and control charts: numbers in, numbers out.

Nothing here reads a file or knows a clinic. Publish computes its intervals from released figures with it, and dbt's SQL
calls its quantiles through ``dbt_plugin``. Modules are imported by name, so that dbt loads no more than it calls.
"""
