"""What is stored and deployed: fitted estimators without pickle, and bundles for industrial PCs."""

from jointwatch.bundle.export import Bundle, export, open_bundle
from jointwatch.bundle.recalibration import recalibrate, recalibrated
from jointwatch.bundle.store import load, save

__all__ = ["Bundle", "export", "load", "open_bundle", "recalibrate", "recalibrated", "save"]
