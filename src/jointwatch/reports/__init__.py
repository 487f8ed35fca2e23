"""Documents for people: the inspection of recordings, the health report, tables and figures of studies."""
