"""What a study draws beside the figures that all have: one module a study, named like it, found by listing.

A module offers `figures(results, out) -> list[Path]`, PNG before SVG. It may also offer

- `drawn(rows) -> rows`: which rows the figures that all studies have are drawn from (default: all);
- `blocks(rows) -> lists of rows`: which rows share a table (default: one table);
- `CAPTIONS`: what its figures show, by the stem of their files (default: the stem).

A study without a module of its own gets the defaults.
"""
