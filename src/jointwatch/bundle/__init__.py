"""What is stored and deployed: fitted estimators without pickle."""

from jointwatch.bundle.store import load, save

__all__ = ["load", "save"]
